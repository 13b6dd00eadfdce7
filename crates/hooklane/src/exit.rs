//! How a command ends: the exit codes, and errors told in a line.

use std::process::ExitCode;

use queue::QueueError;

use crate::output::{self, StdoutClosed, one_line};
use config::Invalid;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked; a service that was told to stop has, too.
    Done,
    /// Something failed, or a check found something: 1.
    Failed,
    /// The arguments or the configuration cannot be used: 2.
    Unusable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Unusable => Self::from(2),
        }
    }
}

/// Arguments that cannot be used, where the parser could not know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Tells an error on standard error, in one line unless there are several problems, and says how to exit.
pub fn report(error: &anyhow::Error) -> Exit {
    let exit = exit_of(error);
    if exit != Exit::Done {
        let endpoint = std::env::var(ENDPOINT).ok();
        let hint = hint(error, endpoint.as_deref()).unwrap_or_default();
        output::complain_in_lines(&format!("{}{}", with_causes(error), one_line(&hint)));
    }
    exit
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<StdoutClosed>() {
        // Whoever read us has seen enough (`hooklane dlq ls | head`).
        return Exit::Done;
    }
    if error.is::<Invalid>() || error.is::<Usage>() {
        Exit::Unusable
    } else {
        Exit::Failed
    }
}

/// Where the standard AWS environment says that SQS is.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What to look at first where SQS cannot be reached: another shell's endpoint, or none, is the usual reason.
fn hint(error: &anyhow::Error, endpoint: Option<&str>) -> Option<String> {
    let cause = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<QueueError>())?;
    if !matches!(cause, QueueError::Unreachable { .. }) {
        return None;
    }
    Some(match endpoint.filter(|endpoint| !endpoint.is_empty()) {
        // One with a password in it is not shown.
        Some(endpoint) if !endpoint.contains('@') => format!(" ({ENDPOINT} is {endpoint})"),
        Some(_) => format!(" ({ENDPOINT} is set)"),
        None => format!(
            " ({ENDPOINT} is not set: for a local queue, paste the lines that `hooklane local-sqs` printed)"
        ),
    })
}

/// The error with its causes; a cause that was already told by the error above it is not told again. Each on one line,
/// whatever it quotes; only several problems of a configuration have lines of their own.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = match cause.downcast_ref::<Invalid>() {
            Some(invalid) => invalid.to_string(),
            None => one_line(&cause.to_string()),
        };
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("queue q: {source}")]
    struct Outer {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_told_once() {
        let source = std::io::Error::other("connection refused");
        let error = anyhow::Error::new(Outer { source }).context("cannot send");
        assert_eq!(
            with_causes(&error),
            "cannot send: queue q: connection refused"
        );
    }

    #[test]
    fn what_a_stranger_wrote_stays_on_the_line_of_the_error_that_quotes_it() {
        let source = std::io::Error::other("refused\nhooklane: all is well\u{1b}[1A");
        let error = anyhow::Error::new(Outer { source }).context("file a\u{2028}b\r");
        assert_eq!(
            with_causes(&error),
            "file a\\u{2028}b\\u{d}: queue q: refused\\u{a}hooklane: all is well\\u{1b}[1A"
        );
    }

    #[test]
    fn an_sqs_that_cannot_be_reached_is_told_with_its_endpoint() {
        let unreachable = QueueError::Unreachable {
            action: "SendMessage",
            message: "connection refused".to_owned(),
        };
        let error = anyhow::Error::new(unreachable).context("send");
        let told = |endpoint| hint(&error, endpoint).expect("a hint");
        assert_eq!(
            told(Some("http://127.0.0.1:1")),
            " (AWS_ENDPOINT_URL is http://127.0.0.1:1)"
        );
        assert!(!told(Some("http://u:p@sqs")).contains("u:p"));
        for none in [None, Some("")] {
            assert!(told(none).contains("not set"), "{none:?}");
        }
        assert_eq!(hint(&anyhow::anyhow!("broken"), None), None);
    }

    #[test]
    fn what_the_user_typed_wrongly_exits_with_2_even_below_a_context() {
        let usage = anyhow::Error::new(Usage("no such thing".to_owned()));
        assert_eq!(exit_of(&usage), Exit::Unusable);
        assert_eq!(exit_of(&usage.context("send")), Exit::Unusable);
        assert_eq!(exit_of(&anyhow::anyhow!("broken")), Exit::Failed);
    }
}
