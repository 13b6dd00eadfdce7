//! The `msg_id` of a line that has none: derived, so that the line sent again is the same event to its receivers.

use std::fmt;

use uuid::Uuid;

/// The namespace of all that Hooklane derives: drawn once.
const HOOKLANE: Uuid = Uuid::from_u128(0x1d0f_8f6a_6b0e_4f0c_9c55_5e0a_7c1b_2d43);

/// What an input is known by, so that its lines get the same ids when it is sent again.
///
/// Two inputs of different names never share an id: equal lines at equal places are different events then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InputName(Uuid);

impl InputName {
    /// The input of this name.
    pub fn new(name: &str) -> Self {
        Self(Uuid::new_v5(&HOOKLANE, name.as_bytes()))
    }
}

impl fmt::Debug for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputName({})", self.0)
    }
}

/// Where the ids of lines without one come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Random: the input has no name, and a repetition cannot be told from new events.
    Fresh,
    /// From the input, the event name, the message group, the line's number and its bytes.
    Derived(Uuid),
}

impl Ids {
    pub(crate) fn new(input: Option<InputName>, event_name: Option<&str>) -> Self {
        let name = event_name.unwrap_or_default();
        match input {
            None => Self::Fresh,
            Some(InputName(input)) => Self::Derived(Uuid::new_v5(&input, name.as_bytes())),
        }
    }

    /// The id of a line, its line end not included.
    pub(crate) fn of(self, group: Option<&str>, number: u64, line: &[u8]) -> Uuid {
        let Self::Derived(namespace) = self else {
            return Uuid::new_v4();
        };
        // Neither a group nor a number holds a line feed, so the three cannot run together.
        let mut name = format!("{}\n{number}\n", group.unwrap_or_default()).into_bytes();
        name.extend_from_slice(line);
        Uuid::new_v5(&namespace, &name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"{\"n\":1}";

    fn named(input: &str, event: Option<&str>) -> Ids {
        Ids::new(Some(InputName::new(input)), event)
    }

    #[test]
    fn a_line_sent_again_has_the_same_id() {
        let id = named("a", None).of(Some("g"), 7, LINE);
        assert_eq!(id, named("a", None).of(Some("g"), 7, LINE));
        assert_eq!(
            id.to_string(),
            "da75c23e-c7b3-5d00-8885-7a7e5f6586d8",
            "a later version must derive the same"
        );
    }

    #[test]
    fn whatever_differs_makes_another_event() {
        let ids = [
            named("a", None).of(Some("g"), 7, LINE),
            named("b", None).of(Some("g"), 7, LINE),
            named("a", Some("e")).of(Some("g"), 7, LINE),
            named("a", None).of(Some("h"), 7, LINE),
            named("a", None).of(None, 7, LINE),
            named("a", None).of(Some("g"), 8, LINE),
            named("a", None).of(Some("g"), 7, b"{\"n\":2}"),
        ];
        for (n, id) in ids.iter().enumerate() {
            assert!(!ids[..n].contains(id), "{n}");
        }
    }

    #[test]
    fn an_input_without_a_name_has_fresh_ids() {
        let ids = Ids::new(None, None);
        assert_ne!(ids.of(None, 1, LINE), ids.of(None, 1, LINE));
    }
}
