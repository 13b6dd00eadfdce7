//! Standard output: results for people and machines. Standard error: what went wrong (and logs).

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};

use delivery::is_deceptive;
pub(crate) use delivery::{one_line, printable};
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
        .map_err(cannot_write)
}

/// Prints a line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints one JSON document on one line, whose strings cannot command a terminal either.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(&harmless_json(&serde_json::to_string(document)?))
}

/// Tells what went wrong on standard error, in one line: whatever a stranger's text in it holds, no other line can be
/// taken for ours. That nobody reads it is no reason to stop.
pub(crate) fn complain(text: &str) {
    complain_in_lines(&one_line(text));
}

/// Tells what went wrong in lines of our own: strangers' texts in it are [`one_line`] each.
pub(crate) fn complain_in_lines(text: &str) {
    let _ = writeln!(io::stderr(), "hooklane: {}", printable(text));
}

/// Prints a result: as JSON if that was asked for, else the text.
pub(crate) fn result(
    as_json: bool,
    document: &impl Serialize,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if as_json {
        json(document)
    } else {
        line(&text())
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

/// The same JSON with what deceives escaped: JSON escapes the older controls itself, and the others occur in its
/// strings only.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' | '\r' | '\t' => harmless.push(character),
            _ if is_deceptive(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(harmless, "\\u{unit:04x}");
                }
            }
            _ => harmless.push(character),
        }
    }
    harmless
}

fn cannot_write(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => StdoutClosed.into(),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value_and_loses_what_deceives() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}é\u{200b}\u{e0041}🦀";
        let json = serde_json::to_string(hostile).unwrap();
        let harmless = harmless_json(&json);
        assert_eq!(
            harmless,
            r#""\u001b[2J\u009b31m\u007f\u202eé\u200b\udb40\udc41🦀""#
        );
        assert_eq!(serde_json::from_str::<String>(&harmless).unwrap(), hostile);
    }
}
