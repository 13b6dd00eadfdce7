//! What the configuration accepts, refuses and shows; a file and made-up variables in, values or problems out.

mod bad_values;
mod secrets;
mod sources;
mod table;

use std::path::{Path, PathBuf};

use super::*;

/// A configuration that `work` can start with.
const GOOD: &str = r#"
[queue]
url = "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo"
dead_letter_url = "https://sqs.us-east-1.amazonaws.com/123456789012/events-internal.fifo"

[callback.production]
url = "https://hooks.example.com/workn"
shared_secret = "env:WORKN_SECRET"
"#;

const SECRET: &str = "hunter2-production";

/// A directory with a configuration file.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn with(text: &str) -> Self {
        let place = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        place.write("hooklane.toml", text.as_bytes());
        place
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("hooklane.toml")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.directory.path().join(name), bytes).expect("written");
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Source, Invalid> {
        let given = [("WORKN_SECRET", SECRET)]
            .into_iter()
            .chain(variables.iter().copied());
        Source::load(Some(&self.path()), given.collect())
    }

    fn work(&self, variables: &[(&str, &str)]) -> Result<WorkConfig, Invalid> {
        work(&self.load(variables)?)
    }
}

/// The problems as people read them, with the directory left out of the places.
fn told(result: Result<WorkConfig, Invalid>, directory: &Path) -> Vec<String> {
    let invalid = result.err().expect("problems");
    let directory = format!("{}/", directory.display());
    invalid
        .problems()
        .iter()
        .map(|problem| problem.to_string().replace(&directory, ""))
        .collect()
}

/// The problems of a file and variables.
fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let place = Place::with(text);
    told(place.work(variables), place.directory.path())
}
