//! `[worker]`: how much it holds, for how long, and where it remembers.

use std::net::SocketAddr;
use std::time::Duration;

use delivery::{LONGEST_HIDE, RetrySchedule};
use event::duration;
use store::LedgerSpec;

use super::descriptors;
use super::reader::Reader;
use super::table::{
    ADMIN_LISTEN, LEDGER, MAX_BYTES_IN_FLIGHT, MAX_IN_FLIGHT, SHUTDOWN_GRACE, TIMEOUT,
    VISIBILITY_TIMEOUT,
};
use super::values::Setting;

/// What a lease must have left over after a whole attempt.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

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
        reader.warn(&LEDGER, exposed);
    }
    let max_in_flight = max_in_flight(reader);
    let max_bytes = reader.or_default(&MAX_BYTES_IN_FLIGHT);
    let timeout = schedule.map(RetrySchedule::timeout);
    let visibility_timeout = reader.or_default(&VISIBILITY_TIMEOUT);
    let visibility_timeout = visibility_timeout.filter(|lease| fits(reader, *lease, timeout));
    let grace = reader.or_default(&SHUTDOWN_GRACE);
    let admin_listen = reader.or_default(&ADMIN_LISTEN);
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
    let given = reader.optional(&MAX_IN_FLIGHT)?;
    let wanted = given.unwrap_or_else(|| MAX_IN_FLIGHT.default_value());
    let descriptors = reader.source.environment.descriptors();
    let fitting = descriptors.map_or(u32::MAX, descriptors::lanes_within);
    if wanted <= fitting {
        if given.is_none() {
            reader.show(&MAX_IN_FLIGHT, wanted.show(), None);
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
            &MAX_IN_FLIGHT,
            format!("{shortage}, too few for a single one: {mend}"),
        ),
        (Some(_), most) => reader.problem(
            &MAX_IN_FLIGHT,
            format!("{shortage}: write at most {most}, or {mend}"),
        ),
        (None, most) => {
            reader.warn(
                &MAX_IN_FLIGHT,
                format!(
                    "{shortage}: there will be {most}, not the default of {wanted}; for more {mend}"
                ),
            );
            reader.show(&MAX_IN_FLIGHT, most.show(), None);
            return Some(most);
        }
    }
    None
}

/// Checks the lease, whether given or the default: a longer `retry.timeout` asks for a longer one.
fn fits(reader: &mut Reader<'_>, lease: Duration, timeout: Option<Duration>) -> bool {
    let shown = duration::format(lease);
    let least = timeout.map(|timeout| timeout + LEASE_MARGIN);
    let problem = if lease > LONGEST_HIDE {
        format!(
            "{shown} is too long: give at most {}",
            duration::format(LONGEST_HIDE)
        )
    } else if let Some(least) = least.filter(|least| lease < *least) {
        format!(
            "{shown} is too short: give at least {}, {} and {} more",
            duration::format(least),
            TIMEOUT,
            duration::format(LEASE_MARGIN)
        )
    } else if lease.subsec_nanos() > 0 {
        format!("{shown} is no whole number of seconds, which is all that SQS counts in")
    } else {
        return true;
    };
    reader.problem(&VISIBILITY_TIMEOUT, problem);
    false
}

pub(super) fn ledger(reader: &mut Reader<'_>) -> Option<LedgerSpec> {
    let path = match reader.or_default(&LEDGER)? {
        LedgerSpec::Sqlite(path) => path,
        table @ LedgerSpec::DynamoDb(_) => return Some(table),
    };
    // Absolute, so that SQLite can take it for nothing but a path (not for a URI, nor for ":memory:").
    match std::path::absolute(reader.source.resolve(&path)) {
        Ok(path) => Some(LedgerSpec::Sqlite(path)),
        Err(error) => {
            reader.problem(&LEDGER, format!("not a path ({error}): write sqlite:PATH"));
            None
        }
    }
}
