//! `work`.

use super::Context;
use crate::cli::Work;
use crate::exit::Exit;

pub(super) async fn run(_arguments: Work, _context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("`work` is not wired yet")
}
