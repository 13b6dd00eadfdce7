//! Standard output: results for people and machines. (Logs and errors go to standard error.)

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

/// Prints one JSON document on one line.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(document)?)
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

/// A text that came from elsewhere, safe for a terminal: control characters (which could move the cursor
/// or rename the window) are shown as `\u{…}`, line ends and tabs kept.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if character.is_control() => printable.extend(character.escape_unicode()),
            _ => printable.push(character),
        }
    }
    printable
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
}
