//! The arguments of every command. What they mean is told here, in the help; what they do, in `commands`.

mod dlq;
mod help;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::exit::Exit;
use crate::output;

pub(crate) use dlq::{Dlq, Drop, Import, Replay};

/// Delivers events as webhooks, in order, from Amazon SQS FIFO queues.
#[derive(Parser)]
#[command(name = "hooklane", version, propagate_version = true, max_term_width = 100, after_help = help::EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const GLOBAL: &str = "Options of every command";

#[derive(Args)]
pub(crate) struct Global {
    /// The configuration file [default: HOOKLANE_CONFIG, else hooklane.toml if there is one]
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL)]
    pub(crate) config: Option<PathBuf>,

    /// How logs are written to standard error
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, help_heading = GLOBAL)]
    pub(crate) log_format: LogFormat,

    /// Log more (HOOKLANE_LOG sets the level exactly: warn, debug, info,consumer=debug, …)
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    LocalSqs(LocalSqs),
    #[command(subcommand)]
    Queues(Queues),
    #[command(subcommand)]
    Ledger(Ledger),
    Send(Send),
    Work(Work),
    Listen(Listen),
    Verify(Verify),
    #[command(subcommand)]
    Dlq(Dlq),
    Console(Console),
    #[command(subcommand)]
    Config(Config),
}

/// Shows the whole way on this machine, in one process, and proves that order was kept
///
/// A local queue, the producer, the worker, and receivers that accept, recover and fail. Exit code 1 if a
/// proof fails.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane demo                   the minute shortened to 3 s
  hooklane demo --minute 1m       the schedule as it is")]
pub(crate) struct Demo {
    /// How long the minute between the second and the third attempt takes
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = config::duration)]
    pub(crate) minute: Duration,
}

/// Runs a local queue that keeps the rules of Amazon SQS; not for production
///
/// Once it is ready it prints the environment that points AWS clients to it, as lines that a shell takes.
/// Everything is in memory and gone when it stops.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane local-sqs
  hooklane local-sqs --listen 127.0.0.1:0         on a port that is free

In another shell, paste the lines it printed, then:
  hooklane queues create events")]
pub(crate) struct LocalSqs {
    /// Where to listen; port 0 takes one that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9324", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// The most messages kept, over all queues; more are refused
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_messages: Option<usize>,
}

/// Makes and checks the source queue and its internal queue
#[derive(Subcommand)]
pub(crate) enum Queues {
    /// Makes NAME.fifo and NAME-internal.fifo with the right attributes
    #[command(after_help = "\
Examples:
  hooklane queues create events             events.fifo and events-internal.fifo
  hooklane queues create events --standard  events and events-internal: no order")]
    Create {
        /// The name, without .fifo
        name: String,
        /// Standard queues instead of FIFO queues: no order, no deduplication
        #[arg(long)]
        standard: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Says what is wrong with the configured pair of queues
    #[command(after_help = "\
Uses queue.url and queue.dead_letter_url. Exit code 1 if something is wrong.

Examples:
  hooklane queues check
  hooklane queues check --json | jq .problems")]
    Check {
        #[command(flatten)]
        output: Output,
    },
}

/// Makes and checks the attempt ledger
#[derive(Subcommand)]
pub(crate) enum Ledger {
    /// Makes the ledger that worker.ledger names, if it is not there
    ///
    /// A DynamoDB table (on demand, with its time to live), or a SQLite file.
    #[command(after_help = "\
Uses worker.ledger. Needs dynamodb:CreateTable, DescribeTable,
DescribeTimeToLive and UpdateTimeToLive.

Examples:
  hooklane ledger create
  HOOKLANE_WORKER__LEDGER=dynamodb:hooklane-attempts hooklane ledger create")]
    Create {
        #[command(flatten)]
        output: Output,
    },
    /// Says what is wrong with the ledger that worker.ledger names
    ///
    /// To find out, it writes a record of its own, reads it and removes it.
    #[command(after_help = "\
Uses worker.ledger. Exit code 1 if something is wrong.

Examples:
  hooklane ledger check
  hooklane ledger check --json | jq .problems")]
    Check {
        #[command(flatten)]
        output: Output,
    },
}

/// Sends events into the queue, in order: JSON Lines, one event a line
///
/// A line's own MessageGroupId (EventSetup_ID) names its event setup, else --event-setup does. A line's
/// MessageDeDuplicationId is replaced. A bad line is reported with its number and not sent; then the exit code
/// is 1. Uses queue.url.
#[derive(Args)]
#[command(after_help = "\
Sent again: a line without a msg_id gets one that is derived from the file (its
path and the time it was last written to), the event's name, its group, the
line's number and its bytes. The same line of the same file is the same event to
its receivers; a file that was written anew has new ones. What comes by standard
input or a pipe has no such name: its lines get new ids each time, unless
--input-name names it.

Killed or stopped: a send of a file notes in FILE.hooklane-checkpoint what it
sends before it sends it, and removes that at its end. --resume goes on from it:
nothing is left out, nothing overtakes, and within five minutes nothing is sent
twice; later, the newest event of a group may be, under the same id. Standard
input has no checkpoint.

At the same time: without --lane a send takes one of sixteen lanes that no other
send of this user to this queue has on this machine, or refuses; it sends 62
events a second of one group. Each keeps its own order. Sends on several
machines cannot see each other, and two of the same lane lose events of groups
that they share: give each a --lane. --lane 0/1, for the only producer, sends
1,000 a second of one group.

Examples:
  hooklane send events.jsonl
  hooklane send events.jsonl --event-setup 42 --event talent_created
  producer | hooklane send -
  hooklane send events.jsonl --resume       go on where a send was stopped
  hooklane send events.jsonl --from 1201    from this line on, whatever was sent
  hooklane send a.jsonl --lane 0/2 & hooklane send b.jsonl --lane 1/2")]
pub(crate) struct Send {
    /// The file, or - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,

