//! A bad week, for pictures: what an internal queue looks like when several customers have trouble of their own.
//!
//! The same each time, down to the ids and the milliseconds.

use std::time::Duration;

use delivery::{FailureKind, Outcome, Reason};
use serde_json::json;

use crate::letters::{Letter, MORNING, answer, failure};

const HOUR_S: u64 = 3600;

/// One customer's trouble.
struct Trouble {
    setup: u32,
    event: &'static str,
    callback: &'static str,
    count: u32,
    /// Counted from [`MORNING`].
    began_s: u64,
    lasted_s: u64,
    attempts: fn() -> Vec<Outcome>,
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        setup: 42,
        event: "talent_updated",
        callback: "https://hooks.northwind.example/workn",
        count: 58,
        began_s: 20 * HOUR_S,
        lasted_s: 3 * HOUR_S,
        attempts: || {
            let gateway = answer(502, "<html><head><title>502 Bad Gateway</title></head>");
            let down = answer(503, "upstream connect error or disconnect before headers");
            vec![gateway, down.clone(), down.clone(), down]
        },
    },
    Trouble {
        setup: 17,
        event: "shift_assigned",
        callback: "https://api.brightpath.example/v2/events?tenant=***",
        count: 23,
        began_s: 17 * HOUR_S,
        lasted_s: 8 * HOUR_S,
        attempts: || vec![failure(FailureKind::Timeout, "no answer within 30s"); 4],
    },
    Trouble {
        setup: 8,
        event: "talent_created",
        callback: "https://hooks.harbor-hr.example/in",
        count: 14,
        began_s: 2 * HOUR_S,
        lasted_s: 2 * HOUR_S,
        attempts: || vec![answer(401, r#"{"error":"signature does not match"}"#); 4],
    },
    Trouble {
        setup: 31,
        event: "placement_ended",
        callback: "https://sync.lumen-jobs.example/callbacks/placements",
        count: 9,
        began_s: 9 * HOUR_S,
        lasted_s: 14 * HOUR_S,
        attempts: || vec![failure(FailureKind::Tls, "the certificate has expired"); 4],
    },
    Trouble {
        setup: 23,
        event: "timesheet_approved",
        callback: "https://payroll.cedar.example/webhooks",
        count: 6,
        began_s: HOUR_S,
        lasted_s: 22 * HOUR_S,
        attempts: || vec![answer(422, r#"{"errors":[{"field":"hours","code":"blank"}]}"#); 4],
    },
];

/// All of it: 118 dead letters of eight groups.
pub(crate) fn bad_week() -> Vec<Letter> {
    let mut letters = Vec::new();
    for trouble in TROUBLES {
        letters.extend((0..trouble.count).map(|n| trouble.letter(n)));
    }
    letters.extend([1, 7, 13].map(without_callback));
    letters.extend([5, 11].map(no_event));
    letters.extend([3, 9, 15].map(dead_again));
    for (n, letter) in (0..).zip(&mut letters) {
        letter.n = n;
        letter.id = uuid(n);
    }
    letters
}

/// Letters that a page has to bear: endless values, writing from right to left, nothing to show, the hidden and the
/// hostile.
pub(crate) fn odd() -> Vec<Letter> {
    let endless = Letter {
        group: format!("EventSetup_{}", "7".repeat(100)),
        event: Some("an_event_with_a_name_that_goes_on_and_on_".repeat(6)),
        callback: Some(format!(
            "https://{}.example.com/{}",
            ["sub"; 40].join("."),
            "path/".repeat(60)
        )),
        attempts: vec![answer(500, &"wordwithoutend".repeat(36)); 4],
        body: json!({"msg_id": "id".repeat(120), "note": "long ".repeat(2_000), "one": "w".repeat(3_000)}).to_string(),
        ..Letter::nth(0)
    };
    let arabic = Letter {
        event: Some("موظف_جديد".to_owned()),
        attempts: vec![
            answer(500, "خطأ داخلي في الخادم: حاول مرة أخرى (code 17)");
            4
        ],
        body: json!({"msg_id": "رسالة-١", "first_name": "عائشة", "note": "مرحبا 123 world"})
            .to_string(),
        ..Letter::nth(1)
    };
    let hebrew = Letter {
        event: Some("עובד_חדש".to_owned()),
        attempts: vec![answer(502, "שגיאה בשרת"); 4],
        body: json!({"msg_id": "הודעה-2", "first_name": "נועה"}).to_string(),
        ..Letter::nth(2)
    };
    let chinese = Letter {
        event: Some("人才已创建".to_owned()),
        attempts: vec![answer(500, "内部服务器错误，请稍后再试。"); 4],
        body: json!({"msg_id": "消息-3", "first_name": "小明"}).to_string(),
        ..Letter::nth(3)
    };
    let hostile = Letter {
        group: "<script>alert(1)</script>".to_owned(),
        event: Some("<script>alert(1)</script>".to_owned()),
        attempts: vec![answer(500, "<h1>Oops</h1><script>alert(1)</script>"); 4],
        body: format!(
            r#"{{"msg_id":"</pre><script>alert(1)</script>","turned":"a{0}b","escaped":"a\u202eb"}}"#,
            '\u{202e}'
        ),
        ..Letter::nth(4)
    };
    let hidden = Letter {
        body: "not JSON: a\u{202e}turned\u{200b}b".to_owned(),
        ..no_event(5)
    };
    let bare = Letter {
        event: None,
        body: String::from(" "),
        ..without_callback(6)
    };
    let mut letters = vec![endless, arabic, hebrew, chinese, hostile, hidden, bare];
    for (n, letter) in (0..).zip(&mut letters) {
        letter.n = n;
        letter.id = uuid(1_000 + n);
    }
    letters
}

/// So many letters of fifty groups, over two days.
pub(crate) fn many(count: u32) -> Vec<Letter> {
    let letters = (0..count).map(|n| Letter {
        id: uuid(10_000 + n),
        group: format!("EventSetup_{}", n * n % 50),
        callback: Some(format!("https://hooks{}.example.com/workn", n * n % 23)),
        attempts: vec![
            answer(
                [500, 502, 503, 401, 404][(n * n % 5) as usize],
                "something broke"
            );
            4
        ],
        sent_at: MORNING.plus(Duration::from_millis(u64::from(n) * 8_900)),
        ..Letter::nth(n)
    });
    letters.collect()
}

impl Trouble {
    fn letter(&self, n: u32) -> Letter {
        // Denser towards the end, and never two at the same moment.
        let share = f64::from(n + 1) / f64::from(self.count);
        let after_s = self.began_s as f64 + self.lasted_s as f64 * share.sqrt();
        let sent_at = MORNING.plus(Duration::from_millis((after_s * 1000.0) as u64 + 137));
        Letter {
            group: format!("EventSetup_{}", self.setup),
            event: Some(self.event.to_owned()),
            callback: Some(self.callback.to_owned()),
            attempts: (self.attempts)(),
            body: body(self.setup, self.event, n),
            sent_at,
            ..Letter::nth(n)
        }
    }
}

/// An event of a setup that nobody has given a URL.
fn without_callback(hour: u32) -> Letter {
    Letter {
        group: "EventSetup_77".to_owned(),
        reason: Reason::NoCallback,
        detail: Some("no callback is configured for \"invoice_sent\"".to_owned()),
        callback: None,
        attempts: Vec::new(),
        ..at(hour, 77, "invoice_sent")
    }
}

/// What an upstream system sent that is no event.
fn no_event(hour: u32) -> Letter {
    Letter {
        reason: Reason::InvalidEvent,
        detail: Some("not valid JSON at byte 0: expected value".to_owned()),
        event: None,
        attempts: Vec::new(),
        body: "mkt_id=4&talent_id=5501&status=active".to_owned(),
        ..at(hour, 5, "")
    }
}

/// It was replayed once already, too early.
fn dead_again(hour: u32) -> Letter {
    Letter {
        earlier: vec![failure(FailureKind::Connect, "connection refused"); 4],
        attempts: vec![
            failure(FailureKind::Connect, "connection refused"),
            failure(FailureKind::Reset, "the connection was reset"),
            answer(500, "java.lang.NullPointerException: rate is null"),
            answer(500, "java.lang.NullPointerException: rate is null"),
        ],
        ..at(hour, 61, "rate_changed")
    }
}

fn at(hour: u32, setup: u32, event: &str) -> Letter {
    Letter {
        group: format!("EventSetup_{setup}"),
        event: Some(event.to_owned()),
        callback: Some("https://erp.alder.example/hooks/workn".to_owned()),
        sent_at: MORNING.plus(Duration::from_secs(u64::from(hour) * HOUR_S + 1_234)),
        body: body(setup, event, hour),
        ..Letter::nth(hour)
    }
}

/// An event's body as WorkN sends it.
fn body(setup: u32, event: &str, n: u32) -> String {
    let body = json!({
        "mkt_id": 4,
        "msg_id": format!("{event}-{setup}-{n:04}"),
        "event_datetime": "2026-11-20T08:00:00",
        "ext_customer_id": "ATS-1093",
        "ent_id": 2_211,
        "branch_id": 17 + n % 5,
        "talent_id": 55_000 + n,
        "first_name": "Zoë",
        "last_name": "Lindqvist",
        "skills": ["forklift", "first aid"],
        "available_from": "2026-12-01",
        "MessageGroupId": format!("EventSetup_{setup}"),
    });
    body.to_string()
}

/// A MessageId as SQS makes them, always the same for a number.
fn uuid(n: u32) -> String {
    // SplitMix64's finaliser, twice.
    let mixed = |seed: u64| {
        let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (high, low) = (mixed(u64::from(n) + 1), mixed(u64::from(n) + 1_000_003));
    format!(
        "{:08x}-{:04x}-4{:03x}-9{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff,
    )
}
