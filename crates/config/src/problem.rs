//! What is wrong with a configuration, all of it at once.

use std::fmt;

use delivery::one_line;
use serde::Serialize;

/// One thing that is wrong: which key, what is wrong and what to do. Never quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key, the variable or the file.
    pub key: String,
    /// What is wrong, and what to do.
    pub problem: String,
    /// Where it was written: `file:line`, or the variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// On one line, whatever the configuration holds.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", one_line(&self.key), one_line(&self.problem))?;
        match &self.place {
            Some(place) if *place != self.key => write!(f, " ({})", one_line(place)),
            _ => Ok(()),
        }
    }
}

/// A configuration that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    problems: Vec<Problem>,
}

impl std::error::Error for Invalid {}

impl Invalid {
    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(super) fn of(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    pub(super) fn one(key: &str, problem: &str) -> Self {
        Self::of(vec![Problem {
            key: key.to_owned(),
            problem: problem.to_owned(),
            place: None,
        }])
    }

    pub(super) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self::of(problems))
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => problem.fmt(f),
            problems => {
                write!(f, "{} problems in the configuration:", problems.len())?;
                problems
                    .iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
