//! `[retry]`: a documented profile, changed key by key where the user says so.

use delivery::{RetryAfter, RetrySchedule, ScheduleSettings};

use super::reader::Reader;
use super::table::{ACCEPT, DELAYS, PROFILE, RETRY, RETRY_AFTER, RETRY_AFTER_MAX, TIMEOUT};
use super::values::word::{AskedWaits, Profile};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<RetrySchedule> {
    let profile = reader.or_default(&PROFILE);
    // The other keys are read even when the profile is not known: all problems at once.
    let defaults = profile.unwrap_or(Profile::Avionte).settings();
    let delays = reader.or(&DELAYS, defaults.delays);
    let accept = reader.or(&ACCEPT, defaults.accept);
    let timeout = reader.or(&TIMEOUT, defaults.timeout);
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
            reader.problem(&RETRY[0], error.to_string());
            None
        }
    }
}

fn retry_after(reader: &mut Reader<'_>) -> Option<RetryAfter> {
    let asked_waits = reader.or_default(&RETRY_AFTER);
    let max = reader.or_default(&RETRY_AFTER_MAX);
    Some(match (asked_waits?, max?) {
        (AskedWaits::Lengthen, max) => RetryAfter::Lengthen { max },
        (AskedWaits::Ignore, _) => RetryAfter::Ignore,
    })
}
