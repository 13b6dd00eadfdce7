//! `/healthz`, `/readyz` and `/metrics` of a worker.

use std::time::Duration;

use super::status::Status;
use ::serve::Limits;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What those who ask may take: probes, a scraper, a few people.
const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(10),
    standstill: Duration::from_secs(60),
};

/// Serves how the program is until `stop`, from before there is a worker.
pub(super) async fn serve(listener: TcpListener, status: Status, stop: CancellationToken) {
    let (live, ready) = (status.clone(), status.clone());
    let live = async move || {
        if live.is_live() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let ready = async move || match ready.unready() {
        None => (StatusCode::OK, String::new()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    let routes = Router::new()
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || status.metrics()));
    ::serve::serve(listener, routes, LIMITS, stop).await;
}
