//! `console`: the internal queue in a browser.

use anyhow::Context as _;
use console::{Console, Queues, Settings, serve};
use queue::{Clock, Queue, Sqs};
use tokio::net::TcpListener;
use tracing::info;

use super::{Context, open_to_look, pair, person};
use crate::exit::Exit;
use crate::{cli, output, stop};

pub(super) async fn run(arguments: cli::Console, context: &Context) -> anyhow::Result<Exit> {
    let config = config::console(&context.configuration()?, arguments.listen)?;
    let sqs = Sqs::from_env().await;
    let queues = Queues {
        source: Queue::open(&sqs, &config.queues.url).await?,
        dead_letters: open_to_look(&sqs, &config.queues.dead_letter_url).await?,
    };
    pair::check_kind(&queues.source, &queues.dead_letters)?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| {
        format!(
            "console.listen: cannot listen on {}: choose another address (port 0 takes one that is free)",
            config.listen
        )
    })?;
    let stop = stop::on_signals()?;
    let address = listener.local_addr()?;
    let settings = Settings {
        loopback: config::is_loopback(address),
        token: config.token,
        name: person::name(),
        ledger: config.ledger,
        drop_dir: config.drop_dir,
        authentication_header: config.authentication_header,
    };
    if settings.token.is_none() {
        info!("no console.token: everybody on this machine can see the page");
    }
    let console = Console::new(queues, settings, Clock::system(), stop);
    output::line(&format!("listening on http://{address}"))?;
    serve(listener, console).await;
    Ok(Exit::Done)
}
