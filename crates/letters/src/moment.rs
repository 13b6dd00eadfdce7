//! Moments as people write them: a date, or how long ago.

use event::{Timestamp, duration};

/// What may be written.
pub(crate) const EXPECTED: &str =
    "2026-11-20T10:00:00Z, 2026-11-20 10:00 (UTC), 2026-11-20, or how long ago: 30m, 2h, 3d";

/// Reads a moment; none if it is none.
pub(crate) fn read(text: &str, now: Timestamp) -> Option<Timestamp> {
    ago(text, now).or_else(|| date_and_time(text))
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let ago_ms = u64::try_from(duration::parse(text)?.as_millis()).ok()?;
    Some(Timestamp::from_millis(
        now.as_millis().saturating_sub(ago_ms),
    ))
}

/// The longest form with an offset, with nanoseconds and `+hh:mm`, and room for a slip.
const MAX_BYTES: usize = 40;

/// As RFC 3339 has it, or as people and the date fields of browsers leave it unfinished.
fn date_and_time(text: &str) -> Option<Timestamp> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let text = text.replacen(' ', "T", 1);
    let finished = ["", "Z", ":00Z", "T00:00:00Z"];
    finished
        .iter()
        .find_map(|end| Timestamp::parse(&format!("{text}{end}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_739_370_645_123);

    #[test]
    fn moments_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20T12:00:00.5+02:00", "2026-11-20T10:00:00.500Z"),
            ("2026-11-20 10:00:00", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20T10:00", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20", "2026-11-20T00:00:00.000Z"),
            ("90s", "2025-02-12T14:29:15.123Z"),
            ("30m", "2025-02-12T14:00:45.123Z"),
            ("2h", "2025-02-12T12:30:45.123Z"),
            ("3d", "2025-02-09T14:30:45.123Z"),
            ("500ms", "2025-02-12T14:30:44.623Z"),
            ("99999999d", "1970-01-01T00:00:00.000Z"),
        ] {
            let at = read(text, NOW).unwrap();
            assert_eq!(at.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "yesterday",
            "h",
            "-2h",
            "2 h",
            "1.5h",
            "2w",
            "2026-13-01",
            "10:00",
            "é",
            "1é",
            "99999999999999999999d",
            &"2".repeat(100_000),
        ] {
            assert_eq!(read(text, NOW), None, "{text}");
        }
    }
}
