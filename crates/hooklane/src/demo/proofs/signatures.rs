//! Signatures: every request showed who it is from.

use super::{Proof, counted};
use crate::demo::observations::Observations;

/// Every request carried the HMAC-SHA256 of its exact body.
pub(super) fn valid(observations: &Observations) -> Proof {
    let requests = &observations.requests;
    let mut faults: Vec<String> = requests
        .iter()
        .filter(|request| !request.signed)
        .map(|request| format!("{}: attempt {} not signed", request.id, request.nth))
        .collect();
    if requests.is_empty() {
        faults.push("no request came".to_owned());
    }
    let finding = format!(
        "{}, each with the HMAC-SHA256 of its exact body",
        counted(requests.len(), "request")
    );
    Proof::new("all signed", finding, faults)
}
