//! The arguments of `dlq`.

use clap::Subcommand;

use super::Output;

/// Looks at the internal queue: what could not be delivered, and why
///
/// Viewing takes nothing out, but SQS counts it as a receive: the receive count of what was seen grows, and
/// while a scan runs others do not see what it holds. Uses queue.dead_letter_url.
#[derive(Subcommand)]
pub(crate) enum Dlq {
    /// Lists the dead letters
    #[command(after_help = "\
Examples:
  hooklane dlq ls
  hooklane dlq ls --json | jq -r 'select(.last_status == 500) | .id'")]
    Ls {
        #[command(flatten)]
        output: Output,
    },
    /// Shows one dead letter with every attempt
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
    /// Counts them by reason, status and group
    #[command(after_help = "\
Examples:
  hooklane dlq groups
  hooklane dlq groups --json | jq .count")]
    Groups {
        #[command(flatten)]
        output: Output,
    },
}
