//! How a command ends: the exit codes, and errors told in a line.

use std::process::ExitCode;

use crate::config::Invalid;
use crate::output::{self, StdoutClosed};

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
        output::complain(&told(error));
    }
    exit
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<StdoutClosed>() {
        // Whoever read us has seen enough (`hooklane dlq ls | head`).
        return Exit::Done;
    }
    match error.is::<Invalid>() || error.is::<Usage>() {
        true => Exit::Unusable,
        false => Exit::Failed,
    }
}

/// The error with its causes; a cause that was already told by the error above it is not told again.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
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
        assert_eq!(told(&error), "cannot send: queue q: connection refused");
    }

    #[test]
    fn what_the_user_typed_wrongly_exits_with_2_even_below_a_context() {
        let usage = anyhow::Error::new(Usage("no such thing".to_owned()));
        assert_eq!(exit_of(&usage), Exit::Unusable);
        assert_eq!(exit_of(&usage.context("send")), Exit::Unusable);
        assert_eq!(exit_of(&anyhow::anyhow!("broken")), Exit::Failed);
    }
}
