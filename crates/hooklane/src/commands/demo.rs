//! `demo`: the whole way on this machine, and the proof that it went well.

use crate::cli::Demo;
use crate::demo::{self, Ending};
use crate::exit::Exit;
use crate::stop;

pub(super) async fn run(arguments: Demo) -> anyhow::Result<Exit> {
    match demo::run(arguments.minute, stop::on_signals()?).await? {
        Ending::Proved => Ok(Exit::Done),
        Ending::Stopped | Ending::Disproved => Ok(Exit::Failed),
    }
}
