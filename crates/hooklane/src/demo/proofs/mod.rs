//! What is claimed of a run, each claim held against what was observed. Pure.

mod missing;
mod order;
mod signatures;
#[cfg(test)]
mod tests;
mod waits;

use super::observations::Observations;

/// A claim and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) claim: &'static str,
    /// What was found; or every fault, each naming its event.
    pub(super) result: Result<String, Vec<String>>,
}

impl Proof {
    pub(super) fn holds(&self) -> bool {
        self.result.is_ok()
    }

    fn new(claim: &'static str, finding: String, faults: Vec<String>) -> Self {
        let result = if faults.is_empty() {
            Ok(finding)
        } else {
            Err(faults)
        };
        Self { claim, result }
    }
}

/// Every proof.
pub(super) fn all(observations: &Observations) -> Vec<Proof> {
    vec![
        order::kept(observations),
        missing::nothing(observations),
        waits::kept(observations),
        signatures::valid(observations),
    ]
}

/// `1 event`, `2 events`.
fn counted(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}
