//! `[retry]`: a documented profile, changed key by key where the user says so.

use std::time::Duration;

use delivery::{RetryAfter, RetrySchedule, ScheduleError, ScheduleSettings};

use super::reader::Reader;
use super::values::keyword;

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
    let delays = reader.or("retry.delays", defaults.delays, |waits: &Vec<_>| {
        told(RetrySchedule::check_delays(waits))
    });
    let accept = reader.or("retry.accept", defaults.accept, |statuses: &Vec<_>| {
        told(RetrySchedule::check_accept(statuses))
    });
    let timeout = reader.or("retry.timeout", defaults.timeout, |timeout| {
        told(RetrySchedule::check_timeout(*timeout))
    });
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

fn retry_after(reader: &mut Reader<'_>) -> Option<RetryAfter> {
    let word = |text: &str| keyword(text, &[("ignore", false), ("lengthen", true)]);
    let mode = reader.or("retry.retry_after", "ignore".to_owned(), |text: &String| {
        word(text).map(drop)
    });
    let max = reader.or("retry.retry_after_max", RETRY_AFTER_MAX, |max| {
        told(RetrySchedule::check_retry_after_max(*max))
    });
    match (word(&mode?).ok()?, max?) {
        (true, max) => Some(RetryAfter::Lengthen { max }),
        (false, _) => Some(RetryAfter::Ignore),
    }
}

fn told(checked: Result<(), ScheduleError>) -> Result<(), String> {
    checked.map_err(|error| error.to_string())
}
