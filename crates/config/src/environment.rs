//! What surrounds the process: its environment variables, and what it may open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::descriptors;

/// The environment variables of the process and its limits, or made up by a test. Not `Debug`: secrets are among them.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    descriptors: Option<u64>,
}

impl Environment {
    /// The variables this process was started with, and what it may open.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            descriptors: descriptors::limit(),
        }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// How many file descriptors the process may open; none if that is not limited.
    pub fn descriptors(&self) -> Option<u64> {
        self.descriptors
    }

    /// The same with so many file descriptors.
    #[must_use]
    pub fn with_descriptors(self, descriptors: u64) -> Self {
        Self {
            descriptors: Some(descriptors),
            ..self
        }
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self {
            variables: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            descriptors: None,
        }
    }
}
