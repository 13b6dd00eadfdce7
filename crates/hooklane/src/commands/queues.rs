//! `queues`.

use super::Context;
use crate::cli::Queues;
use crate::exit::Exit;

pub(super) async fn run(_arguments: Queues, _context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("`queues` is not wired yet")
}
