//! `[worker]`: how much it holds, for how long, and where it remembers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use delivery::RetrySchedule;
use event::duration;
use store::LedgerSpec;

use super::descriptors;
use super::reader::Reader;
use super::values::size::Size;
use super::values::{Setting, any, within};

/// No single hide exceeds 11 hours: SQS ends every lease at 12 hours from the receive.
const MAX_VISIBILITY: Duration = Duration::from_secs(11 * 3600);

/// What a lease must have left over after a whole attempt.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

const MAX_GRACE: Duration = Duration::from_secs(3600);

const IN_FLIGHT: &str = "worker.max_in_flight";
const MAX_IN_FLIGHT: u32 = 10_000;
const DEFAULT_IN_FLIGHT: u32 = 256;

const MAX_BYTES: Size = Size::mib(256);

/// The largest message that SQS takes, and more than any machine should give.
const LEAST_BYTES: Size = Size::mib(1);
const MOST_BYTES: Size = Size::mib(64 * 1024);

pub(super) const LEDGER: &str = "worker.ledger";

/// The settings of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Where attempts are remembered; the path of a file is absolute.
    pub ledger: LedgerSpec,
    /// The most POSTs at the same time.
    pub max_in_flight: usize,
    /// The most bytes of events in hand.
    pub max_bytes_in_flight: usize,
    /// The lease asked for on each receive.
    pub visibility_timeout: Duration,
    /// How long a stop may take.
    pub shutdown_grace: Duration,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub admin_listen: SocketAddr,
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    schedule: Option<&RetrySchedule>,
) -> Option<WorkerConfig> {
    let ledger = ledger(reader);
    if let Some(exposed) = ledger.as_ref().and_then(LedgerSpec::exposure) {
        reader.warn(LEDGER, exposed);
    }
    let max_in_flight = max_in_flight(reader);
    let max_bytes = reader.or(
        "worker.max_bytes_in_flight",
        MAX_BYTES,
        within(LEAST_BYTES, MOST_BYTES),
    );
    let timeout = schedule.map(RetrySchedule::timeout);
    let visibility_timeout = reader.or("worker.visibility_timeout", Duration::from_secs(120), any);
    let visibility_timeout = visibility_timeout.filter(|lease| fits(reader, *lease, timeout));
    let grace = reader.or(
        "worker.shutdown_grace",
        Duration::from_secs(25),
        within(Duration::ZERO, MAX_GRACE),
    );
    let admin_listen = reader.or(
        "worker.admin_listen",
        SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)),
        any,
    );
    Some(WorkerConfig {
        ledger: ledger?,
        max_in_flight: max_in_flight? as usize,
        max_bytes_in_flight: usize::try_from(max_bytes?.0).unwrap_or(usize::MAX),
        visibility_timeout: visibility_timeout?,
        shutdown_grace: grace?,
        admin_listen: admin_listen?,
    })
}

/// Checks that each POST at the same time can have its file descriptors. Where there are few, the default is what fits.
fn max_in_flight(reader: &mut Reader<'_>) -> Option<u32> {
    let given = reader.optional(IN_FLIGHT, within(1, MAX_IN_FLIGHT))?;
    let wanted = given.unwrap_or(DEFAULT_IN_FLIGHT);
    let descriptors = reader.source.environment.descriptors();
    let fitting = descriptors.map_or(MAX_IN_FLIGHT, descriptors::lanes_within);
    if wanted <= fitting {
        if given.is_none() {
            reader.show(IN_FLIGHT, wanted.show(), None);
        }
        return Some(wanted);
    }
    let shortage = format!(
        "{wanted} POSTs at the same time need {} file descriptors, and this process may open {}",
        descriptors::needed_for(wanted),
        descriptors.unwrap_or_default()
    );
    let mend =
        "raise the hard limit (ulimit -Hn; LimitNOFILE= of a systemd unit, ulimits of a container)";
    match (given, fitting) {
        (_, 0) => reader.problem(
            IN_FLIGHT,
            format!("{shortage}, too few for a single one: {mend}"),
        ),
        (Some(_), most) => reader.problem(
            IN_FLIGHT,
            format!("{shortage}: write at most {most}, or {mend}"),
        ),
        (None, most) => {
            reader.warn(
                IN_FLIGHT,
                format!(
                    "{shortage}: there will be {most}, not the default of {wanted}; for more {mend}"
                ),
            );
            reader.show(IN_FLIGHT, most.show(), None);
            return Some(most);
        }
    }
    None
}

/// Checks the lease, whether given or the default: a longer `retry.timeout` asks for a longer one.
fn fits(reader: &mut Reader<'_>, lease: Duration, timeout: Option<Duration>) -> bool {
    let shown = duration::format(lease);
    let least = timeout.map(|timeout| timeout + LEASE_MARGIN);
    let problem = if lease > MAX_VISIBILITY {
        format!(
            "{shown} is too long: give at most {}",
            duration::format(MAX_VISIBILITY)
        )
    } else if let Some(least) = least.filter(|least| lease < *least) {
        format!(
            "{shown} is too short: give at least {}, retry.timeout and 10s more",
            duration::format(least)
        )
    } else if lease.subsec_nanos() > 0 {
        format!("{shown} is no whole number of seconds, which is all that SQS counts in")
    } else {
        return true;
    };
    reader.problem("worker.visibility_timeout", problem);
    false
}

pub(super) fn ledger(reader: &mut Reader<'_>) -> Option<LedgerSpec> {
    let default = LedgerSpec::Sqlite("hooklane.db".into());
    let path = match reader.or(LEDGER, default, any)? {
        LedgerSpec::Sqlite(path) => path,
        table @ LedgerSpec::DynamoDb(_) => return Some(table),
    };
    // Absolute, so that SQLite can take it for nothing but a path (not for a URI, nor for ":memory:").
    match std::path::absolute(reader.source.resolve(&path)) {
        Ok(path) => Some(LedgerSpec::Sqlite(path)),
        Err(error) => {
            reader.problem(LEDGER, format!("not a path ({error}): write sqlite:PATH"));
            None
        }
    }
}
