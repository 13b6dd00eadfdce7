//! `local-sqs`: the local queue alone.

use crate::cli::LocalSqs;
use crate::exit::Exit;

pub(super) async fn run(_arguments: LocalSqs) -> anyhow::Result<Exit> {
    anyhow::bail!("local-sqs is not wired yet")
}
