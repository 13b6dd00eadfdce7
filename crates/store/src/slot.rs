//! Where something lies among all that a ledger keeps, whichever place it is kept in.

use crate::{Key, NoteKey};

/// Records of messages and notes lie in one table, and are told apart by their ids: no MessageId has a colon. Versions
/// before have it so, and may run beside this one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// The URL of the source queue.
    pub(crate) queue: String,
    /// The MessageId; `group:` and its name for the note of a message group, `groups:watched` for those watched.
    pub(crate) id: String,
    /// The message group. Written down for people; not part of the identity.
    pub(crate) group: Option<String>,
}

impl From<&Key> for Slot {
    fn from(key: &Key) -> Self {
        Self {
            queue: key.queue.clone(),
            id: key.message_id.clone(),
            group: key.group.clone(),
        }
    }
}

impl From<&NoteKey> for Slot {
    fn from(key: &NoteKey) -> Self {
        match key {
            NoteKey::Group { queue, group } => Self {
                queue: queue.clone(),
                id: format!("group:{group}"),
                group: Some(group.clone()),
            },
            NoteKey::Watched { queue } => Self {
                queue: queue.clone(),
                id: "groups:watched".to_owned(),
                group: None,
            },
        }
    }
}
