//! `demo`.

use crate::cli::Demo;
use crate::exit::Exit;

pub(super) async fn run(_arguments: Demo) -> anyhow::Result<Exit> {
    anyhow::bail!("`demo` is not wired yet")
}