    /// The event setup of lines that name none: the id alone, as in 42
    #[arg(long, value_name = "ID")]
    pub(crate) event_setup: Option<String>,

    /// The name of the events, sent as the message attribute `event`
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,

    /// Which of several processes this is that send to the same groups: i/n, with i from 0 to n-1 [default: a free one of 16]
    #[arg(long, value_name = "i/n")]
    pub(crate) lane: Option<event::Share>,

    /// Begin with this line, counted from 1
    #[arg(long, value_name = "LINE", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: Option<u64>,

    /// Go on from the checkpoint of an earlier send of the file
    #[arg(long, conflicts_with = "from")]
    pub(crate) resume: bool,

    /// Where to keep the checkpoint; goes on from one that is there [default: FILE.hooklane-checkpoint]
    #[arg(long, value_name = "PATH")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// What the input is known by when ids are derived, in place of the file's path and time
    #[arg(long, value_name = "NAME")]
    pub(crate) input_name: Option<String>,

    /// Send nothing if any line is bad (files only)
    #[arg(long)]
    pub(crate) strict: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Delivers events: the worker
///
/// Runs until SIGTERM or Ctrl-C, then finishes what is in flight and gives the rest back. Uses the whole
/// configuration.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane work
  hooklane work --drain --json     until the queue is empty, then a summary
  hooklane --log-format json work  in a container")]
pub(crate) struct Work {
    /// End when the queue is empty, waits between attempts included
    #[arg(long)]
    pub(crate) drain: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Receives webhooks on this machine and shows them
///
/// Prints every request with its headers, checks its signature, answers, and saves its body. The first line,
/// once it is ready, is `listening on http://…`, with --json too. Needs no configuration.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane listen --port 8080 --secret env:WORKN_SECRET
  hooklane listen --port 8080 --respond 500,500,200      fail twice, then accept
  hooklane listen --port 8080 --json | tail -n +2 > requests.jsonl")]
pub(crate) struct Listen {
    /// The port on 127.0.0.1; 0 takes one that is free
    #[arg(long, value_name = "N")]
    pub(crate) port: u16,

    /// The shared secret or API key: env:NAME, file:PATH or the secret itself; may be repeated
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<HiddenText>,

    /// The statuses to answer with, in turn; the last one repeats
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', default_value = "200", value_parser = status)]
    pub(crate) respond: Vec<u16>,

    /// A directory to write each body to, as 000001.json, 000002.json, …
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Says whether a captured request matches a secret, and how it was signed
///
/// Exit code 0 if it matches, 1 if not. Needs no configuration.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane verify --secret env:WORKN_SECRET --signature 5d41… body.json
  hooklane verify --secret file:a --secret file:b --signature 5d41… body.json
  hooklane verify --secret env:S --signature v1,K5o… \\
    --id msg_1 --timestamp 1739370645 body.json")]
pub(crate) struct Verify {
    /// The shared secret: env:NAME, file:PATH or the secret itself; may be repeated
    #[arg(long, value_name = "SECRET", required = true)]
    pub(crate) secret: Vec<HiddenText>,

    /// The header X-Payload-Signature or webhook-signature
    #[arg(long, value_name = "SIGNATURE")]
    pub(crate) signature: HiddenText,

    /// The header webhook-id (standard-webhooks)
    #[arg(long)]
    pub(crate) id: Option<String>,

