//! Logs: to standard error, as text or JSON.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal, Write, stderr};
use std::sync::OnceLock;

use indicatif::ProgressBar;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::cli::{Global, LogFormat};
use crate::exit::Usage;
use crate::output;
use config::Environment;

/// Crates that say much and little of use; what they say at `trace` may hold bodies.
const QUIET: &str = "aws=error,hyper=warn,h2=warn,rustls=warn,tower=warn,axum=warn,mio=warn";

/// Who changed what is logged whatever the level, unless somebody names it.
const AUDIT: &str = "audit=info";

/// Starts logging at the level of `HOOKLANE_LOG`, else at `level`, or `debug` with `--verbose`.
///
/// # Errors
/// When `HOOKLANE_LOG` is no filter.
pub(crate) fn start(global: &Global, level: &str, environment: &Environment) -> anyhow::Result<()> {
    let level = match environment
        .get("HOOKLANE_LOG")
        .map(|level| level.to_string_lossy())
    {
        Some(level) if !level.is_empty() => level.into_owned(),
        _ if global.verbose => "debug".to_owned(),
        _ => level.to_owned(),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter(&level)?);
    match global.log_format {
        LogFormat::Json => logs
            .with_writer(|| Stderr { json: true })
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init(),
        LogFormat::Text => {
            let colours =
                stderr().is_terminal() && environment.get("NO_COLOR").is_none_or(OsStr::is_empty);
            logs.with_writer(|| Stderr { json: false })
                .fmt_fields(debug_fn(field).delimited(" "))
                .with_target(false)
                .with_ansi(colours)
                .init();
        }
    }
    Ok(())
}

/// The bar on the terminal, if a command shows one.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Keeps logs and a progress bar from writing over each other.
pub(crate) fn share_terminal_with(bar: ProgressBar) {
    let _ = BAR.set(bar);
}

/// Writes a field as tracing does, but on one line and without control characters: what receivers and SQS say, and what
/// files are called, stands in many.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = output::one_line(&format!("{value:?}"));
    match field.name() {
        "message" => write!(writer, "{text}"),
        name if writer.has_ansi_escapes() => {
            write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{text}")
        }
        name => write!(writer, "{name}={text}"),
    }
}

/// Standard error, above the bar. A log that nobody reads any more is dropped: that must not end a worker.
struct Stderr {
    json: bool,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = match (self.json, str::from_utf8(bytes)) {
            (true, Ok(line)) => Cow::Owned(output::harmless_json(line).into_bytes()),
            _ => Cow::Borrowed(bytes),
        };
        let _ = match BAR.get() {
            Some(bar) => bar.suspend(|| stderr().write_all(&line)),
            None => stderr().write_all(&line),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the user asks for stands after the quiet crates, so that naming one of them turns it up again.
fn filter(level: &str) -> Result<EnvFilter, Usage> {
    let refused = |why: &dyn std::fmt::Display| {
        Usage(format!(
            "HOOKLANE_LOG: {why}: write error, warn, info, debug or trace, or a list such as info,consumer=debug"
        ))
    };
    // A word alone that is no level would be taken for a crate, and everything else would fall silent.
    let no_level = |part: &&str| !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err();
    let parts = level.split(',').map(str::trim);
    if let Some(part) = parts.filter(|part| !part.is_empty()).find(no_level) {
        return Err(refused(&format_args!("{part:?} is no level")));
    }
    EnvFilter::try_new(format!("{QUIET},{AUDIT},{level}")).map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_quiet_unless_it_is_named() {
        let shown = |level: &str| filter(level).expect(level).to_string();
        assert!(shown("debug").contains("aws=error"));
        assert!(shown("info,aws=debug").contains("aws=debug"));
        assert!(!shown("info,aws=debug").contains("aws=error"));
    }

    #[test]
    fn the_audit_log_is_written_at_any_level() {
        for level in ["warn", "off", "error,consumer=debug"] {
            assert!(
                filter(level)
                    .expect(level)
                    .to_string()
                    .contains("audit=info")
            );
        }
        assert!(
            !filter("warn,audit=off")
                .expect("a filter")
                .to_string()
                .contains("audit=info")
        );
    }

    #[test]
    fn a_filter_that_is_none_is_a_usage_error() {
        for level in ["consumer=loud", "loud", "info,verbose", "consumer"] {
            let error = filter(level).expect_err(level).to_string();
            assert!(error.starts_with("HOOKLANE_LOG: "), "{error}");
        }
        for level in ["warn", "OFF", "info,consumer=debug", "info,"] {
            assert!(filter(level).is_ok(), "{level}");
        }
    }
}
