//! Durations as people write them: a whole number and a unit.

use std::time::Duration;

/// The units, largest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `500ms`, `30s`, `1m`, `2h` or `1d`, white space around it left out. `None` if it is none of these, or beyond
/// 2^64 ms.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let millis = number.parse::<u64>().ok()?.checked_mul(*length)?;
    Some(Duration::from_millis(millis))
}

/// Writes a duration as [`parse`] reads it, in the largest unit that is exact; below a millisecond is cut.
pub fn format(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let exact = |(_, length): &&(&str, u64)| millis.is_multiple_of(*length);
    match UNITS.iter().find(exact) {
        Some((unit, length)) if millis > 0 => format!("{}{unit}", millis / length),
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for text in ["0s", "500ms", "30s", "1m", "90s", "2h", "1d", "1500ms"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
        assert_eq!(parse(" 120s\n").map(format).as_deref(), Some("2m"));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "1 m",
            "1w",
            "30S",
            "99999999999999999999s",
            "400000000000000d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
