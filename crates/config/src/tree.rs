//! The configuration as it was written: a tree of values, each knowing the line or the variable it came
//! from. What a value means is no business of this module.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A table of the configuration.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it was written. Not `Debug`: it may hold a secret somebody wrote out.
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The kinds of value that any key of ours takes; the others keep their name only.
pub(super) enum Value {
    Table(Table),
    List(Vec<Node>),
    Text(String),
    Integer(i64),
    Bool(bool),
    Other(&'static str),
}

/// Where a value was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// On this line of the configuration file, counted from 1.
    Line(usize),
    /// In this environment variable.
    Variable(String),
}

/// A place in the file that is not TOML.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Node {
    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Table(_) => "a table",
            Value::List(_) => "a list",
            Value::Text(_) => "a text",
            Value::Integer(_) => "an integer",
            Value::Bool(_) => "true or false",
            Value::Other(kind) => kind,
        }
    }

    /// Whether it was written in an environment variable.
    pub(super) fn is_variable(&self) -> bool {
        matches!(self.origin, Origin::Variable(_))
    }

    /// Visits every text at or below this node.
    pub(super) fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match &self.value {
            Value::Text(text) => visit(text),
            Value::List(items) => items.iter().for_each(|node| node.each_text(visit)),
            Value::Table(table) => table.values().for_each(|node| node.each_text(visit)),
            Value::Integer(_) | Value::Bool(_) | Value::Other(_) => {}
        }
    }
}

/// Reads a TOML document; all syntax errors at once.
///
/// The messages name what was expected and never quote the line: it may hold a secret.
pub(super) fn parse_document(text: &str) -> Result<Table, Vec<SyntaxError>> {
    let lines = Lines::of(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(document.get_ref(), &|span| {
            Origin::Line(lines.at(span))
        }));
    }
    let errors = errors.iter().map(|error| SyntaxError {
        line: error.span().map_or(1, |span| lines.at(span)),
        message: error.message().replace('\n', ", "),
    });
    Err(errors.collect())
}

/// Reads the value of an environment variable: as TOML where it is a list, a table, a quoted text, an
/// integer or a truth value, else as the plain text it is.
pub(super) fn parse_variable(name: &str, text: &str) -> Node {
    let origin = Origin::Variable(name.to_owned());
    let parsed = DeValue::parse(text).ok();
    let parsed = parsed.map(|found| value(found.get_ref(), &|_| origin.clone()));
    let value = match parsed {
        Some(Value::Other(_)) | None => Value::Text(text.to_owned()),
        Some(value) => value,
    };
    Node { value, origin }
}

/// Lays `node` over whatever `table` has under `path`: tables are merged, anything else is replaced.
pub(super) fn overlay(table: &mut Table, path: &[String], node: Node) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let nested = parents
        .iter()
        .rev()
        .fold((last, node), |(key, node), parent| {
            let origin = node.origin.clone();
            let value = Value::Table(Table::from([(key.clone(), node)]));
            (parent, Node { value, origin })
        });
    merge(table, nested.0, nested.1);
}

fn merge(table: &mut Table, key: &str, node: Node) {
    match (table.get_mut(key), node) {
        (
            Some(Node {
                value: Value::Table(under),
                ..
            }),
            Node {
                value: Value::Table(over),
                ..
            },
        ) => {
            for (key, node) in over {
                merge(under, &key, node);
            }
        }
        (_, node) => {
            table.insert(key.to_owned(), node);
        }
    }
}

fn table(parsed: &DeTable<'_>, origin: &impl Fn(Range<usize>) -> Origin) -> Table {
    let entries = parsed.iter().map(|(key, found)| {
        let node = Node {
            value: value(found.get_ref(), origin),
            origin: origin(key.span()),
        };
        (key.get_ref().clone().into_owned(), node)
    });
    entries.collect()
}

fn value(parsed: &DeValue<'_>, origin: &impl Fn(Range<usize>) -> Origin) -> Value {
    match parsed {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("an integer beyond 64 bits"),
        },
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| Node {
                value: value(item.get_ref(), origin),
                origin: origin(item.span()),
            });
            Value::List(items.collect())
        }
        DeValue::Table(parsed) => Value::Table(table(parsed, origin)),
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The number, from 1, of the line on which `span` begins.
    fn at(&self, span: Range<usize>) -> usize {
        self.0.partition_point(|end| *end < span.start) + 1
    }
}
