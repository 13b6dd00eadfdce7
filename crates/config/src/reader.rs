//! Reads keys one by one, keeps every problem on the way, and remembers what was read, so that
//! `config check` shows exactly what a command would use.

use delivery::Secret;

use super::key::{Key, Row};
use super::source::Source;
use super::tree::{Node, Origin, Value};
use super::values::Setting;
use super::values::secret::SecretSource;
use super::{Problem, keys};

/// A reading of the configuration. A key that cannot be used yields `None` and a [`Problem`].
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    read: Read,
}

/// What came of a reading.
pub(super) struct Read {
    pub(super) shown: Vec<Shown>,
    pub(super) problems: Vec<Problem>,
    /// What can be used and will not work.
    pub(super) warnings: Vec<Problem>,
}

/// A value in use and where it came from.
pub(super) struct Shown {
    pub(super) section: String,
    pub(super) name: String,
    pub(super) value: toml::Value,
    /// `None`: the default.
    pub(super) place: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            read: Read {
                shown: Vec::new(),
                problems: source.problems.clone(),
                warnings: Vec::new(),
            },
        }
    }

    /// Reads a key that must be there.
    pub(super) fn required<T: Setting>(&mut self, key: &Key<T>) -> Option<T> {
        let value = self.optional(key)?;
        if value.is_none() {
            self.missing(key);
        }
        value
    }

    /// Reads a key that has a default.
    pub(super) fn or_default<T: Setting>(&mut self, key: &Key<T>) -> Option<T> {
        self.or(key, key.default_value())
    }

    /// Reads a key whose default is known to the caller.
    pub(super) fn or<T: Setting>(&mut self, key: &Key<T>, default: T) -> Option<T> {
        let given = self.optional(key)?;
        if given.is_none() {
            self.show(key, default.show(), None);
        }
        Some(given.unwrap_or(default))
    }

    /// Reads a key that may be absent: `Some(None)` then, and `None` when it cannot be used.
    pub(super) fn optional<T: Setting>(&mut self, key: &Key<T>) -> Option<Option<T>> {
        self.optional_if(key, |_| Ok(()))
    }

    /// The same with a check that depends on more than the key.
    pub(super) fn optional_if<T: Setting>(
        &mut self,
        key: &Key<T>,
        check: impl Fn(&T) -> Result<(), String>,
    ) -> Option<Option<T>> {
        let Some(node) = self.node(&key.to_string()) else {
            return Some(None);
        };
        let place = self.source.place(&node.origin);
        let checked = |value| {
            key.check(&value)?;
            check(&value).map(|()| value)
        };
        match T::parse(node).and_then(checked) {
            Ok(value) => {
                self.show(key, value.show(), Some(place));
                Some(Some(value))
            }
            Err(problem) => {
                self.problem_at(key.to_string(), place, problem);
                None
            }
        }
    }

    /// Whether anything was written under a key, and be it wrong.
    pub(super) fn is_given(&self, key: &Row) -> bool {
        self.node(&key.to_string()).is_some()
    }

    /// What was written under a path.
    pub(super) fn node(&self, path: &str) -> Option<&'a Node> {
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut table = &self.source.table;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            match &table.get(section)?.value {
                Value::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get(name)
    }

    /// Notes that a key is missing.
    pub(super) fn missing(&mut self, key: &Row) {
        let problem = format!(
            "missing: set it in {} or as {}",
            self.source.file(),
            keys::variable(&key.to_string())
        );
        self.read.problems.push(Problem {
            key: key.to_string(),
            problem,
            place: None,
        });
    }

    /// Notes a problem of a key, or of a section, with the place where it was written, if it was.
    pub(super) fn problem(&mut self, key: &impl ToString, problem: impl Into<String>) {
        let key = key.to_string();
        let place = self.node(&key).map(|node| self.place(&node.origin));
        self.read.problems.push(Problem {
            key,
            problem: problem.into(),
            place,
        });
    }

    pub(super) fn problem_at(&mut self, key: String, place: String, problem: String) {
        self.read.problems.push(Problem {
            key,
            problem,
            place: Some(place),
        });
    }

    /// Remembers a value for `config check`.
    pub(super) fn show(&mut self, key: &Row, value: toml::Value, place: Option<String>) {
        self.show_in(key.section(), key.name(), value, place);
    }

    pub(super) fn show_in(
        &mut self,
        section: &str,
        name: &str,
        value: toml::Value,
        place: Option<String>,
    ) {
        self.read.shown.push(Shown {
            section: section.to_owned(),
            name: name.to_owned(),
            value,
            place,
        });
    }

    /// Fetches the secret that a key names.
    pub(super) fn fetch(&self, secret: &SecretSource) -> Result<Secret, String> {
        secret.fetch(&self.source.environment, &self.source.resolve(""))
    }

    pub(super) fn place(&self, origin: &Origin) -> String {
        self.source.place(origin)
    }

    /// Notes that a value can be used and will not work.
    pub(super) fn warn(&mut self, key: &impl ToString, problem: String) {
        self.read.warnings.push(Problem {
            key: key.to_string(),
            problem,
            place: None,
        });
    }

    pub(super) fn warnings(&self) -> &[Problem] {
        &self.read.warnings
    }

    /// Ends the reading.
    pub(super) fn finish(self) -> Read {
        self.read
    }
}
