//! All that the worker uses, put together.

use consumer::Settings;
use consumer::post::EndpointPolicy;
use delivery::{Callback, RetrySchedule};

use super::problem::Problem;
use super::queue::{self, QueuePair};
use super::reader::Reader;
use super::worker::{self, WorkerConfig};
use super::{callback, endpoint, retry};

/// Everything the worker needs. Not `Debug`: a callback's URL may hold a token.
pub struct WorkConfig {
    /// The source queue and the internal queue.
    pub queues: QueuePair,
    /// Where events go, and how requests are authenticated.
    pub callback: Callback,
    /// When attempts are made, and what accepts.
    pub schedule: RetrySchedule,
    /// The worker itself.
    pub worker: WorkerConfig,
    /// Which addresses may be talked to.
    pub endpoint: EndpointPolicy,
    /// What can be used and will not work: to be told.
    pub warnings: Vec<Problem>,
}

impl WorkConfig {
    /// How the worker, or another shell around the lanes, is to deliver.
    pub fn settings(&self) -> Settings {
        Settings {
            callback: self.callback.clone(),
            schedule: self.schedule.clone(),
            max_in_flight: self.worker.max_in_flight,
            max_bytes_in_flight: self.worker.max_bytes_in_flight,
            visibility_timeout: self.worker.visibility_timeout,
            shutdown_grace: self.worker.shutdown_grace,
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<WorkConfig> {
    let environment = callback::environment(reader);
    let queues = queue::pair(reader);
    let endpoint = endpoint::read(reader);
    let callback = match environment {
        Some(environment) => callback::read(reader, environment, endpoint.as_ref()),
        None => {
            callback::check_both(reader, endpoint.as_ref());
            None
        }
    };
    let schedule = retry::read(reader);
    let worker = worker::read(reader, schedule.as_ref());
    Some(WorkConfig {
        queues: queues?,
        callback: callback?,
        schedule: schedule?,
        worker: worker?,
        endpoint: endpoint?,
        warnings: reader.warnings().to_vec(),
    })
}
