//! Secrets: named in the configuration, fetched from where the name points, never written out.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use delivery::Secret;

use super::{Setting, quoted};
use crate::environment::Environment;
use crate::tree::{Node, Value};

/// No secret worth the name is longer.
const MAX_BYTES: usize = 8 * 1024;

/// The most secrets of one rotation.
const MAX_SECRETS: usize = 10;

/// Where a secret is. Harmless to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `env:NAME`: in an environment variable; a line ending at its end is no part of the secret.
    Variable(String),
    /// `file:PATH`: in a file; a line ending at its end is no part of the secret.
    File(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl SecretSource {
    /// Reads `env:NAME` or `file:PATH`.
    ///
    /// # Errors
    /// A sentence that says what to write. It never holds `text`, which may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env" | "file", "")) => {
                Err("names nothing: write env:NAME or file:PATH".to_owned())
            }
            Some(("env", name)) => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some((store @ ("secretsmanager" | "ssm"), _)) => Err(format!(
                "{store}: is not supported yet by this version: write env:NAME or file:PATH"
            )),
            _ => {
                Err("a secret is named here, never written: write env:NAME or file:PATH".to_owned())
            }
        }
    }

    /// Fetches the secret; a relative path is relative to `base`.
    ///
    /// # Errors
    /// A sentence that says why it cannot be had. It never holds the secret.
    pub fn fetch(&self, environment: &Environment, base: &Path) -> Result<Secret, String> {
        let secret = match self {
            Self::Variable(name) => match environment.get(name).map(|value| value.to_str()) {
                None => {
                    return Err(format!(
                        "the environment variable {} is not set",
                        quoted(name)
                    ));
                }
                Some(None) => return Err(format!("{self} is not UTF-8")),
                Some(Some(value)) => without_line_end(value).to_owned(),
            },
            Self::File(path) => {
                read(&base.join(path)).map_err(|problem| format!("{self} {problem}"))?
            }
        };
        match secret.len() {
            0 => Err(format!("{self} is empty: a secret must hold something")),
            1..=MAX_BYTES => Ok(Secret::new(secret)),
            _ => Err(format!(
                "{self} is longer than {MAX_BYTES} bytes: that is no secret of ours"
            )),
        }
    }
}

/// A secret given on the command line: `env:NAME`, `file:PATH`, else the secret itself.
///
/// # Errors
/// A sentence that says why it cannot be had. It never holds the secret.
pub fn argument(text: &str, environment: &Environment) -> Result<Secret, String> {
    match text.split_once(':') {
        Some(("env" | "file", _)) => SecretSource::parse(text)?.fetch(environment, Path::new("")),
        _ if text.is_empty() => Err("an empty secret proves nothing: give one".to_owned()),
        _ => Ok(Secret::new(text)),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| {
        format!("cannot be read ({error}): check the path and its permissions")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // Room for the bound, a line ending, and the byte that shows that there is more.
    let most = MAX_BYTES as u64 + 3;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(without_line_end(&text).to_owned())
}

/// Without one line ending at its end: most tools that write a file or a variable leave one.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// What stands around a secret and is hardly meant to be part of it: a dashboard, an editor or a file of variables left
/// it there, and the receiver, whose secret has none of it, finds every signature wrong.
pub(crate) fn stray(secret: &Secret) -> Option<String> {
    let text = secret.expose();
    let (first, last) = (text.chars().next()?, text.chars().next_back()?);
    let found = match (stray_character(first), stray_character(last)) {
        (Some(what), _) => format!("begins with {what}"),
        (None, Some(what)) => format!("ends with {what}"),
        (None, None) if text.len() > 1 && first == last && "\"'`".contains(first) => {
            "stands between quotes".to_owned()
        }
        (None, None) => return None,
    };
    Some(format!(
        "{found}: all of it is used as the secret; remove what is not part of it, unless the receiver has it too"
    ))
}

fn stray_character(c: char) -> Option<&'static str> {
    match c {
        '\u{feff}' => Some("a byte order mark"),
        '\n' | '\r' => Some("a line end"),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' => {
            Some("a typographic quote")
        }
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' => Some("an invisible character"),
        c if c.is_control() => Some("a control character"),
        c if c.is_whitespace() => Some("white space"),
        _ => None,
    }
}

impl Setting for SecretSource {
    const IS_SECRET: bool = true;

    fn parse(node: &Node) -> Result<Self, String> {
        Self::parse(&String::parse(node)?)
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

/// The secrets of a rotation: the first signs. Written as one name or as a list of names.
pub(crate) struct SecretSources(pub(crate) Vec<SecretSource>);

impl Setting for SecretSources {
    const IS_SECRET: bool = true;

    fn parse(node: &Node) -> Result<Self, String> {
        let sources = match &node.value {
            Value::List(items) if items.is_empty() => {
                return Err(
                    "an empty list signs nothing: name a secret, or leave the key out".to_owned(),
                );
            }
            Value::List(items) if items.len() > MAX_SECRETS => {
                return Err(format!(
                    "{} secrets are too many: name at most {MAX_SECRETS}",
                    items.len()
                ));
            }
            Value::List(_) => Vec::parse(node)?,
            _ => vec![<SecretSource as Setting>::parse(node)?],
        };
        Ok(Self(sources))
    }

    fn show(&self) -> toml::Value {
        match self.0.as_slice() {
            [one] => one.show(),
            _ => self.0.show(),
        }
    }
}
