//! Who is let in, and what may change anything.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use console::Settings;
use rig::letters::World;

use crate::visitor::{Site, TOKEN, Visitor};

/// Every page and piece that shows something.
const SHOWN: [&str; 10] = [
    "/",
    "/counts",
    "/scan",
    "/letters",
    "/letters/origin-1",
    "/letters/origin-1/body",
    "/letters/origin-1/request-body",
    "/jobs",
    "/jobs/1",
    "/jobs/1/progress",
];

/// Everything that changes something.
const CHANGES: [&str; 8] = [
    "/scan",
    "/scan/stop",
    "/replay/preview",
    "/drop/preview",
    "/replay",
    "/drop",
    "/jobs/1/stop",
    "/sign-out",
];

#[tokio::test(start_paused = true)]
async fn without_the_token_nothing_is_shown_and_nothing_changes() {
    let world = World::new().await;
    world.send_dead_events(3).await;
    let site = Site::guarded(&world);
    let mut known = site.visitor();
    known.sign_in("ada").await;
    known.scan().await;

    let mut stranger = site.visitor();
    for path in SHOWN {
        let answer = stranger.get(path).await;
        let next = path.replace('/', "%2F");
        assert_eq!(answer.location(), format!("/sign-in?next={next}"), "{path}");
        assert_eq!(
            (answer.body.as_str(), &stranger.cookie),
            ("", &None),
            "{path}"
        );
        let piece = stranger.sending("x-hooklane-refresh", "1").get(path).await;
        piece.is(401);
    }
    for path in CHANGES {
        stranger
            .post(path, &[("id", "origin-1")])
            .await
            .is(403)
            .says("signed out");
    }
    let nowhere = stranger.get("/nowhere").await;
    assert_eq!(nowhere.location(), "/sign-in?next=%2Fnowhere");
}

