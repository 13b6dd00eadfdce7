//! `/healthz`, `/readyz` and `/metrics` of a worker.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Status;

/// Serves how the program is until `stop`, from before there is a worker.
///
/// # Errors
/// When the listener fails.
pub async fn serve_admin(
    listener: TcpListener,
    status: Status,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let (live, ready) = (status.clone(), status.clone());
    let live = async move || match live.is_live() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let ready = async move || match ready.unready() {
        None => (StatusCode::OK, String::new()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    let routes = Router::new()
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || status.metrics()));
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
