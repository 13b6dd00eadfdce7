//! What the pages show.

use std::time::Duration;

use delivery::Reason;
use event::EVENT_NAME;
use queue::Attribute;
use rig::letters::{World, letter, native};

use crate::visitor::{Answer, Site};
use crate::{of_group, own_record};

const SCRIPT: &str = "<script>alert(1)</script>";

/// Whether nothing in a page runs or styles but our own two files.
#[track_caller]
fn assert_harmless(page: &Answer) {
    assert_eq!(page.body.matches("<script").count(), 1, "{}", page.body);
    assert!(
        page.body
            .contains(r#"<script src="/assets/console.js" defer></script>"#)
    );
    for forbidden in [
        " style=",
        "<style",
        " onclick",
        " onerror=\"",
        "javascript:",
        "<img",
        "<b>",
        "http-equiv=\"x",
    ] {
        assert!(
            !page.body.contains(forbidden),
            "{forbidden} in {}",
            page.body
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_strangers_wrote_is_text_on_every_page() {
    let world = World::new().await;
    let mut record = own_record(&world, 1);
    record.origin.message_id = SCRIPT.to_owned();
    record.origin.group = Some(SCRIPT.to_owned());
    record.callback = Some(format!("https://a.example/{SCRIPT}"));
    record.detail = Some(SCRIPT.to_owned());
    record.attempts[3].excerpt = format!("{SCRIPT}<img src=x onerror=alert(2)>\u{202e}");
    let mut sent = letter(
        &record,
        &format!("{{\"msg_id\":\"{SCRIPT}\",\"b\":\"<b>\u{202e}\"}}"),
    );
    sent.group = Some("g".to_owned());
    sent.deduplication_id = Some("d".to_owned());
    sent.attributes
        .insert(EVENT_NAME.to_owned(), Attribute::string(SCRIPT));
    world.send(vec![sent]).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;

    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;";
    let id = "/letters/%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
    let echoed =
        "/letters?group=%3Cscript%3Ealert(1)%3C/script%3E&status=%3Cscript%3Ealert(1)%3C/script%3E";
    let nobody = format!("{id}-nobody");
    for path in [
        "/",
        "/letters",
        id,
        echoed,
        &nobody,
        &format!("{id}?url=javascript:%3Cb%3E"),
    ] {
        let page = ada.get(path).await;
        assert!(page.body.contains(shown), "{path}: {}", page.body);
        if !path.contains("javascript") {
            assert_harmless(&page);
        }
    }
    let detail = ada.get(id).await;
    // The excerpt, with what turns the direction around made visible, and the body.
    detail.says("onerror=alert(2)&gt;<span class=\"hidden\">\\u{202e}</span>");
    detail.says("&quot;&lt;b&gt;");
    let dropping = ada.post("/drop/preview", &[("scope", "all")]).await;
    assert_harmless(dropping.is(200).says(shown));
    let preview = ada.post("/replay/preview", &[("scope", "all")]).await;
    assert_harmless(preview.is(200).says(shown));
    let result = ada.confirm("/replay", &preview, &[("why", SCRIPT)]).await;
    let job = result.location().to_owned();
    ada.until_over(&format!("{job}/progress")).await;
    assert_harmless(ada.get(&job).await.says("Reason: <bdi>&lt;script&gt;"));
    assert_harmless(&ada.get("/jobs").await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_scanned_until_somebody_asks() {
    let world = World::new().await;
    world.send_dead_events(3).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    for path in [
        "/",
        "/letters?group=EventSetup_7",
        "/letters/origin-1",
        "/counts",
    ] {
        let page = ada.get(path).await;
        assert!(!page.body.contains("origin-2"), "{path}: {}", page.body);
    }
    ada.get("/")
        .await
        .says("Nothing scanned yet")
        .says("The queue holds about <strong>3</strong>");
    // Asking back where one was.
    let asked = ada
        .post("/scan", &[("next", "/letters?group=EventSetup_7")])
        .await;
    assert_eq!(asked.location(), "/letters?group=EventSetup_7");
    ada.get("/")
        .await
        .says("data-refresh=\"/scan\"")
        .says("<noscript><meta http-equiv=\"refresh\" content=\"2\">");
    ada.until_over("/scan").await;
    ada.get("/")
        .await
        .says("<strong id=\"snapshot-count\">3 dead letters</strong>");
    assert_eq!(world.counts().await.visible, 3);
    tokio::time::advance(Duration::from_secs(125)).await;
    ada.get("/").await.says("2 min ago");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_is_stopped_shows_what_it_has_seen_and_gives_it_back() {
    let world = World::new().await;
    world.send_dead_events(20).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.get("/").await;
    ada.post("/scan", &[]).await.location();
    ada.post("/scan/stop", &[]).await.location();
    ada.until_over("/scan").await;
    ada.get("/").await.says("it was stopped");
    assert_eq!(world.counts().await.visible, 20);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_reached_is_told() {
    let world = World::new().await;
    let mut broken = World::new().await;
    broken.dead = world.breaking("GetQueueAttributes", 1).await;
    let site = Site::open(&broken);
    let mut ada = site.visitor();
    ada.get("/").await.is(200).says("Cannot be counted: ");
    ada.scan().await;
    ada.get("/").await.is(200).says("The scan failed: ");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_keeps_no_page_waiting() {
    let mut world = World::new().await;
    world.send_dead_events(1).await;
    let answering = world.dead.clone();
    world.dead = world.silent("GetQueueAttributes").await;
    world.source = world.dead.clone();
    let site = Site::open(&world);
    let mut ada = site.visitor();
    for path in ["/", "/counts"] {
        let began = tokio::time::Instant::now();
        let page = ada.get(path).await;
        page.is(200).says("Cannot be counted: ").says("no answer");
        assert!(began.elapsed() <= Duration::from_secs(5), "{path}");
    }
    assert_eq!(answering.counts().await.unwrap().visible, 1);
}

#[tokio::test(start_paused = true)]
async fn the_counts_are_asked_for_once_in_five_seconds_however_many_look() {
    let world = World::new().await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    let visible = "<div class=\"visible\"><dt>Visible</dt><dd>";
    ada.get("/").await;
    world.send_dead_events(1).await;
    let internal = |counts: Answer| counts.body.rsplit_once(visible).unwrap().1.chars().next();
    assert_eq!(internal(ada.get("/counts").await), Some('0'));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(internal(ada.get("/counts").await), Some('1'));
}

#[tokio::test(start_paused = true)]
async fn the_overview_counts_letters_and_each_bar_leads_to_them() {
    let world = World::new().await;
    world.send(of_group(&world, "EventSetup_7", 0..5)).await;
    world.send(of_group(&world, "EventSetup_8", 5..7)).await;
    let mut other = own_record(&world, 7);
    (other.reason, other.callback) = (Reason::NoCallback, None);
    other.attempts.clear();
    world.send(vec![letter(&other, "{}")]).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let overview = ada.get("/").await;
    overview
        .says("<p class=\"facts\" id=\"oldest\">The oldest died")
        .says("id=\"plot\"");
    for (link, count) in [
        ("reason=exhausted", 7),
        ("reason=no-callback", 1),
        ("status=500", 7),
        ("status=none", 1),
        ("host=hooks.example.com", 7),
        ("host=none", 1),
        ("group=EventSetup_8", 2),
    ] {
        overview.says(&format!("<a href=\"/letters?{link}\">"));
        let list = ada.get(&format!("/letters?{link}")).await;
        assert_eq!(list.body.matches("<tr data-id").count(), count, "{link}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_has_pages_of_a_hundred_in_the_order_of_death() {
    let world = World::new().await;
    world.send_dead_events(250).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let ids = |page: &Answer| {
        let rows = page.body.split("<tr data-id=\"").skip(1);
        rows.map(|row| row.split('"').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let expected =
        |range: std::ops::Range<u32>| range.map(|n| format!("origin-{n}")).collect::<Vec<_>>();
    assert_eq!(ids(&ada.get("/letters").await), expected(0..100));
    let last = ada.get("/letters?page=3").await;
    assert_eq!(ids(&last), expected(200..250));
    last.says("Page 3 of 3").says("201 to 250 shown");
    let newest = ids(&ada.get("/letters?order=newest").await);
    assert_eq!(
        newest,
        expected(150..250).into_iter().rev().collect::<Vec<_>>()
    );
    // Beyond the end is the end.
    assert_eq!(ids(&ada.get("/letters?page=99").await), expected(200..250));
    let filtered = ada
        .get("/letters?contains=%22e-24&since=2025-02-12T14:33")
        .await;
    assert_eq!(ids(&filtered), expected(240..250));
    filtered.says("<input type=\"hidden\" name=\"since\" value=\"2025-02-12T14:33:00.000Z\">");
    ada.get("/letters?contains=nobody")
        .await
        .is(200)
        .says("No dead letter of the snapshot matches");
}

#[tokio::test(start_paused = true)]
async fn a_criterion_that_cannot_be_used_is_told_at_its_field_and_finds_nothing() {
    let world = World::new().await;
    world.send_dead_events(3).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let page = ada.get("/letters?status=0xx&group=EventSetup_7").await;
    page.is(422)
        .says("aria-describedby=\"status-problem\"")
        .says("a class (5xx)");
    page.says("value=\"EventSetup_7\"");
    assert!(
        !page.body.contains("<tr data-id") && !page.body.contains("replay-all"),
        "{}",
        page.body
    );
    let preview = ada
        .post("/drop/preview", &[("scope", "all"), ("status", "0xx")])
        .await;
    preview.is(422).says("A criterion cannot be used");
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_shown_with_its_attempts_its_body_and_its_request() {
    let world = World::new().await;
    world.send(of_group(&world, "EventSetup_7", 0..3)).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let detail = ada
        .get("/letters/origin-1?url=https://my.example/hook")
        .await;
    detail
        .is(200)
        .says("<code id=\"id\"><bdi>origin-1</bdi></code>");
    detail.says("the last attempt ended with 500 Internal Server Error");
    assert_eq!(detail.body.matches("<li value=\"").count(), 4);
    let command = detail.between("id=\"curl\" tabindex=\"0\" dir=\"ltr\">", "</pre>");
    assert!(command.contains("'webhook-id: e-1'"), "{command}");
    assert!(
        command.contains("&quot;X-Payload-Signature: $SIGNATURE&quot;"),
        "{command}"
    );
    assert!(command.ends_with("'https://my.example/hook'"), "{command}");

    let present = detail.between("name=\"id\" value=\"", "\"").to_owned();
    ada.get(&format!("/letters/{present}"))
        .await
        .is(200)
        .says("origin-1");
    let body = ada.get(&format!("/letters/{present}/body")).await;
    assert_eq!(
        body.body,
        r#"{"msg_id":"e-1","MessageGroupId":"EventSetup_7"}"#
    );
    assert_eq!(
        body.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        body.header("content-disposition"),
        Some("attachment; filename=\"body.json\"")
    );
    let posted = ada.get("/letters/origin-1/request-body").await;
    let expected = r#"{"msg_id":"e-1","MessageGroupId":"EventSetup_7","MessageDeDuplicationId":"2025-02-12T14:30:45.000"}"#;
    assert_eq!(posted.body, expected);

    ada.get("/letters/nobody")
        .await
        .is(404)
        .says("It is not in the snapshot");
    ada.get("/letters/nobody/body").await.is(404);
    ada.get("/letters/origin-1?url=ftp://a")
        .await
        .is(200)
        .says("id=\"url-problem\"");
}

#[tokio::test(start_paused = true)]
async fn copies_of_one_event_can_be_told_apart() {
    let world = World::new().await;
    let copy = || letter(&own_record(&world, 1), "{}");
    let mut second = copy();
    second.deduplication_id = Some("another".to_owned());
    second.group = Some("another".to_owned());
    world.send(vec![copy(), second]).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let both = ada.get("/letters/origin-1").await;
    both.is(200).says("2 dead letters have this id");
    let list = ada.get("/letters").await;
    let address = list.between("<a class=\"id\" href=\"", "\"").to_owned();
    ada.get(&address).await.is(200).says("id=\"curl\"");
}

#[tokio::test(start_paused = true)]
async fn letters_of_the_native_redrive_are_shown_and_the_hidden_ones_told() {
    let world = World::new().await;
    world
        .send((0..15).map(|n| native("EventSetup_9", n)).collect())
        .await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let list = ada.get("/letters?reason=receive-count-exceeded").await;
    assert_eq!(list.body.matches("<tr data-id").count(), 10);
    list.says("incomplete: 5 messages hidden");
    let preview = ada.post("/replay/preview", &[("scope", "all")]).await;
    preview
        .is(200)
        .says("Replay 10 dead letters?")
        .says("incomplete: 5 messages hidden");
}

#[tokio::test(start_paused = true)]
async fn numbers_that_no_worker_writes_break_no_page() {
    let world = World::new().await;
    let mut record = own_record(&world, 1);
    for (at, attempt) in record.attempts.iter_mut().enumerate() {
        (attempt.life, attempt.n) = (at as u32, u32::MAX);
        attempt.duration_ms = u64::MAX;
    }
    record.replays = u32::MAX;
    world.send(vec![letter(&record, "{}")]).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    ada.get("/").await.is(200);
    ada.get("/letters").await.is(200).says("origin-1");
    ada.get("/letters/origin-1").await.is(200);
    ada.get("/letters?since=99999999999999999d").await.is(422);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_endless_names_is_no_endless_page() {
    let world = World::new().await;
    let letters = (0..20).map(|n| {
        let mut record = own_record(&world, n);
        record.origin.group = Some(format!("{n}{}", "g".repeat(2_000)));
        letter(&record, "{}")
    });
    let mut letters: Vec<_> = letters.collect();
    for (n, letter) in letters.iter_mut().enumerate() {
        letter.group = Some(format!("own-{n}"));
    }
    world.send(letters).await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let list = ada.get("/letters").await;
    list.is(200).says("origin-19");
    assert!(
        !list.body.contains(&"g".repeat(2_000)),
        "{}",
        list.body.len()
    );
}
