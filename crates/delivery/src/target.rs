//! Where an event goes, how its requests are signed, on which schedule, and in which shape.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::{Authentication, RetrySchedule, masked};

/// All that a delivery needs to know of its receiver. It is resolved once, as a visit begins, and holds for the visit.
#[derive(Clone)]
pub struct Target {
    /// Where requests go; none where no callback is known for the event.
    pub url: Option<Url>,
    /// How requests show who they are from.
    pub authentication: Arc<Authentication>,
    /// When to try again, what accepts, and how long an attempt may take.
    pub schedule: Arc<RetrySchedule>,
    /// How the event lies in the body.
    pub shape: Shape,
}

/// How an event lies in the body of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// The body is the event.
    #[default]
    Event,
    /// The body is an array of one, the event.
    Array,
}

impl Shape {
    /// The body in this shape. The event's own bytes stay as they are.
    pub(crate) fn of<'a>(self, event: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        match self {
            Self::Event => event,
            Self::Array => Cow::Owned([b"[", &*event, b"]"].concat()),
        }
    }
}

/// URLs are masked: `Debug` shows no token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("url", &self.url.as_ref().map(masked))
            .field("authentication", &self.authentication)
            .field("schedule", &self.schedule)
            .field("shape", &self.shape)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token() {
        let target = Target {
            url: Some("https://a.example/x?sig=S3CRET".parse().unwrap()),
            authentication: Arc::new(Authentication::None),
            schedule: Arc::new(RetrySchedule::new(RetrySchedule::avionte()).unwrap()),
            shape: Shape::Event,
        };
        let debug = format!("{target:?}");
        assert!(
            debug.contains("a.example/x") && !debug.contains("S3CRET"),
            "{debug}"
        );
    }
}
