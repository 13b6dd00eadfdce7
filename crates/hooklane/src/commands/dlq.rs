//! `dlq`.

use super::Context;
use crate::cli::Dlq;
use crate::exit::Exit;

pub(super) async fn run(_arguments: Dlq, _context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("`dlq` is not wired yet")
}
