//! Standard output: results for people and machines. Standard error: what went wrong (and logs).

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

/// Nobody reads our standard output any more: a reason to end, quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct StdoutClosed;

/// Prints a text and passes it on at once: whoever waits for a line gets it.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(told)
}

/// Prints a line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints one JSON document on one line, whose strings cannot command a terminal either.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(&harmless_json(&serde_json::to_string(document)?))
}

/// Tells what went wrong on standard error. That nobody reads it is no reason to stop.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "hooklane: {}", printable(text));
}

/// Prints a result: as JSON if that was asked for, else the text.
pub(crate) fn result(
    as_json: bool,
    document: &impl Serialize,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    match as_json {
        true => json(document),
        false => line(&text()),
    }
}

/// Prints the result of a change. That nobody reads it any more does not make it another.
pub(crate) fn outcome(
    as_json: bool,
    document: &impl Serialize,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    match result(as_json, document, text) {
        Err(error) if error.is::<StdoutClosed>() => Ok(()),
        printed => printed,
    }
}

/// How many columns the terminal has that standard output is; none if it is no terminal.
pub(crate) fn width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(width.0.into())
}

/// The same JSON with what could command a terminal escaped: JSON escapes the older controls itself, and the
/// others occur in its strings only.
fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' | '\r' | '\t' => harmless.push(character),
            _ if commands_a_terminal(character) => {
                // Writing to a String cannot fail.
                let _ = write!(harmless, "\\u{:04x}", u32::from(character));
            }
            _ => harmless.push(character),
        }
    }
    harmless
}

/// A text that came from elsewhere, safe for a terminal: what could move the cursor, rename the window or
/// show the text in another order is written as `\u{…}`, line ends and tabs kept.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if commands_a_terminal(character) => printable.extend(character.escape_unicode()),
            _ => printable.push(character),
        }
    }
    printable
}

/// Control characters, old and new, and those that turn the direction of writing around.
fn commands_a_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

fn told(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => StdoutClosed.into(),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_cannot_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\r\n\tc\u{9b}"),
            "a\\u{1b}[2Jb\\u{d}\n\tc\\u{9b}"
        );
    }

    #[test]
    fn text_cannot_be_shown_in_another_order_than_it_has() {
        assert_eq!(printable("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
    }

    #[test]
    fn json_keeps_its_value_and_loses_what_commands_a_terminal() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}é";
        let json = serde_json::to_string(hostile).unwrap();
        let harmless = harmless_json(&json);
        assert_eq!(harmless, r#""\u001b[2J\u009b31m\u007f\u202eé""#);
        assert_eq!(serde_json::from_str::<String>(&harmless).unwrap(), hostile);
    }
}
