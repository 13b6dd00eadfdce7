//! `local-sqs`: the local queue alone.

use std::net::SocketAddr;

use anyhow::Context as _;
use local_sqs::{Limits, LocalSqs};
use tokio::net::TcpListener;

use crate::cli;
use crate::exit::Exit;
use crate::{output, stop};

pub(super) async fn run(arguments: cli::LocalSqs) -> anyhow::Result<Exit> {
    let address = arguments.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| {
        format!("cannot listen on {address}: choose another --listen address (port 0 takes one that is free)")
    })?;
    let mut limits = Limits::default();
    if let Some(most) = arguments.max_messages {
        limits.messages = most;
    }
    let stop = stop::on_signals()?;
    tracing::warn!(
        "local-sqs is not for production: everything is in memory and gone when it stops"
    );
    output::print(&environment(listener.local_addr()?))?;
    LocalSqs::new(limits)
        .serve(listener, stop)
        .await
        .context("cannot go on serving")?;
    Ok(Exit::Done)
}

/// What an AWS client needs to come here, as lines that a shell takes. (boto3 and version 1 of the AWS CLI
/// look for the region in `AWS_DEFAULT_REGION` only.)
fn environment(address: SocketAddr) -> String {
    format!(
        "AWS_ENDPOINT_URL=http://{address}
AWS_REGION=us-east-1
AWS_DEFAULT_REGION=us-east-1
AWS_ACCESS_KEY_ID=local
AWS_SECRET_ACCESS_KEY=local
export AWS_ENDPOINT_URL AWS_REGION AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
"
    )
}
