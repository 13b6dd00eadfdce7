//! A record of ours on a message, beside the attributes that the message has: within what SQS takes.

use std::collections::BTreeMap;

use crate::limits::MAX_ATTRIBUTES;
use crate::{Attribute, Received};

/// An attribute and its name.
pub type Named<'m> = (&'m String, &'m Attribute);

impl Received {
    /// What the message carries besides records of `ours`, `first` first: the last to go where there is no room for all.
    pub fn own_attributes(&self, ours: &[&str], first: &str) -> Vec<Named<'_>> {
        let is_own = |(name, _): &Named<'_>| !ours.contains(&name.as_str());
        let mut own: Vec<_> = self.attributes.iter().filter(is_own).collect();
        own.sort_by_key(|(name, _)| *name != first);
        own
    }
}

/// The attributes of a message of `body` bytes with the record `name`, on a queue that takes `max_message_bytes`: of `own`
/// those for which there is a place beside the record, and the record in the bytes that they leave. None if it does not fit.
pub fn with_record(
    own: &[Named<'_>],
    body: usize,
    max_message_bytes: usize,
    name: &str,
    record: impl FnOnce(usize) -> Option<String>,
) -> Option<BTreeMap<String, Attribute>> {
    let own = &own[..own.len().min(MAX_ATTRIBUTES - 1)];
    let size: usize = own.iter().map(|(name, a)| a.size(name)).sum();
    let used = body + size + Attribute::string("").size(name);
    let text = record(max_message_bytes.checked_sub(used)?)?;
    let own = own.iter().map(|&(name, a)| (name.clone(), a.clone()));
    Some(
        own.chain([(name.to_owned(), Attribute::string(text))])
            .collect(),
    )
}
