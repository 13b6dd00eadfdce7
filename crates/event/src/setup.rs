//! Event setups and the message groups named after them.

const PREFIX: &str = "EventSetup_";

/// Longest message group id that Amazon SQS takes, in characters.
const MAX_GROUP_LEN: usize = 128;

/// Why an event setup id cannot name a message group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetup {
    /// There is no id.
    #[error("the event setup id is empty")]
    Empty,
    /// The group would be longer than 128 characters.
    #[error(
        "the event setup id has {length} characters, at most {} fit a message group",
        MAX_GROUP_LEN - PREFIX.len()
    )]
    TooLong {
        /// Characters found.
        length: usize,
    },
    /// Message groups are letters, digits and ASCII punctuation.
    #[error(
        "the event setup id contains {character:?}, but a message group takes only letters, digits and ASCII punctuation"
    )]
    Character {
        /// The first character that does not fit.
        character: char,
    },
}

/// The message group of an event setup, `EventSetup_<id>`.
///
/// # Errors
/// If Amazon SQS would not take the group: 1 to 128 of letters, digits and ASCII punctuation.
pub fn group_of_setup(id: &str) -> Result<String, InvalidSetup> {
    if id.is_empty() {
        return Err(InvalidSetup::Empty);
    }
    if let Some(character) = id.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(InvalidSetup::Character { character });
    }
    if PREFIX.len() + id.len() > MAX_GROUP_LEN {
        return Err(InvalidSetup::TooLong { length: id.len() });
    }
    Ok(format!("{PREFIX}{id}"))
}

/// The event setup a message group is named after, or `None` if the group is not `EventSetup_<id>`.
pub fn setup_of_group(group: &str) -> Option<&str> {
    let id = group.strip_prefix(PREFIX)?;
    group_of_setup(id).is_ok().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_after_its_setup() {
        assert_eq!(group_of_setup("77").as_deref(), Ok("EventSetup_77"));
        assert_eq!(setup_of_group("EventSetup_77"), Some("77"));
    }

    #[test]
    fn other_groups_name_no_setup() {
        for group in ["", "EventSetup_", "eventsetup_1", "EventSetup_a b", "other"] {
            assert_eq!(setup_of_group(group), None, "{group:?}");
        }
    }

    #[test]
    fn an_id_that_sqs_would_refuse_is_refused() {
        assert_eq!(group_of_setup(""), Err(InvalidSetup::Empty));
        assert_eq!(
            group_of_setup("a\u{e9}"),
            Err(InvalidSetup::Character {
                character: '\u{e9}'
            })
        );
        assert!(group_of_setup(&"9".repeat(117)).is_ok());
        let error = group_of_setup(&"9".repeat(118)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the event setup id has 118 characters, at most 117 fit a message group"
        );
    }

    #[test]
    fn every_punctuation_mark_of_the_service_model_is_taken() {
        let allowed = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;
        assert!(group_of_setup(allowed).is_ok());
    }
}
