//! Serves a local SQS on a port of the system's choice, or on the address given, until Ctrl-C:
//! `cargo run -p local-sqs --example serve [ADDRESS]`.

use local_sqs::{Limits, LocalSqs};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let server = tokio::spawn(LocalSqs::new(Limits::default()).serve(listener, stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    server.await?
}
