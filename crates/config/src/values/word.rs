//! Values that are one word of several.

use delivery::{RetrySchedule, ScheduleSettings, SignatureMode};

use super::{Setting, quoted};
use crate::tree::Node;

/// A value that is written as one word of several.
pub(crate) trait Word: Copy + 'static {
    /// All there are, in the order in which they are told.
    const ALL: &'static [Self];

    fn word(self) -> &'static str;
}

impl<W: Word> Setting for W {
    fn parse(node: &Node) -> Result<Self, String> {
        let text = String::parse(node)?;
        let found = W::ALL.iter().find(|value| value.word() == text);
        found.copied().ok_or_else(|| {
            let words = W::ALL
                .iter()
                .map(|value| format!("\"{}\"", value.word()))
                .collect::<Vec<_>>();
            format!(
                "{} is not known: write one of {}",
                quoted(&text),
                words.join(", ")
            )
        })
    }

    fn show(&self) -> toml::Value {
        self.word().into()
    }
}

/// Which of the two callbacks is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Environment {
    Production,
    NonProduction,
}

impl Environment {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Production => Self::NonProduction,
            Self::NonProduction => Self::Production,
        }
    }
}

impl Word for Environment {
    const ALL: &'static [Self] = &[Self::Production, Self::NonProduction];

    fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::NonProduction => "non-production",
        }
    }
}

/// A documented schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Avionte,
    Avaza,
}

impl Profile {
    pub(crate) fn settings(self) -> ScheduleSettings {
        match self {
            Self::Avionte => RetrySchedule::avionte(),
            Self::Avaza => RetrySchedule::avaza(),
        }
    }
}

impl Word for Profile {
    const ALL: &'static [Self] = &[Self::Avionte, Self::Avaza];

    fn word(self) -> &'static str {
        match self {
            Self::Avionte => "avionte",
            Self::Avaza => "avaza",
        }
    }
}

/// What becomes of the waits that receivers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedWaits {
    Ignore,
    Lengthen,
}

impl Word for AskedWaits {
    const ALL: &'static [Self] = &[Self::Ignore, Self::Lengthen];

    fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Lengthen => "lengthen",
        }
    }
}

impl Word for SignatureMode {
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}
