//! `send`.

use super::Context;
use crate::cli::Send;
use crate::exit::Exit;

pub(super) async fn run(_arguments: Send, _context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("`send` is not wired yet")
}