    /// The header webhook-timestamp (standard-webhooks), in Unix seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timestamp: Option<u64>,

    /// The exact bytes of the body, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Shows the internal queue in a browser: what failed, why, and sends it again
///
/// Serves a page until SIGTERM or Ctrl-C; what a scan or a job holds then is given back. The first line, once it
/// is ready, is `listening on http://…`. Uses queue.url, queue.dead_letter_url and console.
#[derive(Args)]
#[command(after_help = "\
On an address that is not loopback it needs console.token, and a proxy before
it that speaks https: the page itself does not.

Examples:
  hooklane console
  hooklane console --listen 127.0.0.1:0         on a port that is free
  HOOKLANE_CONSOLE__TOKEN=env:TOKEN hooklane console --listen 10.0.0.5:9465")]
pub(crate) struct Console {
    /// Where to listen, instead of console.listen; port 0 takes one that is free
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
}

/// Looks at the configuration
#[derive(Subcommand)]
pub(crate) enum Config {
    /// Prints the effective configuration, secrets masked, with every mistake at once
    #[command(after_help = help::config())]
    Check {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
pub(crate) struct Output {
    /// Print the result as JSON (lists: one document a line)
    #[arg(long)]
    pub(crate) json: bool,
}

/// An argument that may be a secret: `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct HiddenText(pub(crate) String);

impl std::fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HiddenText(***)")
    }
}

impl FromStr for HiddenText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Where to listen. Names are not resolved: they may have several addresses.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address with its port, as in 127.0.0.1:9324".to_owned())
}

/// A status that can end an exchange: 1xx cannot.
fn status(text: &str) -> Result<u16, String> {
    match text.trim().parse() {
        Ok(status @ 200..=599) => Ok(status),
        _ => Err("write statuses from 200 to 599, as in 500,500,200".to_owned()),
    }
}

/// The same error, with no line end or control character of the arguments that it quotes: a script may have taken
/// them from anywhere.
fn harmless(arguments: &[OsString], error: clap::Error) -> clap::Error {
    let shown = |argument: &OsString| output::one_line(&argument.to_string_lossy()).into();
    let shown: Vec<OsString> = arguments.iter().map(shown).collect();
    if arguments == shown {
        return error;
    }
    match Cli::try_parse_from(shown) {
        Err(error) => error,
        // Only the characters themselves were wrong.
        Ok(_) => Cli::command().error(
            error.kind(),
            "an argument holds line ends, control characters, or bytes that are no text",
        ),
    }
}

impl Cli {
    /// Reads the command line; help, the version and usage errors are printed here.
    ///
    /// # Errors
    /// How to exit when there is nothing to run.
    pub fn from_command_line() -> Result<Self, Exit> {
        let arguments: Vec<_> = std::env::args_os().collect();
        Self::try_parse_from(&arguments).map_err(|error| {
            let error = harmless(&arguments, error);
            // A closed pipe is no matter here (`hooklane --help | head`).
            let _ = error.print();
            match error.exit_code() {
                0 => Exit::Done,
                _ => Exit::Unusable,
            }
        })
    }

    /// The level at which this command logs unless the user says otherwise.
    pub(crate) fn log_level(&self) -> &'static str {
        match self.command {
            // It tells in its own words how it goes.
            Command::Demo(_) => "error",
            _ => "info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }

    /// Hands every command to `check`, with the text that stands after its options.
    fn each_after_help(command: &clap::Command, check: &dyn Fn(&clap::Command, &str)) {
        let help = command.get_after_help().map(ToString::to_string);
        check(command, &help.unwrap_or_default());
        for inner in command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
        {
            each_after_help(inner, check);
        }
    }

    #[test]
    fn every_command_that_does_something_shows_an_example() {
        each_after_help(&Cli::command(), &|command, help| {
            let shows = command.has_subcommands() || help.contains("Examples:");
            assert!(shows, "{}", command.get_name());
        });
    }

    #[test]
    fn what_stands_after_the_options_fits_a_terminal_of_80_columns() {
        each_after_help(&Cli::command(), &|command, help| {
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
        });
    }

    #[test]
    fn an_address_that_cannot_be_listened_on_is_told_with_one_that_can() {
        assert!(address("127.0.0.1:0").is_ok());
        for text in ["", "9324", "localhost:9324", "127.0.0.1"] {
            let said = address(text).expect_err(text);
            assert!(said.contains("127.0.0.1:9324"), "{said}");
        }
    }

    #[test]
    fn statuses_that_cannot_end_an_exchange_are_refused() {
        assert_eq!(status(" 503"), Ok(503));
        for text in ["", "100", "600", "ok", "-1"] {
            assert!(status(text).is_err(), "{text}");
        }
    }
}
