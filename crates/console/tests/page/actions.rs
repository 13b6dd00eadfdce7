//! Replays and drops from the page.

use std::time::Duration;

use letters::{Selection, take};
use queue::{Queue, ReceiveOptions};
use rig::letters::{World, letter, native};
use store::Ledger;
use tokio_util::sync::CancellationToken;

use crate::visitor::{Site, Visitor};
use crate::{of_group, own_record};

const ALL: [(&str, &str); 1] = [("scope", "all")];

/// The `msg_id`s of a group in the source queue, in order.
async fn sent_to(source: &Queue, group: &str) -> Vec<String> {
    let mut sent = Vec::new();
    let options = ReceiveOptions {
        max: 10,
        wait: Duration::ZERO,
        visibility: Duration::from_secs(600),
    };
    loop {
        let messages = source.receive(options).await.unwrap();
        if messages.is_empty() {
            return sent;
        }
        let handles: Vec<_> = messages.iter().map(|m| m.receipt_handle.as_str()).collect();
        source.delete_batch(&handles).await.unwrap();
        for message in messages
            .iter()
            .filter(|m| m.group.as_deref() == Some(group))
        {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            sent.push(body["msg_id"].as_str().unwrap().to_owned());
        }
    }
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("e-{n}")).collect()
}

/// The value of the checkbox of a letter.
async fn box_of(visitor: &mut Visitor, id: &str) -> String {
    let detail = visitor.get(&format!("/letters/{id}")).await;
    detail.between("name=\"id\" value=\"", "\"").to_owned()
}

/// A world with 300 letters of one group and 20 of another, a site on it, and somebody who has scanned.
async fn begun() -> (World, Site, Visitor) {
    let world = World::new().await;
    let mut big = of_group(&world, "EventSetup_7", 0..300);
    big.reverse();
    world.send(big).await;
    world.send(of_group(&world, "EventSetup_8", 300..320)).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    (world, site, ada)
}

#[tokio::test(start_paused = true)]
async fn a_group_is_replayed_in_its_original_order_and_the_others_stay() {
    let (world, _site, mut ada) = begun().await;
    let chosen = [("scope", "all"), ("group", "EventSetup_7")];
    let preview = ada.post("/replay/preview", &chosen).await;
    preview
        .is(200)
        .says("Replay 300 dead letters?")
        .says("1 message group");
    preview.says(
        "whether newer events of EventSetup_7 were delivered since is not known (there is no ledger sqlite:",
    );
    let job = ada
        .confirm("/replay", &preview, &[("why", "it is back")])
        .await;
    let job = job.location().to_owned();
    ada.get(&job).await.says("data-refresh").says("id=\"stop\"");
    ada.until_over(&format!("{job}/progress")).await;
    let result = ada.get(&job).await;
    result
        .says("<strong id=\"summary\">300 of 300 dead letters replayed</strong>")
        .says("Reason: <bdi>it is back");
    assert_eq!(sent_to(&world.source, "EventSetup_7").await, ids(0..300));
    assert_eq!(world.counts().await.total(), 20);
    // The snapshot knows, without another scan.
    ada.get("/letters")
        .await
        .says("<strong>20 dead letters</strong>")
        .says("300 replayed or dropped since");
    ada.get("/jobs")
        .await
        .says("300 of 300 dead letters replayed");
}

#[tokio::test(start_paused = true)]
async fn one_letter_and_some_that_were_chosen_are_replayed() {
    let (world, _site, mut ada) = begun().await;
    let one = box_of(&mut ada, "origin-301").await;
    let result = ada.carry_out("/replay", &[("id", &one)], &[]).await;
    result.says("1 of 1 dead letter replayed");
    let (a, b) = (
        box_of(&mut ada, "origin-310").await,
        box_of(&mut ada, "origin-305").await,
    );
    let result = ada
        .carry_out(
            "/replay",
            &[("scope", "chosen"), ("id", &a), ("id", &b)],
            &[("rate", "5")],
        )
        .await;
    result.says("2 of 2 dead letters replayed");
    assert_eq!(
        sent_to(&world.source, "EventSetup_8").await,
        ["e-301", "e-305", "e-310"]
    );
    assert_eq!(world.counts().await.total(), 317);
}

