//! The types a key can have: how each is read from what was written, and shown again.

pub mod secret;
pub(crate) mod size;
pub(crate) mod url;
pub(crate) mod word;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use event::duration;
use ipnet::IpNet;
use store::{LedgerSpec, SpecError};

use super::tree::{Node, Value};

/// The most items any list may have.
const MAX_ITEMS: usize = 100;

/// A value of a key.
pub(super) trait Setting: Sized {
    /// Whether it names a secret, which no message may repeat if it was written out instead.
    const IS_SECRET: bool = false;

    /// Reads the value, or says what it is and what to write instead.
    fn parse(node: &Node) -> Result<Self, String>;

    /// The value as `config check` shows it.
    fn show(&self) -> toml::Value;
}

impl Setting for String {
    fn parse(node: &Node) -> Result<Self, String> {
        match &node.value {
            Value::Text(text) if text.is_empty() => {
                Err("empty: give it a value or leave it out".to_owned())
            }
            Value::Text(text) => Ok(text.clone()),
            // From a variable, where nobody quotes.
            Value::Integer(number) if node.is_variable() => Ok(number.to_string()),
            Value::Bool(truth) if node.is_variable() => Ok(truth.to_string()),
            _ => Err(format!("found {}: write a text in quotes", node.kind())),
        }
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
}

impl Setting for bool {
    fn parse(node: &Node) -> Result<Self, String> {
        match node.value {
            Value::Bool(truth) => Ok(truth),
            _ => Err(format!("found {}: write true or false", node.kind())),
        }
    }

    fn show(&self) -> toml::Value {
        (*self).into()
    }
}

impl Setting for u32 {
    fn parse(node: &Node) -> Result<Self, String> {
        match node.value {
            Value::Integer(number) => Self::try_from(number)
                .map_err(|_| format!("{number} is out of range: write 0 to {}", Self::MAX)),
            _ => Err(format!("found {}: write a whole number", node.kind())),
        }
    }

    fn show(&self) -> toml::Value {
        i64::from(*self).into()
    }
}

impl Setting for u16 {
    fn parse(node: &Node) -> Result<Self, String> {
        let number = u32::parse(node)?;
        Self::try_from(number)
            .map_err(|_| format!("{number} is out of range: write 0 to {}", Self::MAX))
    }

    fn show(&self) -> toml::Value {
        i64::from(*self).into()
    }
}

impl Setting for Duration {
    fn parse(node: &Node) -> Result<Self, String> {
        match &node.value {
            Value::Text(text) => duration(text),
            Value::Integer(number) => Err(format!(
                "{number} has no unit: write for example \"{number}s\" for seconds"
            )),
            _ => Err(format!(
                "found {}: write a duration such as \"30s\"",
                node.kind()
            )),
        }
    }

    fn show(&self) -> toml::Value {
        duration::format(*self).into()
    }
}

impl Setting for SocketAddr {
    fn parse(node: &Node) -> Result<Self, String> {
        let text = String::parse(node)?;
        let hint = "is not an address with a port: write for example \"127.0.0.1:9464\" (a name does not do)";
        text.parse()
            .map_err(|_| format!("{} {hint}", quoted(&text)))
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Setting for IpNet {
    fn parse(node: &Node) -> Result<Self, String> {
        let text = String::parse(node)?;
        let network = text.parse::<IpNet>().map(|network| network.trunc());
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let hint = "is not a network: write for example \"127.0.0.0/8\" or \"fd00::/8\"";
        network
            .or_else(|_| address())
            .map_err(|_| format!("{} {hint}", quoted(&text)))
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Setting for LedgerSpec {
    fn parse(node: &Node) -> Result<Self, String> {
        String::parse(node)?
            .parse()
            .map_err(|error: SpecError| error.to_string())
    }

    fn show(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn parse(node: &Node) -> Result<Self, String> {
        let Value::List(items) = &node.value else {
            return Err(format!(
                "found {}: write a list, as in [\"…\", \"…\"]",
                node.kind()
            ));
        };
        if items.len() > MAX_ITEMS {
            return Err(format!(
                "{} items are too many: write at most {MAX_ITEMS}",
                items.len()
            ));
        }
        let (mut values, mut problems) = (Vec::new(), Vec::new());
        for (n, item) in items.iter().enumerate() {
            match T::parse(item) {
                Ok(value) => values.push(value),
                Err(problem) => problems.push(format!("item {}: {problem}", n + 1)),
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(problems.join("; "))
        }
    }

    fn show(&self) -> toml::Value {
        self.iter().map(T::show).collect::<Vec<_>>().into()
    }
}

/// Reads a duration: a whole number and its unit.
///
/// # Errors
/// A sentence that says how durations are written.
pub fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| {
        format!(
            "{} is not a duration: write a whole number and its unit, as in \"500ms\", \"30s\", \"1m\", \"2h\" or \"1d\"",
            quoted(text.trim())
        )
    })
}

/// A value in quotes for a message: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let shown = text.chars().take(SHOWN).collect::<String>();
    let rest = if text.chars().nth(SHOWN).is_some() {
        "…"
    } else {
        ""
    };
    format!("\"{}{rest}\"", shown.escape_debug())
}

/// Checks that a value lies in a range, both ends included.
pub(super) fn within<T: Setting + PartialOrd>(
    value: &T,
    least: &T,
    most: &T,
) -> Result<(), String> {
    if value < least || value > most {
        Err(format!(
            "{} is out of range: write {} to {}",
            value.show(),
            least.show(),
            most.show()
        ))
    } else {
        Ok(())
    }
}
