//! Where each event goes. A visit asks once, as it begins, and holds to the answer.

use std::sync::Arc;

use delivery::{Authentication, Callback, RetrySchedule, Shape, Target};
use event::EVENT_NAME;
use queue::Received;

/// The targets of a worker's events: those of the configuration.
#[derive(Debug)]
pub(crate) struct Routes {
    callback: Callback,
    authentication: Arc<Authentication>,
    schedule: Arc<RetrySchedule>,
}

impl Routes {
    pub(crate) fn new(callback: Callback, schedule: RetrySchedule) -> Self {
        Self {
            authentication: Arc::new(callback.authentication.clone()),
            callback,
            schedule: Arc::new(schedule),
        }
    }

    /// The target of a message's event.
    pub(crate) fn target(&self, message: &Received) -> Target {
        let name = message.text_attribute(EVENT_NAME);
        Target {
            url: self.callback.url_for(name).cloned(),
            authentication: self.authentication.clone(),
            schedule: self.schedule.clone(),
            shape: Shape::Event,
        }
    }
}
