//! An upstream system that sends to the queue by itself: plain messages, with a message group, a deduplication
//! id of its own making and the attribute `event`, and nothing of that in the body.

use std::collections::BTreeMap;

use anyhow::Context as _;
use queue::{Attribute, Outgoing, Queue};

use super::observations::Sent;
use super::scenario::{Part, Planned, UPSTREAM, upstream};

/// Sends its messages one by one, as it would with `SendMessage`.
pub(super) async fn send(queue: &Queue, mut count: impl FnMut(u64)) -> anyhow::Result<Vec<Sent>> {
    let mut sent = Vec::new();
    for planned in upstream() {
        let message_id = send_one(queue, &planned).await?;
        sent.push(Sent {
            id: match planned.part {
                Part::NotAnEvent => message_id,
                _ => planned.id,
            },
            group: planned.group,
            part: planned.part,
        });
        count(sent.len() as u64);
    }
    Ok(sent)
}

async fn send_one(queue: &Queue, planned: &Planned) -> anyhow::Result<String> {
    let message = Outgoing {
        body: planned.body.clone(),
        group: Some(planned.group.clone()),
        deduplication_id: Some(format!("upstream-{}", planned.id)),
        attributes: BTreeMap::from([("event".to_owned(), Attribute::string(UPSTREAM.event))]),
    };
    let answer = queue.send_batch(&[message]).await?.pop();
    let sent = answer.context("the queue did not answer")?;
    Ok(sent
        .context("the queue refused an upstream message")?
        .message_id)
}
