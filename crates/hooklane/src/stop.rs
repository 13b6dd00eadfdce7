//! The stop signal: SIGTERM and Ctrl-C, as a token that long-running commands wait for.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output;

/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Returns a token that is cancelled by SIGTERM or Ctrl-C. A second Ctrl-C ends the program at once.
///
/// # Errors
/// When the signals cannot be listened to.
pub(crate) fn on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(watch(terminate, interrupt, stop.clone()));
    Ok(stop)
}

async fn watch(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    tokio::select! {
        _ = terminate.recv() => tracing::info!("stopping (SIGTERM)"),
        _ = interrupt.recv() => tracing::info!("stopping (Ctrl-C; once more ends at once)"),
    }
    stop.cancel();
    if interrupt.recv().await.is_some() {
        output::complain("interrupted twice: ended at once, what was in flight comes again");
        std::process::exit(INTERRUPTED);
    }
}