#[tokio::test(start_paused = true)]
async fn the_token_and_a_name_open_a_session_and_lead_back() {
    let world = World::new().await;
    let site = Site::guarded(&world);
    let mut ada = site.visitor();
    ada.get("/sign-in?next=/letters")
        .await
        .is(200)
        .says(r#"name="next" value="/letters""#);
    for (token, name, status) in [
        ("wrong", "ada", 403),
        (TOKEN, "", 422),
        (TOKEN, "a\u{202e}b", 422),
    ] {
        let refused = ada
            .post("/sign-in", &[("token", token), ("name", name)])
            .await;
        refused.is(status).says("id=\"problem\"");
        assert_eq!(ada.cookie, None);
    }
    let fields = [
        ("token", TOKEN),
        ("name", "ada"),
        ("next", "/letters?group=a"),
    ];
    let entered = ada.post("/sign-in", &fields).await;
    assert_eq!(entered.location(), "/letters?group=a");
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    ada.get("/").await.is(200).says("<bdi>ada</bdi>");

    let elsewhere = site.visitor();
    let fields = [
        ("token", TOKEN),
        ("name", "ada"),
        ("next", "//evil.example"),
    ];
    let entered = elsewhere
        .sending("x-forwarded-proto", "https")
        .post("/sign-in", &fields)
        .await;
    assert_eq!(entered.location(), "/");
    assert!(entered.header("set-cookie").unwrap().ends_with("; Secure"));
    let other_site = elsewhere
        .sending("sec-fetch-site", "cross-site")
        .post("/sign-in", &fields)
        .await;
    other_site.is(403);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_its_owner_signs_out_or_after_twelve_hours() {
    let world = World::new().await;
    let site = Site::guarded(&world);
    let (mut ada, mut bob) = (site.visitor(), site.visitor());
    ada.sign_in("ada").await;
    bob.sign_in("bob").await;
    let before = ada.clone();
    let left = ada.post("/sign-out", &[]).await;
    assert_eq!(left.location(), "/sign-in");
    assert!(
        left.header("set-cookie")
            .unwrap()
            .starts_with("hooklane_session_9465=;")
    );
    before.clone().get("/").await.location();
    bob.get("/").await.is(200);
    tokio::time::advance(Duration::from_secs(12 * 3_600)).await;
    bob.get("/").await.location();
}

#[tokio::test(start_paused = true)]
async fn a_change_without_the_token_of_its_own_session_is_refused() {
    let world = World::new().await;
    world.send_dead_events(3).await;
    let site = Site::open(&world);
    let (mut ada, mut bob) = (site.visitor(), site.visitor());
    ada.scan().await;
    bob.get("/").await;
    assert_ne!(ada.form_token, bob.form_token);
    for path in CHANGES {
        for token in ["", "0", &bob.form_token, &ada.form_token[1..]] {
            let mut forged = ada.clone();
            forged.form_token = token.to_owned();
            let answer = forged.post(path, &[("id", "origin-1")]).await;
            answer.is(403).says("Nothing was changed");
        }
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://evil.example"),
        ] {
            let answer = ada.sending(name, value).post(path, &[]).await;
            answer.is(403);
        }
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        ada.ask(method, "/letters", Body::empty()).await.is(403);
    }
    let too_much = Body::from("a".repeat(70_000));
    ada.ask(Method::POST, "/scan", too_much).await.is(413);
    assert_eq!(world.counts().await.visible, 3);
    ada.get("/").await.is(200);
}

#[tokio::test(start_paused = true)]
async fn only_names_of_this_machine_are_answered() {
    let world = World::new().await;
    let site = Site::open(&world);
    for host in [
        "evil.example",
        "evil.example:9465",
        "localhost.evil.example",
    ] {
        let mut rebound = site.visitor().sending("host", host);
        for path in ["/", "/assets/console.css", "/sign-in", "/nowhere"] {
            rebound.get(path).await.is(421);
        }
        assert_eq!(rebound.cookie, None);
        // Without a token, a proxy is no excuse.
        rebound
            .sending("x-forwarded-for", "10.0.0.1")
            .get("/")
            .await
            .is(421);
    }
    for host in ["localhost:9465", "[::1]:9465"] {
        site.visitor().sending("host", host).get("/").await.is(200);
    }
    let guarded = Site::guarded(&world);
    let mut proxied = guarded.visitor().sending("host", "console.example");
    proxied.get("/sign-in").await.is(421);
    proxied
        .sending("x-forwarded-proto", "https")
        .get("/sign-in")
        .await
        .is(200);
    let public = Site::with(&world, |settings| {
        let token = Some(delivery::Secret::new(TOKEN));
        *settings = Settings {
            token,
            loopback: false,
            ..settings.clone()
        };
    });
    public
        .visitor()
        .sending("host", "10.0.0.5:9465")
        .get("/sign-in")
        .await
        .is(200);
}

#[tokio::test(start_paused = true)]
async fn a_link_from_another_site_opens_no_session_and_leads_on() {
    let world = World::new().await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.get("/").await;
    // Browsers keep a SameSite=Strict cookie to themselves then.
    let mut followed = site.visitor().sending("sec-fetch-site", "cross-site");
    let answer = followed.get("/letters?group=a").await;
    answer
        .is(200)
        .says(r#"<meta http-equiv="refresh" content="0">"#);
    assert_eq!(followed.cookie, None);
    assert!(!answer.body.contains("form_token"), "{}", answer.body);
    ada.get("/letters?group=a").await.is(200).says("form_token");
}

#[tokio::test(start_paused = true)]
async fn every_answer_forbids_what_is_not_ours() {
    let world = World::new().await;
    world.send_dead_events(1).await;
    let site = Site::open(&world);
    let guarded = Site::guarded(&world);
    let mut ada = site.visitor();
    ada.scan().await;
    let mut answers = Vec::new();
    for path in SHOWN.iter().chain(&[
        "/nowhere",
        "/letters/none",
        "/letters?status=6xx",
        "/letters/%ff",
        "/assets/console.css",
        "/assets/console.js",
        "/assets/icon.svg",
        "/assets/none",
        "/sign-in",
    ]) {
        answers.push(ada.get(path).await);
        answers.push(guarded.visitor().get(path).await);
        answers.push(
            site.visitor()
                .sending("host", "evil.example")
                .get(path)
                .await,
        );
    }
    for path in CHANGES {
        answers.push(ada.ask(Method::POST, path, Body::empty()).await);
    }
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::HEAD] {
        answers.push(ada.ask(method, "/letters", Body::empty()).await);
    }
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"),
            "{answer:?}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_keep_no_cookie_push_nobody_out() {
    let world = World::new().await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    ada.get("/").await;
    ada.get("/").await;
    // A health check, say.
    for _ in 0..100 {
        site.visitor().get("/counts").await.is(200);
    }
    ada.post("/scan", &[]).await.is(303);
}

#[tokio::test(start_paused = true)]
async fn consoles_on_other_ports_of_the_same_machine_do_not_push_each_other_out() {
    let (world, other) = (World::new().await, World::new().await);
    let (site, neighbour) = (Site::open(&world), Site::open(&other));
    let mut ada = site.visitor();
    ada.get("/").await;
    let mut there = neighbour.visitor().sending("host", "127.0.0.1:9466");
    there.get("/").await;
    // Browsers tell cookies apart by name, not by port.
    let name = |visitor: &Visitor| {
        let cookie = visitor.cookie.clone().unwrap();
        cookie.split_once('=').unwrap().0.to_owned()
    };
    assert_ne!(name(&ada), name(&there));
}

#[tokio::test(start_paused = true)]
async fn every_loopback_address_is_a_name_of_this_machine() {
    let world = World::new().await;
    let site = Site::open(&world);
    for host in ["127.0.0.2:9465", "127.1.2.3", "[::ffff:127.0.0.1]:9465"] {
        site.visitor().sending("host", host).get("/").await.is(200);
    }
    for host in ["10.0.0.5:9465", "0.0.0.0:9465", "[::2]:9465"] {
        site.visitor().sending("host", host).get("/").await.is(421);
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_asked_for_like_a_page_says_so() {
    let world = World::new().await;
    let site = Site::open(&world);
    let mut ada = site.visitor();
    for path in ["/replay/preview", "/drop", "/sign-out"] {
        ada.get(path).await.is(405).says("href=\"/\"");
    }
}
