//! How long a receiver asks us to wait (RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime};

/// Longer waits than this are read as this; a year is as good as never.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads `Retry-After`: whole seconds, or a date in any of the three forms of HTTP. A date that has passed is no wait.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are a long wait.
        value.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        until.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37 UTC, the date of RFC 9110.
    const DATE_S: u64 = 784_111_777;

    #[test]
    fn seconds_and_dates_are_waits_and_anything_else_is_none() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(DATE_S - 90);
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(90)),
            ("Sun Nov  6 08:49:37 1994", Some(90)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("31536001", Some(31_536_000)),
            ("99999999999999999999999", Some(31_536_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(31_536_000)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994", None),
        ];
        for (value, expected_s) in cases {
            let expected = expected_s.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), expected, "{value:?}");
        }
    }
}
