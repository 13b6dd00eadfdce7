//! What there is to know of a key.

use std::fmt;
use std::ops::Deref;

use super::tree;
use super::values::{Setting, within};

/// What is known of a key apart from the type of its value.
#[derive(Clone, Copy)]
pub struct Row {
    sections: &'static [&'static str],
    section: &'static str,
    name: &'static str,
    default: Option<&'static str>,
    range: Option<[&'static str; 2]>,
    help: &'static str,
    is_secret: bool,
}

impl Row {
    /// The sections that have a key like this; one without a name for the top of the file.
    pub fn sections(&self) -> &'static [&'static str] {
        self.sections
    }

    /// Its name within its section; `*` stands for a name the user chooses.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its default as TOML, if it has one. That of a profile is the default profile's.
    pub fn default(&self) -> Option<&'static str> {
        self.default
    }

    /// The least and the most it may be, as TOML, if that is all there is to it.
    pub fn range(&self) -> Option<[&'static str; 2]> {
        self.range
    }

    /// What it is for, in lines; nothing where its name or the key below it says it.
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Whether it names a secret: no message repeats what was written there.
    pub fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// Every such key, with its whole path.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let row = *self;
        let paths = self.sections.iter();
        paths.map(move |section| Self { section, ..row }.to_string())
    }

    /// The table that holds the names the user chooses.
    pub(super) fn table(&self) -> String {
        self.to_string().trim_end_matches(".*").to_owned()
    }

    /// The section it is read from.
    pub(super) fn section(&self) -> &'static str {
        self.section
    }
}

/// The whole path, as in `retry.timeout`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            "" => f.write_str(self.name),
            section => write!(f, "{section}.{}", self.name),
        }
    }
}

/// A key whose value is a `T`.
pub(super) struct Key<T> {
    pub(super) row: Row,
    check: fn(&Row, &T) -> Result<(), String>,
}

/// A key at the top of the file or in the first of the sections that have one like it; see [`Key::of`].
pub(super) const fn key<T: Setting>(
    sections: &'static [&'static str],
    name: &'static str,
) -> Key<T> {
    Key {
        row: Row {
            sections,
            section: sections[0],
            name,
            default: None,
            range: None,
            help: "",
            is_secret: T::IS_SECRET,
        },
        check: |_, _| Ok(()),
    }
}

impl<T: Setting> Key<T> {
    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.row.default = Some(default);
        self
    }

    pub(super) const fn help(mut self, help: &'static str) -> Self {
        self.row.help = help;
        self
    }

    /// Both ends are included.
    pub(super) const fn range(mut self, least: &'static str, most: &'static str) -> Self
    where
        T: PartialOrd,
    {
        self.row.range = Some([least, most]);
        self.check = |row, value| match row.range {
            Some([least, most]) => within(value, &written(least), &written(most)),
            None => Ok(()),
        };
        self
    }

    /// A check of another kind. Its message says what to write instead.
    pub(super) const fn checked(mut self, check: fn(&Row, &T) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }

    /// The same key in another of its sections.
    pub(super) fn of(&self, section: &'static str) -> Self {
        Self {
            row: Row {
                section,
                ..self.row
            },
            check: self.check,
        }
    }

    /// The value it has where nothing else is written.
    ///
    /// # Panics
    /// The row has none, or one that is no such value: the tests read every row.
    pub(super) fn default_value(&self) -> T {
        written(self.row.default.expect("a key with a default"))
    }

    pub(super) fn check(&self, value: &T) -> Result<(), String> {
        (self.check)(&self.row, value)
    }
}

impl<T> Deref for Key<T> {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}

impl<T> fmt::Display for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.row.fmt(f)
    }
}

/// A value as a row has it.
fn written<T: Setting>(text: &str) -> T {
    let value = T::parse(&tree::parse_variable("", text));
    value.unwrap_or_else(|problem| panic!("a row of the table of keys: {problem}"))
}
