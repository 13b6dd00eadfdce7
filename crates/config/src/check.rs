//! `config check`: the configuration as a command would use it, with every mistake at once.

use std::fmt::Write;

use serde::Serialize;

use super::callback;
use super::reader::{Read, Reader, Shown};
use super::source::Source;
use super::{Invalid, Problem, console, endpoint, keys, table, work, worker};

/// What there is to say of a configuration.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether `work` could start with it.
    pub valid: bool,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// What can be used and will not work.
    pub warnings: Vec<Problem>,
    /// The values in use, defaults included, secrets by their names only. What cannot be used is left out.
    pub config: toml::Table,
    /// The same for people, with where each value comes from.
    #[serde(skip)]
    pub text: String,
}

/// Reads everything there is, for all commands and for both environments.
pub fn check(source: Result<&Source, &Invalid>) -> Report {
    let read = match source {
        Ok(source) => {
            let mut reader = Reader::new(source);
            let config = work::read(&mut reader);
            drop(config);
            check_other_environment(&mut reader);
            check_ledger(&mut reader);
            console::check(&mut reader);
            reader.finish()
        }
        Err(invalid) => Read {
            shown: Vec::new(),
            problems: invalid.problems().to_vec(),
            warnings: Vec::new(),
        },
    };
    Report {
        valid: read.problems.is_empty(),
        problems: read.problems,
        warnings: read.warnings,
        config: nested(&read.shown),
        text: text(read.shown),
    }
}

/// The callback that is not in use now is looked at if it is there, but its secrets need not be at hand.
fn check_other_environment(reader: &mut Reader<'_>) {
    let mut silent = Reader::new(reader.source);
    let policy = endpoint::read(&mut silent);
    if let Some(chosen) = callback::environment(&mut silent) {
        callback::check(reader, chosen.other(), policy.as_ref());
    }
}

/// A warning, since the configuration may be meant for another machine.
fn check_ledger(reader: &mut Reader<'_>) {
    let ledger = worker::ledger(&mut Reader::new(reader.source));
    if let Some(obstacle) = ledger.and_then(|ledger| ledger.obstacle()) {
        reader.warn(
            &table::LEDGER,
            format!("no worker can start here: {obstacle}"),
        );
    }
}

fn nested(shown: &[Shown]) -> toml::Table {
    let mut config = toml::Table::new();
    for entry in shown {
        let mut table = &mut config;
        for part in entry.section.split('.').filter(|part| !part.is_empty()) {
            let inner = table
                .entry(part)
                .or_insert_with(|| toml::Table::new().into());
            table = inner
                .as_table_mut()
                .expect("a section is never read as a value");
        }
        table.insert(entry.name.clone(), entry.value.clone());
    }
    config
}

/// TOML that could be used as it is, each value with the place it comes from.
fn text(mut shown: Vec<Shown>) -> String {
    // Stable: within a section the order of reading, which is that of the documentation, too.
    shown.sort_by_key(|entry| keys::order(&entry.section));
    let mut text = String::new();
    let mut section = "";
    for value in &shown {
        if value.section != section {
            section = &value.section;
            let _ = writeln!(text, "\n[{section}]");
        }
        let place = value.place.as_deref().unwrap_or("default");
        let line = format!("{} = {}", key(&value.name), value.value);
        let _ = writeln!(text, "{line:<60} # {place}");
    }
    text
}

/// A key, quoted where TOML asks for it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        toml::Value::from(name).to_string()
    }
}
