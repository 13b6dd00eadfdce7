//! HTTP on a listener of ours: so many connections at the same time, none that stands still, and a deadline for the
//! head of each request. Whoever only opens connections, or sends a byte now and then, keeps nobody else out.

mod connection;
mod seats;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use connection::Connection;
use seats::{Seat, Seats};

/// After a failure to accept that is not the connection's (no descriptors are left, say).
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. A further one takes the place of the one that has waited longest for a request;
    /// if all are being answered, it waits.
    pub connections: usize,
    /// How long the head of a request may take to come, counted from the answer before it or from the start.
    pub head: Duration,
    /// How long nothing may come, or go where there is more to send. Longer than any answer takes.
    pub standstill: Duration,
}

/// Serves until `stop`; then answers what was asked and takes no more requests.
pub async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    let seats = Seats::new(limits.connections);
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            let stream = accept(&listener).await;
            let seat = seats.take().await;
            let (routes, stop) = (routes.clone(), stop.clone());
            connections.spawn(answer(stream, seat, routes, limits, stop));
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and written in one piece: waiting for more to send would only delay them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(_) => sleep(AFTER_A_FAILURE).await,
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Answers the requests of one connection until it ends, is needed for another, or nothing more is to be answered.
async fn answer(
    stream: TcpStream,
    seat: Seat,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let seat = Arc::new(seat);
    let of_requests = seat.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (seat, routes) = (of_requests.clone(), routes.clone());
        async move {
            seat.is_answered();
            let mut response = match routes.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            seat.waits();
            if seat.is_wanted() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Connection::new(stream, limits.standstill));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .serve_connection(io, service)
    );
    tokio::select! {
        biased;
        () = seat.evicted() => return,
        () = stop.cancelled() => {}
        // Whatever ends a connection is the client's affair.
        _ = connection.as_mut() => return,
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

#[cfg(test)]
mod tests;
