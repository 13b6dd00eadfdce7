//! `[retry]`: a documented profile, changed key by key where the user says so.

use std::time::Duration;

use delivery::{MAX_DELAY, MAX_DELAYS, RetryAfter, RetrySchedule, ScheduleSettings};
use event::duration;

use super::reader::Reader;
use super::values::{any, keyword, within};

/// An attempt must fit into a lease with room to spare.
const MAX_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

pub(super) fn read(reader: &mut Reader<'_>) -> Option<RetrySchedule> {
    let profile = reader.or("retry.profile", "avionte".to_owned(), |name: &String| {
        profile(name).map(drop)
    });
    // The other keys are read even when the profile is not known: all problems at once.
    let defaults = profile
        .as_ref()
        .and_then(|name| self::profile(name).ok())
        .unwrap_or_else(RetrySchedule::avionte);
    let delays = reader.or("retry.delays", defaults.delays, |waits| delays(waits));
    let accept = reader.or("retry.accept", defaults.accept, |statuses| accept(statuses));
    let timeout = reader.or(
        "retry.timeout",
        defaults.timeout,
        within(LEAST_TIMEOUT, MAX_TIMEOUT),
    );
    let retry_after = retry_after(reader);
    let settings = ScheduleSettings {
        delays: delays?,
        accept: accept?,
        timeout: timeout?,
        retry_after: retry_after?,
    };
    profile?;
    match RetrySchedule::new(settings) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            reader.problem("retry", error.to_string());
            None
        }
    }
}

fn profile(name: &str) -> Result<ScheduleSettings, String> {
    let avaza = keyword(name, &[("avionte", false), ("avaza", true)])?;
    Ok(if avaza {
        RetrySchedule::avaza()
    } else {
        RetrySchedule::avionte()
    })
}

fn delays(delays: &[Duration]) -> Result<(), String> {
    if delays.len() > MAX_DELAYS {
        return Err(format!(
            "{} delays are too many: give at most {MAX_DELAYS}",
            delays.len()
        ));
    }
    match delays.iter().find(|delay| **delay > MAX_DELAY) {
        Some(delay) => Err(format!(
            "a delay of {} is too long: give at most {}, since SQS keeps a message for 14d",
            duration::format(*delay),
            duration::format(MAX_DELAY)
        )),
        None => Ok(()),
    }
}

fn accept(statuses: &[u16]) -> Result<(), String> {
    if statuses.is_empty() {
        return Err(
            "an empty list accepts nothing: name at least one status, as in [200, 201]".to_owned(),
        );
    }
    match statuses.iter().find(|status| !(200..300).contains(*status)) {
        Some(status) => Err(format!(
            "{status} cannot mean accepted: name statuses from 200 to 299"
        )),
        None => Ok(()),
    }
}

fn retry_after(reader: &mut Reader<'_>) -> Option<RetryAfter> {
    let word = |text: &str| keyword(text, &[("ignore", false), ("lengthen", true)]);
    let mode = reader.or("retry.retry_after", "ignore".to_owned(), |text: &String| {
        word(text).map(drop)
    });
    let max = reader.or("retry.retry_after_max", RETRY_AFTER_MAX, |max| {
        match *max > MAX_DELAY {
            true => Err(format!(
                "{} is too long: give at most {}",
                duration::format(*max),
                duration::format(MAX_DELAY)
            )),
            false => any(max),
        }
    });
    match (word(&mode?).ok()?, max?) {
        (true, max) => Some(RetryAfter::Lengthen { max }),
        (false, _) => Some(RetryAfter::Ignore),
    }
}
