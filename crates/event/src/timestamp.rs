//! Moments in time, in the forms that events, deduplication ids and records use.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in UTC, to the millisecond, within the years 1970 to 9999.
///
/// Every value has a four-digit year, so every value has an RFC 3339 form; what lies outside is moved to the nearest end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Makes a timestamp from Unix milliseconds; later than [`Timestamp::MAX`] becomes `MAX`.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Unix milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole Unix seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The form of the parameter `event_datetime`: `YYYY-MM-DDTHH:MM:SS`, UTC.
    pub fn event_datetime(self) -> String {
        self.seconds_form().to_string()
    }

    /// The form of a deduplication id: `YYYY-MM-DDTHH:MM:SS.mmm`, UTC, 24-hour; always 23 characters.
    pub fn deduplication_id(self) -> String {
        self.millis_form().to_string()
    }

    /// Reads an RFC 3339 date and time of any offset; finer digits are dropped. `None` if it is none, or before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        u64::try_from(millis).ok().map(Self::from_millis)
    }

    /// This moment and `duration` more, at most [`Timestamp::MAX`]; a part of a millisecond is dropped.
    pub fn plus(self, duration: Duration) -> Self {
        let more = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(more))
    }

    /// The time from this moment to `later`; zero if `later` is not later.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }

    fn seconds_form(self) -> impl fmt::Display {
        let at = OffsetDateTime::UNIX_EPOCH
            .saturating_add(time::Duration::milliseconds(self.0.cast_signed()));
        fmt::from_fn(move |f| {
            let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
            let (hour, minute, second) = at.to_hms();
            write!(
                f,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
            )
        })
    }

    fn millis_form(self) -> impl fmt::Display {
        fmt::from_fn(move |f| write!(f, "{}.{:03}", self.seconds_form(), self.0 % 1000))
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2025-02-12T14:30:45.123Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.millis_form())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 date and time"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{datetime, format_description};

    use super::*;

    const EXAMPLE: Timestamp = Timestamp::from_millis(1_739_370_645_123);

    #[test]
    fn the_documented_example_has_its_documented_forms() {
        assert_eq!(EXAMPLE.deduplication_id(), "2025-02-12T14:30:45.123");
        assert_eq!(EXAMPLE.event_datetime(), "2025-02-12T14:30:45");
        assert_eq!(EXAMPLE.to_string(), "2025-02-12T14:30:45.123Z");
        assert_eq!(format!("{EXAMPLE:?}"), "2025-02-12T14:30:45.123Z");
        assert_eq!(EXAMPLE.as_secs(), 1_739_370_645);
    }

    #[test]
    fn a_timestamp_travels_through_json_as_its_rfc_3339_form() {
        let json = serde_json::to_string(&EXAMPLE).unwrap();
        assert_eq!(json, r#""2025-02-12T14:30:45.123Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), EXAMPLE);
        assert!(serde_json::from_str::<Timestamp>(r#""yesterday""#).is_err());
    }

    #[test]
    fn other_offsets_and_finer_digits_are_read() {
        let parsed = Timestamp::parse("2025-02-12T16:30:45.1239+02:00");
        assert_eq!(parsed, Some(EXAMPLE));
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59.999Z"), None);
        assert_eq!(Timestamp::parse("2025-02-12T14:30:45"), None);
    }

    #[test]
    fn the_far_future_saturates() {
        assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
        assert_eq!(EXAMPLE.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn until_an_earlier_moment_is_zero() {
        let later = EXAMPLE.plus(Duration::from_millis(1500));
        assert_eq!(EXAMPLE.until(later), Duration::from_millis(1500));
        assert_eq!(later.until(EXAMPLE), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn every_form_agrees_with_the_time_crate(millis in 0..=Timestamp::MAX.0) {
            let ours = Timestamp::from_millis(millis);
            let theirs = datetime!(1970-01-01 00:00 UTC)
                + time::Duration::milliseconds(millis.cast_signed());
            let format = format_description!(
                "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]"
            );
            prop_assert_eq!(ours.deduplication_id(), theirs.format(format).unwrap());
            prop_assert_eq!(ours.deduplication_id().len(), 23);
            prop_assert_eq!(Timestamp::parse(&ours.to_string()), Some(ours));
        }

        #[test]
        fn text_order_is_time_order(a in 0..=Timestamp::MAX.0, b in 0..=Timestamp::MAX.0) {
            let (a, b) = (Timestamp::from_millis(a), Timestamp::from_millis(b));
            prop_assert_eq!(a.cmp(&b), a.deduplication_id().cmp(&b.deduplication_id()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = Timestamp::parse(&text);
        }
    }
}