#[tokio::test(start_paused = true)]
async fn a_drop_needs_a_reason_and_keeps_what_it_drops_in_a_file() {
    let (world, site, mut ada) = begun().await;
    let chosen = [("scope", "all"), ("group", "EventSetup_8")];
    let preview = ada.post("/drop/preview", &chosen).await;
    preview.says("Drop 20 dead letters?").says("required");
    for why in ["", "  ", "two\nlines", "\u{202e}"] {
        ada.confirm("/drop", &preview, &[("why", why)])
            .await
            .is(422)
            .says("Nothing was changed");
    }
    let job = ada
        .confirm("/drop", &preview, &[("why", "a test tenant")])
        .await;
    let job = job.location().to_owned();
    ada.until_over(&format!("{job}/progress")).await;
    let result = ada.get(&job).await;
    result.says("20 of 20 dead letters dropped");
    let path = result.between("<code id=\"file\"><bdi>", "</bdi>");
    assert!(
        path.starts_with(site.directory.path().to_str().unwrap()),
        "{path}"
    );
    let lines = std::fs::read_to_string(path).unwrap();
    assert_eq!(lines.lines().count(), 20);
    assert_eq!(world.counts().await.total(), 300);
    assert_eq!(world.source.counts().await.unwrap().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_previewed_is_what_happens() {
    let (world, _site, mut ada) = begun().await;
    let preview = ada
        .post(
            "/replay/preview",
            &[("scope", "all"), ("group", "EventSetup_8")],
        )
        .await;
    // The filter would mean these too, and a new scan sees them.
    world.send(of_group(&world, "EventSetup_8", 320..330)).await;
    ada.scan().await;
    let job = ada
        .confirm("/replay", &preview, &[])
        .await
        .location()
        .to_owned();
    ada.until_over(&format!("{job}/progress")).await;
    ada.get(&job).await.says("20 of 20 dead letters replayed");
    assert_eq!(sent_to(&world.source, "EventSetup_8").await, ids(300..320));
    assert_eq!(world.counts().await.total(), 310);
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_if_one_of_the_letters_is_in_other_hands() {
    let (world, _site, mut ada) = begun().await;
    let preview = ada
        .post(
            "/replay/preview",
            &[("scope", "all"), ("group", "EventSetup_8")],
        )
        .await;
    let colleague = Selection::of_ids(["origin-303".to_owned()]).unwrap();
    let stop = CancellationToken::new();
    let taken = take(&world.dead, colleague, &stop, |_| ()).await.unwrap();
    let job = ada
        .confirm("/replay", &preview, &[])
        .await
        .location()
        .to_owned();
    ada.until_over(&format!("{job}/progress")).await;
    let result = ada.get(&job).await;
    result
        .says("Nothing was changed.")
        .says("1 of the 20 letters are not to be had");
    result.says("in the hands of somebody else");
    taken.give_back().await;
    assert_eq!(world.counts().await.visible, 320);
    assert_eq!(world.source.counts().await.unwrap().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_job_runs_at_a_time_and_can_be_stopped() {
    let (world, site, mut ada) = begun().await;
    let mut bob = site.visitor();
    bob.get("/").await;
    let slow = ada
        .post(
            "/replay/preview",
            &[("scope", "all"), ("group", "EventSetup_7")],
        )
        .await;
    let other = bob
        .post(
            "/drop/preview",
            &[("scope", "all"), ("group", "EventSetup_8")],
        )
        .await;
    let job = ada
        .confirm("/replay", &slow, &[("rate", "1")])
        .await
        .location()
        .to_owned();
    // A second click leads to the same job.
    assert_eq!(
        ada.confirm("/replay", &slow, &[("rate", "1")])
            .await
            .location(),
        job
    );
    let refused = bob.confirm("/drop", &other, &[("why", "no")]).await;
    refused
        .is(409)
        .says("Another job</a> is running, begun by <bdi>ada@here</bdi>");
    bob.post("/scan", &[])
        .await
        .is(409)
        .says("A job is running");

    while !ada
        .get(&format!("{job}/progress"))
        .await
        .body
        .contains("replayed")
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bob.post(&format!("{job}/stop"), &[]).await.location();
    ada.until_over(&format!("{job}/progress")).await;
    ada.get(&job)
        .await
        .says("It was stopped. What was left is as it was.");
    let (left, sent) = (world.counts().await, world.source.counts().await.unwrap());
    assert_eq!((left.visible + sent.visible, left.not_visible), (320, 0));
    assert!(sent.visible > 0 && left.visible > 20, "{left:?} {sent:?}");
    // What was refused can be confirmed now.
    let job = bob
        .confirm("/drop", &other, &[("why", "yes")])
        .await
        .location()
        .to_owned();
    bob.until_over(&format!("{job}/progress")).await;
    bob.get(&job).await.says("20 of 20 dead letters dropped");
}

#[tokio::test(start_paused = true)]
async fn a_console_that_is_told_to_stop_gives_back_what_its_job_holds() {
    let (world, site, mut ada) = begun().await;
    let slow = ada.post("/replay/preview", &ALL).await;
    ada.confirm("/replay", &slow, &[("rate", "1")])
        .await
        .location();
    while world.source.counts().await.unwrap().total() == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    site.console.finish().await;
    let (left, sent) = (world.counts().await, world.source.counts().await.unwrap());
    assert_eq!((left.visible + sent.visible, left.not_visible), (320, 0));
}

#[tokio::test(start_paused = true)]
async fn newer_events_that_were_delivered_since_are_warned_of() {
    let world = World::new().await;
    world.send(of_group(&world, "EventSetup_7", 0..5)).await;
    let mut spec = None;
    let site = Site::with(&world, |settings| spec = Some(settings.ledger.clone()));
    let ledger = Ledger::open(&spec.unwrap(), Duration::from_secs(3_600))
        .await
        .unwrap();
    let (queue, group) = (world.source.url(), "EventSetup_7");
    let deaths = [(group.to_owned(), rig::letters::START)].into();
    let noted = ledger.watch(queue, &deaths, rig::letters::START);
    noted.await.unwrap();
    let mut ada = site.visitor();
    ada.scan().await;
    // Every worker watches the group, and none has delivered anything newer.
    let preview = ada.post("/replay/preview", &ALL).await;
    preview.is(200).says_not("accept-order");
    let number = "00000000000000000003";
    let noted = ledger.note_delivered(queue, group, number, rig::letters::START);
    noted.await.unwrap();
    let preview = ada.post("/replay/preview", &ALL).await;
    preview.is(200).says(
        "newer events of EventSetup_7 were delivered since: 3 of these would arrive after them",
    );
    preview.says("Replay nevertheless").says("Overtaken");
    preview
        .says("id=\"accept-order\"")
        .says_not("accept-hidden");
    for accepted in [&[][..], &[("accept", "hidden")]] {
        let refused = ada.confirm_only("/replay", &preview, accepted).await;
        refused
            .is(422)
            .says("Replay although newer events of a group were delivered since");
    }
    assert_eq!(world.counts().await.total(), 5);
    let accepted = [("accept", "order")];
    let begun = ada.confirm_only("/replay", &preview, &accepted).await;
    let job = begun.location().to_owned();
    ada.until_over(&format!("{job}/progress")).await;
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_is_accepted_apart_and_only_where_its_group_is_selected() {
    let world = World::new().await;
    let letters = (0..15).map(|n| native("EventSetup_3", n));
    world.send(letters.collect()).await;
    world.send(of_group(&world, "EventSetup_7", 0..2)).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let other = [("scope", "all"), ("group", "EventSetup_7")];
    let preview = ada.post("/replay/preview", &other).await;
    preview.is(200).says("5 messages hidden");
    preview.says("accept-order").says_not("accept-hidden");
    let preview = ada.post("/replay/preview", &ALL).await;
    preview.says("there is no ledger");
    preview.says("the native redrive moved them");
    let order = [("accept", "order")];
    let refused = ada.confirm_only("/replay", &preview, &order).await;
    refused
        .is(422)
        .says("Replay although letters of the same groups are hidden");
    let both = [order[0], ("accept", "hidden")];
    let begun = ada.confirm_only("/replay", &preview, &both).await;
    assert!(begun.location().starts_with("/jobs/"));
}

#[tokio::test(start_paused = true)]
async fn letters_that_cannot_go_are_told_before_and_after() {
    let world = World::new().await;
    let mut letters = of_group(&world, "EventSetup_7", 0..3);
    // The second came from another queue.
    let mut record = rig::letters::record(1);
    record.origin.group = Some("EventSetup_7".to_owned());
    letters[1] = rig::letters::letter(&record, "{}");
    world.send(letters).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let preview = ada.post("/replay/preview", &ALL).await;
    preview
        .says("1 letter cannot go")
        .says("it came from another queue")
        .says("`hooklane dlq replay --to` sends it to a queue that you name");
    let result = ada.carry_out("/replay", &ALL, &[]).await;
    result.says("1 of 3 dead letters replayed, 1 failed, 1 left as they were");
    result.says("`hooklane dlq replay --to`");
    let link = result
        .between(
            "<h2 id=\"failures-title\">What failed</h2><ul><li><a href=\"",
            "\"",
        )
        .to_owned();
    ada.get(&link).await.is(200).says("origin-1");
}

#[tokio::test(start_paused = true)]
async fn nothing_chosen_and_previews_that_are_too_old_are_told() {
    let (world, _site, mut ada) = begun().await;
    ada.post("/replay/preview", &[("scope", "chosen")])
        .await
        .is(422)
        .says("Choose the letters first");
    ada.post("/replay/preview", &[("id", "nobody")])
        .await
        .is(422)
        .says("1 letter is not in the snapshot any more");
    ada.post("/drop", &[("plan", "nothing"), ("why", "x")])
        .await
        .is(409)
        .says("too old");
    let preview = ada.post("/replay/preview", &ALL).await;
    ada.confirm("/drop", &preview, &[("why", "x")])
        .await
        .is(409);
    for rate in ["0", "-1", "many"] {
        ada.confirm("/replay", &preview, &[("rate", rate)])
            .await
            .is(422);
    }
    tokio::time::advance(Duration::from_secs(31 * 60)).await;
    ada.confirm("/replay", &preview, &[])
        .await
        .is(409)
        .says("too old");
    ada.get("/jobs/none").await.is(404);
    assert_eq!(world.counts().await.visible, 320);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_made_drops_nothing() {
    let world = World::new().await;
    world.send(of_group(&world, "EventSetup_7", 0..3)).await;
    let site = Site::with(&world, |settings| settings.drop_dir = "/nowhere".into());
    let mut ada = site.visitor();
    ada.scan().await;
    let result = ada.carry_out("/drop", &ALL, &[("why", "x")]).await;
    result.says("Nothing was changed.").says("cannot be made");
    assert_eq!(world.counts().await.visible, 3);
}

/// A letter of the native redrive, and the record that the worker wrote of the same event before: its first id is
/// the present one of the other.
async fn twins() -> (World, Site, Visitor, String) {
    let world = World::new().await;
    world.send(vec![native("EventSetup_7", 1)]).await;
    let stop = CancellationToken::new();
    let taken = take(&world.dead, Selection::default(), &stop, |_| ())
        .await
        .unwrap();
    let id = taken.letters()[0].message.message_id.clone();
    taken.give_back().await;
    let mut record = own_record(&world, 1);
    record.origin.message_id.clone_from(&id);
    world
        .send(vec![letter(&record, r#"{"msg_id":"e-1"}"#)])
        .await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    (world, site, ada, id)
}

#[tokio::test(start_paused = true)]
async fn the_letter_that_was_ticked_is_the_one_that_goes() {
    let (world, site, mut ada, native) = twins().await;
    let chosen = [("scope", "chosen"), ("id", native.as_str())];
    let result = ada.carry_out("/drop", &chosen, &[("why", "x")]).await;
    result.says("1 of 1 dead letter dropped");
    let path = result.between("<code id=\"file\"><bdi>", "</bdi>");
    assert!(path.starts_with(site.directory.path().to_str().unwrap()));
    let dropped = std::fs::read_to_string(path).unwrap();
    assert!(
        dropped.contains("n-1") && !dropped.contains("e-1"),
        "{dropped}"
    );
    assert_eq!(world.counts().await.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_letters_that_were_ticked_are_two() {
    let (world, _site, mut ada, _) = twins().await;
    let list = ada.get("/letters").await;
    let boxes: Vec<_> = list
        .body
        .split("name=\"id\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let chosen: Vec<_> = boxes.iter().map(|id| ("id", id.as_str())).collect();
    assert_eq!(chosen.len(), 2);
    let result = ada.carry_out("/drop", &chosen, &[("why", "x")]).await;
    result.says("2 of 2 dead letters dropped");
    assert_eq!(world.counts().await.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_letter_of_the_list_has_a_page_of_its_own() {
    let (_world, _site, mut ada, _) = twins().await;
    let list = ada.get("/letters").await;
    let links = list.body.split("<a class=\"id\" href=\"").skip(1);
    let mut bodies = Vec::new();
    for link in links {
        let address = link.split('"').next().unwrap();
        ada.get(address).await.is(200).says("id=\"curl\"");
        bodies.push(ada.get(&format!("{address}/body")).await.body);
    }
    bodies.sort();
    assert_eq!(bodies, [r#"{"msg_id":"e-1"}"#, r#"{"msg_id":"n-1"}"#]);
}
