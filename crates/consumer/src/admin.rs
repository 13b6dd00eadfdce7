//! `/healthz`, `/readyz` and `/metrics` of a worker.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serve::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Status;

/// What those who ask may take: probes, a scraper, a few people.
const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(10),
    standstill: Duration::from_secs(60),
};

/// Serves how the program is until `stop`, from before there is a worker.
pub async fn serve_admin(listener: TcpListener, status: Status, stop: CancellationToken) {
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
    serve::serve(listener, routes, LIMITS, stop).await;
}
