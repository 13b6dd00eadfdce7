//! What the worker says, caught while a test runs on its one thread.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// The log, from now until this is dropped.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .without_time()
            .with_writer(lines.clone())
            .finish();
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The lines of a level that hold `text`.
    pub(crate) fn lines(&self, level: &str, text: &str) -> Vec<String> {
        let bytes = self.lines.0.lock().unwrap();
        let log = String::from_utf8_lossy(&bytes);
        let is_meant = |line: &&str| line.trim_start().starts_with(level) && line.contains(text);
        log.lines().filter(is_meant).map(str::to_owned).collect()
    }

    /// All errors.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.lines("ERROR", "")
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
