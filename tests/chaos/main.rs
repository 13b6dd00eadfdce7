//! Crashes for real: workers are killed and stopped at random moments, the receiver restarts, SQS answers 503; what
//! the receivers really saw and what lies in the internal queue is held against what is promised.
//!
//! Real processes and sockets: two workers that share a ledger, a producer, `local-sqs` behind a proxy. A short run
//! is one of the tests; `CHAOS=full` (`make chaos`) makes it a long one. `CHAOS_SEED` repeats a plan: who is killed
//! when and how every event is answered, not how the processes interleave.

mod calls;
mod checks;
mod history;
mod http;
mod journal;
mod plan;
mod proxy;
mod receiver;
mod run;
mod table;
mod workers;

use plan::{Plan, Size};

#[test]
fn nothing_is_lost_and_nothing_overtakes_while_workers_are_killed() {
    let plan = Plan::new(Size::asked(), plan::seed());
    println!("CHAOS_SEED={}: {}", plan.seed, plan.size.name);
    let run = run::run(&plan);
    let verdicts = checks::all(&run.history);
    println!("{}", table::table(&plan, &run, &verdicts));
    let violations = table::violations(&run, &verdicts);
    assert!(
        violations.is_empty(),
        "CHAOS_SEED={}\n{violations}",
        plan.seed
    );
}
