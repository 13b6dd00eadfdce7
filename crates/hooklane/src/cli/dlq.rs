//! The arguments of `dlq`.

mod chosen;

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand};

pub(crate) use chosen::{Chosen, Listed};

use super::Output;

/// Looks at the internal queue: what could not be delivered, and why; sends it again
///
/// Viewing takes nothing out, but SQS counts it as a receive: the receive count of what was seen grows, and
/// while a scan runs others do not see what it holds. Each command is about what was there when it began, and
/// tells how many came since. Uses queue.dead_letter_url.
#[derive(Subcommand)]
pub(crate) enum Dlq {
    /// Lists the dead letters, the one that died first at the top
    ///
    /// On a narrow terminal some columns are left out; --json has all.
    #[command(after_help = "\
Examples:
  hooklane dlq ls
  hooklane dlq ls --group EventSetup_42 --status 5xx --since 2h
  hooklane dlq ls --contains jane@example.com
  hooklane dlq ls --reason exhausted --json | jq -r .id")]
    Ls {
        #[command(flatten)]
        listed: Listed,
        /// Show only the first N
        #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        limit: Option<usize>,
        #[command(flatten)]
        output: Output,
    },
    /// Shows one dead letter with every attempt
    ///
    /// If several have the id, copies or earlier lives of one event, the newest is shown and the others are named.
    #[command(after_help = "\
Examples:
  hooklane dlq show 5fea7756-0ea4-451a-a703-a558b933e274
  hooklane dlq show 5fea7756-… --json | jq .record.attempts")]
    Show {
        /// The id that `dlq ls` shows
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Counts them by reason, status, callback host and group
    #[command(after_help = "\
Examples:
  hooklane dlq groups
  hooklane dlq groups --since 1d
  hooklane dlq groups --json | jq .count")]
    Groups {
        #[command(flatten)]
        listed: Listed,
        #[command(flatten)]
        output: Output,
    },
    Replay(Box<Replay>),
    Drop(Box<Drop>),
    /// Writes dead letters to a file, one a line, and leaves them where they are
    ///
    /// The file is for its owner alone, and none is overwritten. It holds whole messages: `dlq import` puts them
    /// back as they are. Exit code 1 if the queue holds more than could be seen.
    #[command(after_help = "\
Examples:
  hooklane dlq export letters.jsonl
  hooklane dlq export letters.jsonl --group EventSetup_42 --since 2026-11-20
  hooklane dlq export - --status 5xx | jq -r .body")]
    Export {
        /// The file, which must not be there yet, or - for standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        listed: Listed,
        #[command(flatten)]
        output: Output,
    },
    Import(Import),
}

/// Sends dead letters back to their queue, in the order in which the events were first sent
///
/// Each is a message of its event's group again, with the same body and webhook-id, and is deleted from the
/// internal queue once it is there. Within a group one goes after the one ahead of it; behind one that fails
/// nothing goes. Repeated within five minutes, a FIFO queue takes nothing twice. Exit code 1 if not all went.
#[derive(Args)]
#[command(after_help = "\
Uses queue.dead_letter_url and queue.url, and worker.ledger to see whether newer
events were delivered since. If so, or if that cannot be known, it asks, or
needs --accept-order; if letters of the same groups could not be seen, it asks,
or needs --accept-hidden.

Examples:
  hooklane dlq replay 5fea7756-0ea4-451a-a703-a558b933e274
  hooklane dlq replay --group EventSetup_42 --dry-run
  hooklane dlq replay --status 5xx --since 2h --rate 20
  hooklane dlq replay --all --to https://sqs.…/other.fifo")]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) chosen: Chosen,

    /// Only dead letters with this reason: exhausted, invalid-event, no-callback, …
    #[arg(long, value_name = "REASON", help_heading = chosen::WHICH)]
    pub(crate) reason: Option<String>,

    /// All of them
    #[arg(long, help_heading = chosen::WHICH)]
    pub(crate) all: bool,

    /// Say what would go where, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// At most so many a second
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<NonZeroU32>,

    /// Send them to this queue instead of queue.url
    #[arg(long, value_name = "QUEUE_URL")]
    pub(crate) to: Option<String>,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,

    /// Replay although newer events of a group were delivered since, or may have been
    #[arg(long)]
    pub(crate) accept_order: bool,

    /// Replay although letters of the same groups are hidden, or may be
    #[arg(long)]
    pub(crate) accept_hidden: bool,

    /// Answer yes to whatever else is asked; accepts neither of these two
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Takes dead letters out of the internal queue and keeps them in a file
///
/// Each is written to the file first and deleted after; `dlq import` puts them back. It asks, or needs --yes.
/// Exit code 1 if not all went.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hooklane dlq drop 5fea7756-0ea4-451a-a703-a558b933e274 --reason \"test event\"
  hooklane dlq drop --group EventSetup_42 --until 7d \\
    --reason \"customer left, ticket 1234\" --file customer.jsonl")]
pub(crate) struct Drop {
    #[command(flatten)]
    pub(crate) chosen: Chosen,

    /// Only dead letters with this reason: exhausted, invalid-event, no-callback, …
    #[arg(long, value_name = "REASON", help_heading = chosen::WHICH)]
    pub(crate) died_of: Option<String>,

    /// Why, for the audit log
    #[arg(long = "reason", value_name = "TEXT", required = true)]
    pub(crate) why: String,

    /// The file, which must not be there yet [default: dropped-TIME.jsonl]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Say what would be dropped, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Puts dead letters back into the internal queue, from a file of `dlq export` or `dlq drop`
///
/// Every line is checked first: if one is bad, nothing is sent. Body, attributes and group are as they were, and
/// each line has a deduplication id of its own: imported twice within five minutes, a file leaves one copy; later,
/// two. Exit code 1 if not all went.
#[derive(Args)]
#[command(after_help = "\
Uses queue.dead_letter_url.

Examples:
  hooklane dlq import dropped-20261122T013000123Z.jsonl
  hooklane dlq import letters.jsonl --from 1201     go on where one stopped
  grep EventSetup_42 letters.jsonl | hooklane dlq import -")]
pub(crate) struct Import {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Begin with this line, counted from 1
    #[arg(long, value_name = "LINE", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}
