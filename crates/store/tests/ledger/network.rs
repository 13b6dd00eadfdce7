//! A network between the SDK and DynamoDB that does what a test says to single calls.

use std::sync::{Arc, Mutex};

use rig::emulator;
use rig::network::{Call, Fault, with_faults};
use store::DynamoDb;

/// The calls that the network has seen, tries of the SDK included.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    pub(crate) fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.all().into_iter().map(|call| call.action).collect()
    }
}

/// A table behind a network that does what `decide` says to each call.
pub(crate) fn table_behind(
    name: &str,
    decide: impl Fn(&Call) -> Fault + Send + Sync + 'static,
) -> (DynamoDb, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let to_dynamodb = aws_smithy_http_client::Builder::new().build_http();
    let network = with_faults(to_dynamodb, move |call| {
        let fault = decide(call);
        seen.0.lock().unwrap().push(call.clone());
        fault
    });
    let table = DynamoDb::through(emulator::endpoint(), network, name);
    (table, calls)
}
