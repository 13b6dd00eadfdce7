//! `/healthz`, `/readyz` and `/metrics` of a worker.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Health;

/// Serves a worker's state until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve_admin(
    listener: TcpListener,
    health: Health,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let verdict = |good: bool| {
        if good {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let (live, ready) = (health.clone(), health.clone());
    let routes = Router::new()
        .route("/healthz", get(async move || verdict(live.is_live())))
        .route("/readyz", get(async move || verdict(ready.is_ready())))
        .route("/metrics", get(async move || health.metrics()));
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
