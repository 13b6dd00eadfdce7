//! Worlds in which calls go wrong.

use std::time::Duration;

use local_sqs::{Limits, LocalSqs};
use queue::Clock;
use queue::admin::Kind;
use rig::Switch;
use rig::network::{Call, Fault, with_faults};

use super::{Reply, SQS_START, Seen, World};

/// A FIFO world behind a network that does what `decide` says.
pub(crate) async fn world_with(
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let local = LocalSqs::new(Limits::default());
    World::on(with_faults(local.http_client(), decide), Kind::Fifo, script).await
}

/// A FIFO world whose source queue keeps messages so long only.
pub(crate) async fn world_that_keeps(
    retention_s: u64,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let local = LocalSqs::seeded(Limits::default(), 1);
    world_of_that_keeps(&local, retention_s, script).await
}

/// The same on an SQS whose queues the test changes.
pub(crate) async fn world_of_that_keeps(
    local: &LocalSqs,
    retention_s: u64,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> World {
    let network = with_faults(local.http_client(), move |call| {
        match call.action.as_str() {
            "CreateQueue" if call.body.contains("\"events.fifo\"") => Fault::Asks(
                call.body
                    .replace("\"1209600\"", &format!("\"{retention_s}\"")),
            ),
            _ => Fault::None,
        }
    });
    let mut world = World::on(network, Kind::Fifo, script).await;
    world.clock = Clock::virtual_from(SQS_START);
    assert_eq!(world.source.attributes().retention_s, retention_s);
    world
}

/// Four events, of which the fourth fails at first, in a world that extends no lease until the switch is set off: the
/// fourth's first attempt ends with 4 s left of the lease, too little for its second.
pub(crate) async fn world_at_the_end_of_a_lease() -> (World, Switch) {
    let down = Switch::default();
    let switch = down.clone();
    let world = world_with(
        move |call| match call.action.as_str() {
            "ChangeMessageVisibilityBatch" if switch.is_on() => Fault::Unavailable,
            _ => Fault::None,
        },
        |s| match (super::number(s), s.attempt()) {
            (4, 1) => Reply::After(Duration::from_secs(29), 500),
            _ => Reply::After(Duration::from_secs(29), 200),
        },
    )
    .await;
    world.send("EventSetup_1", 1..=4).await;
    down.set(true);
    (world, down)
}

/// Lets time pass.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
