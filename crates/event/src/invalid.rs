//! Why a body is not an event.

/// Why a body is not a valid event. Says what is wrong and where, and repeats nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// Nothing, or white space alone.
    #[error("the body is empty, expected a JSON object")]
    Empty,
    /// Not UTF-8 from this byte on.
    #[error("not valid UTF-8 at byte {at}")]
    NotUtf8 {
        /// Bytes before the first wrong one.
        at: usize,
    },
    /// Not JSON, or more than one JSON document.
    #[error("not valid JSON at byte {at}: {problem}")]
    NotJson {
        /// Bytes before the place where reading stopped.
        at: usize,
        /// What the JSON parser expected.
        problem: String,
    },
    /// JSON, but not an object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// The JSON type found.
        found: &'static str,
    },
    /// A known parameter of another type than documented; `null` is another type.
    #[error("`{parameter}` must be {expected}, found {found}")]
    WrongType {
        /// The parameter's name.
        parameter: &'static str,
        /// The documented type.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// A known parameter that comes twice: readers would disagree on which one counts.
    #[error("`{parameter}` is given twice")]
    GivenTwice {
        /// The parameter's name.
        parameter: &'static str,
    },
}

impl InvalidEvent {
    pub(crate) fn not_json(text: &str, error: &serde_json::Error) -> Self {
        let line_start = match error.line() {
            0 | 1 => 0,
            line => text
                .match_indices('\n')
                .nth(line - 2)
                .map_or(0, |(at, _)| at + 1),
        };
        let full = error.to_string();
        // Syntax errors are fixed phrases, followed by a line and column that mean little inside a one-line body.
        let problem = full.split(" at line ").next().unwrap_or_default();
        // An "ident" is one of the words true, false and null.
        let problem = problem.replace("expected ident", "expected a value");
        Self::NotJson {
            at: (line_start + error.column().saturating_sub(1)).min(text.len()),
            problem,
        }
    }
}
