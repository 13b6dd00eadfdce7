//! The SQS that a world runs on: a `hooklane local-sqs` of its own or, if `HOOKLANE_E2E_ENDPOINT` names one, an
//! emulator that all worlds share, where each has queues of its own.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::program::LocalSqs;

/// Where the suite runs, `http://HOST:PORT`; `make e2e ENDPOINT=…` sets it.
const ENDPOINT: &str = "HOOKLANE_E2E_ENDPOINT";

/// Where a world has its queues.
pub enum Sqs {
    /// Ends with the world.
    Own(LocalSqs),
    /// Goes on, with whatever other queues it has.
    Shared {
        /// `http://HOST:PORT`.
        endpoint: String,
    },
}

impl Sqs {
    /// One of its own, or the one that is named.
    pub fn reach() -> Self {
        match env::var(ENDPOINT) {
            Ok(endpoint) => Self::Shared { endpoint },
            Err(_) => Self::Own(LocalSqs::start(&[])),
        }
    }

    /// `http://HOST:PORT`.
    pub fn endpoint(&self) -> &str {
        match self {
            Self::Own(sqs) => &sqs.variables[0].1,
            Self::Shared { endpoint } => endpoint,
        }
    }

    /// What leads an AWS client there. Emulators take any credentials.
    pub fn variables(&self) -> Vec<(String, String)> {
        match self {
            Self::Own(sqs) => sqs.variables.clone(),
            Self::Shared { endpoint } => [
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        }
    }

    /// A name for a queue that no other world and no earlier run has used: some remember deleted queues for a minute.
    pub fn queue_name(&self) -> String {
        static QUEUES: AtomicU32 = AtomicU32::new(0);
        match self {
            Self::Own(_) => "events".to_owned(),
            Self::Shared { .. } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now_ms = now.expect("after 1970").as_millis();
                let n = QUEUES.fetch_add(1, Ordering::Relaxed);
                format!("events-{now_ms}-{n}")
            }
        }
    }
}
