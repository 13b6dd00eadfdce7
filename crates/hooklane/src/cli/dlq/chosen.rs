//! Which dead letters a command is about: ids, or criteria.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use event::Timestamp;
use letters::{Filter, FilterError, Selection};

use crate::exit::Usage;

pub(super) const WHICH: &str = "Which dead letters";

/// Criteria that every listing and every change takes. `--reason` stands beside them, since `drop` has one of its own.
#[derive(Args)]
pub(crate) struct Filters {
    /// Only of this message group, as in EventSetup_42
    #[arg(long, value_name = "GROUP", help_heading = WHICH)]
    group: Option<String>,

    /// Only events of this name
    #[arg(long, value_name = "NAME", help_heading = WHICH)]
    event: Option<String>,

    /// Only those whose last attempt ended so: 500, 5xx, timeout, connect, …; none for no attempt
    #[arg(long, value_name = "STATUS", help_heading = WHICH)]
    status: Option<String>,

    /// Only with this callback host, and its port unless that is the usual one; none for no callback
    #[arg(long, value_name = "HOST", help_heading = WHICH)]
    host: Option<String>,

    /// Only set aside at this time (UTC) or later: 2026-11-20T10:00:00Z, 2026-11-20, or 30m, 2h, 3d ago
    #[arg(long, value_name = "TIME", help_heading = WHICH)]
    since: Option<String>,

    /// Only set aside before this time
    #[arg(long, value_name = "TIME", help_heading = WHICH)]
    until: Option<String>,

    /// Only with this text in the body, an id or an answer, whatever its case
    #[arg(long, value_name = "TEXT", help_heading = WHICH)]
    contains: Option<String>,
}

impl Filters {
    /// Reads the criteria.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(crate) fn read(&self, reason: Option<&str>, now: Timestamp) -> Result<Filter, Usage> {
        let mut filter = Filter::default();
        let given = [
            ("group", self.group.as_deref()),
            ("event", self.event.as_deref()),
            ("reason", reason),
            ("status", self.status.as_deref()),
            ("host", self.host.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("contains", self.contains.as_deref()),
        ];
        for (name, text) in given {
            match text {
                // As an unset variable leaves it: that must not mean every letter.
                Some(text) if text.trim().is_empty() => {
                    let mend = "leave it out, or write what is wanted";
                    return Err(Usage(format!("--{name}: it is empty: {mend}")));
                }
                Some(text) => filter.set(name, text, now).map_err(usage)?,
                None => {}
            }
        }
        filter.check().map_err(usage)?;
        Ok(filter)
    }
}

fn usage(error: FilterError) -> Usage {
    Usage(format!("--{error}"))
}

/// What a listing is about.
#[derive(Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    filters: Filters,

    /// Only set aside for this reason: exhausted, invalid-event, no-callback, receive-count-exceeded, expiring
    #[arg(long, value_name = "REASON", help_heading = WHICH)]
    reason: Option<String>,
}

impl Listed {
    /// Reads what is meant; without criteria everything is.
    ///
    /// # Errors
    /// When a criterion cannot be used.
    pub(crate) fn read(&self, now: Timestamp) -> Result<Filter, Usage> {
        self.filters.read(self.reason.as_deref(), now)
    }
}

/// What a change is about.
#[derive(Args)]
pub(crate) struct Chosen {
    /// The ids that `dlq ls` shows; none: what the options say
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    #[command(flatten)]
    filters: Filters,

    /// At most the first N, in the order of a replay: group by group, oldest events first
    #[arg(long, value_name = "N", help_heading = WHICH, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: Option<usize>,
}

impl Chosen {
    /// Reads what is meant. Without ids and criteria nothing is, unless that is said with `all`.
    ///
    /// # Errors
    /// When nothing is said, two things are said, or a criterion cannot be used.
    pub(crate) fn read(
        self,
        reason: Option<&str>,
        all: Option<bool>,
        now: Timestamp,
    ) -> Result<Selection, Usage> {
        let filter = self.filters.read(reason, now)?;
        let which = match all {
            Some(_) => "ids, criteria such as --group, or --all",
            None => "ids, or criteria such as --group",
        };
        let said = [!self.ids.is_empty(), !filter.is_empty(), all == Some(true)];
        match said.into_iter().filter(|said| *said).count() {
            0 => return Err(Usage(format!("say which dead letters: {which}"))),
            1 => {}
            _ => return Err(Usage(format!("say which dead letters in one way: {which}"))),
        }
        let selection = Selection::of_ids(self.ids).map_err(|error| Usage(error.to_string()))?;
        Ok(Selection {
            filter,
            limit: self.limit,
            ..selection
        })
    }
}
