//! Where the configuration comes from: a TOML file with the environment laid over it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::tree::{self, Node, Origin, Table};
use super::{Invalid, Problem, keys};

const DEFAULT_FILE: &str = "hooklane.toml";

/// A configuration file is a page, not a database.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The configuration as written: well-formed, its values not yet read.
pub struct Source {
    pub(super) table: Table,
    pub(super) environment: Environment,
    /// Keys and variables that are none of ours: told with whatever else is wrong.
    pub(super) problems: Vec<Problem>,
    path: PathBuf,
}

impl Source {
    /// Reads the file at `path`, else at `HOOKLANE_CONFIG`, else `hooklane.toml` if there is one, and lays
    /// the `HOOKLANE_…` variables over it.
    ///
    /// # Errors
    /// What keeps it from being read: an absent file that was asked for, what is not TOML.
    pub fn load(path: Option<&Path>, environment: Environment) -> Result<Self, Invalid> {
        let asked = path.map(Path::to_owned);
        let named = environment
            .get("HOOKLANE_CONFIG")
            .filter(|path| !path.is_empty());
        let asked = asked.or_else(|| named.map(PathBuf::from));
        let file = asked.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let mut table = match read(&file) {
            Ok(text) => parse(&file, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound && asked.is_none() => Table::new(),
            Err(error) => {
                let told = format!("cannot be read ({error}): check --config, or HOOKLANE_CONFIG");
                return Err(Invalid::one(&file.display().to_string(), &told));
            }
        };
        let mut problems = Vec::new();
        lay_variables_over(&mut table, &environment, &mut problems);
        let mut source = Self {
            table,
            environment,
            problems,
            path: file,
        };
        let unknown = keys::check_known(&source.table, &|origin| source.place(origin));
        source.problems.extend(unknown);
        Ok(source)
    }

    /// The name of the file, there or not.
    pub(super) fn file(&self) -> String {
        self.path.display().to_string()
    }

    /// A path of the configuration: what is relative is relative to the file.
    pub(super) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    pub(super) fn place(&self, origin: &Origin) -> String {
        match origin {
            Origin::Line(line) => format!("{}:{line}", self.path.display()),
            Origin::Variable(name) => name.clone(),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
}

fn parse(path: &Path, text: &str) -> Result<Table, Invalid> {
    tree::parse_document(text).map_err(|errors| {
        let problems = errors.into_iter().map(|error| Problem {
            key: format!("{}:{}", path.display(), error.line),
            problem: format!("not TOML: {}", error.message),
            place: None,
        });
        Invalid::of(problems.collect())
    })
}

fn lay_variables_over(table: &mut Table, environment: &Environment, problems: &mut Vec<Problem>) {
    let mut given = Vec::new();
    for (name, value) in environment.all() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(keys::PREFIX)) else {
            continue;
        };
        if keys::OTHER_VARIABLES.contains(&name) {
            continue;
        }
        match value.to_str() {
            Some(text) => given.push((name, tree::parse_variable(name, text))),
            None => problems.push(Problem {
                key: name.to_owned(),
                problem: "not UTF-8: give it a value that is".to_owned(),
                place: None,
            }),
        }
    }
    let named = named_as_secrets(table.values().chain(given.iter().map(|(_, node)| node)));
    given.retain(|(name, _)| !named.contains(*name));
    for (name, node) in given {
        if let Some(path) = keys::path_of_variable(name) {
            tree::overlay(table, &path, node);
        }
    }
}

/// The variables that a secret is to be taken from: they set no key, whatever their name.
fn named_as_secrets<'a>(nodes: impl Iterator<Item = &'a Node>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for node in nodes {
        node.each_text(&mut |text| named.extend(text.strip_prefix("env:").map(str::to_owned)));
    }
    named
}
