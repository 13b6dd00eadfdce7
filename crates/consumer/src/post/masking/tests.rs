use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

use super::escapes::NAMES;
use super::*;

const SECRET: &str = "p\"ss/w&rd<T0KEN>+x é🦀\\'";

fn request(query: &str, secret: &str) -> Request {
    let mut url: Url = "https://hooks.example.com/hook".parse().unwrap();
    url.set_query(Some(query));
    Request {
        url,
        headers: vec![("x-payload-signature".to_owned(), secret.to_owned())],
        body: Bytes::new(),
        timeout: Duration::from_secs(1),
        new_connection: false,
    }
}

fn masked(query: &str, secret: &str, text: &str) -> String {
    let masked = Secrets::of(&request(query, secret)).masked(text.as_bytes(), false);
    String::from_utf8(masked).unwrap()
}

/// As HTML names it, if it does.
fn named(c: char) -> String {
    let known = NAMES.iter().find(|(_, known)| *known == c);
    match (c, known) {
        ('&', _) => "&amp;".to_owned(),
        (_, Some((name, _))) => format!("&{name};"),
        (c, None) => c.to_string(),
    }
}

/// Every form in which a program may write a text.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let json = &json[1..json.len() - 1];
    let twice = serde_json::to_string(json).unwrap();
    let units = |escape: fn(u16) -> String| secret.encode_utf16().map(escape).collect::<String>();
    let bytes = |escape: fn(u8) -> String| secret.bytes().map(escape).collect::<String>();
    let chars = |escape: fn(char) -> String| secret.chars().map(escape).collect::<String>();
    let html = chars(|c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        c => c.to_string(),
    });
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        json.to_owned(),
        json.replace('/', "\\/"),
        twice[1..twice.len() - 1].to_owned(),
        units(|unit| format!("\\u{unit:04x}")),
        units(|unit| format!("\\u{unit:04X}")),
        bytes(|byte| format!("%{byte:02X}")),
        bytes(|byte| format!("%{byte:02x}")),
        bytes(|byte| format!("%25{byte:02x}")),
        form.clone(),
        form.replace('+', "%20"),
        html.clone(),
        html.replace('&', "&amp;"),
        chars(|c| format!("&#{};", c as u32)),
        chars(|c| format!("&#x{:x};", c as u32)),
        chars(named),
        bytes(|byte| format!("\\x{byte:02x}")),
        bytes(|byte| format!("\\{byte:03o}")),
        bytes(|byte| format!("\\{byte:o}")),
        chars(|c| format!("\\u{{{:x}}}", c as u32)),
        bytes(|byte| format!("={byte:02X}")),
        chars(|c| format!("{c}=\r\n"))
            .trim_end_matches("=\r\n")
            .to_owned(),
        bytes(|byte| format!("{byte:02x}")),
        bytes(|byte| format!("{byte:02X}")),
    ]
}

#[test]
fn a_secret_is_masked_in_every_form() {
    for form in forms(SECRET) {
        let text = format!("got ({form}), sorry");
        assert_eq!(masked("", SECRET, &text), "got (***), sorry", "{form}");
    }
}

#[test]
fn a_secret_is_masked_in_base64_wherever_it_begins() {
    for before in ["", "a", "ab", "abc", "Authorization: "] {
        let text = format!("{before}{SECRET} and more");
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let shown = masked("", SECRET, &format!("<{encoded}=>"));
            assert!(
                shown.contains("***") && shown.len() < encoded.len(),
                "{shown}"
            );
        }
    }
}

#[test]
fn every_value_of_a_query_is_masked_and_what_has_no_name_too() {
    for (query, text, expected) in [
        (
            "token=QuErYt0ken",
            "Cannot POST /hook?token=QuErYt0ken",
            "Cannot POST /hook?token=***",
        ),
        ("a=first&b=second", "first, second", "***, ***"),
        ("S3CRET", "/hook?S3CRET", "/hook?***"),
        ("S3CRET&v=1", "no v=1 for S3CRET", "no v=1 for ***"),
        (
            "t=a%2Fb%3Dc%20d",
            "a/b=c d, a%2Fb%3Dc%20d, a\\/b=c+d",
            "***, ***, ***",
        ),
        ("sig=abc=def", "sig=abc=def", "sig=***"),
        ("t=ab+cd+ef", "ab cd ef, ab+cd+ef", "***, ***"),
        ("a=1;t=S3CRET", "no S3CRET", "no ***"),
        ("t=one;two", "one;two", "***"),
        (
            "t=a%26b%3Cc%2Fd",
            "a&ampb&ltc&#47d, a&#x26;b&lt;c&sol;d",
            "***, ***",
        ),
    ] {
        assert_eq!(masked(query, "-", text), expected, "{query}");
    }
}

#[test]
fn the_longer_of_two_secrets_is_masked_whole() {
    assert_eq!(
        masked("a=hunter&b=hunter2", "-", "hunter2 hunter"),
        "*** ***"
    );
}

#[test]
fn a_digest_is_masked_without_the_name_of_its_method() {
    for (header, echoed) in [
        ("sha256=0123456789abcdef", "0123456789abcdef"),
        (
            "v1,bm9yd2VnaWFuYmx1ZQ== v1,b2xkc2lnbmF0dXJlIQ==",
            "b2xkc2lnbmF0dXJlIQ==",
        ),
    ] {
        let shown = masked("", header, &format!("expected x, got {echoed}"));
        assert_eq!(shown, "expected x, got ***");
    }
}

#[test]
fn where_a_text_was_cut_off_in_a_secret_its_start_is_masked() {
    let secrets = Secrets::of(&request("token=QuErY/t0ken", "p&ss-w0rd"));
    let encoded = STANDARD_NO_PAD.encode("QuErY/t0ken");
    for form in [
        "QuErY/t0ken",
        "QuErY\\/t0ken",
        "p&amp;ss-w0rd",
        "p%26ss-w0rd",
        &encoded,
    ] {
        for length in 4..form.len() {
            let cut = format!("no {}", &form[..length]);
            let shown = secrets.masked(cut.as_bytes(), true);
            assert_eq!(String::from_utf8(shown).unwrap(), "no ***", "{cut}");
        }
    }
    let whole = secrets.masked(b"a text that ends in QuEr", false);
    assert!(whole.ends_with(b"QuEr"));
}

#[test]
fn what_is_no_secret_stays() {
    let text = "100 % of &amp; \\u00e9 +1 <b>\\o/</b> 中 %zz &#x; \\";
    assert_eq!(masked("token=QuErYt0ken", SECRET, text), text);
}

proptest! {
    #[test]
    fn no_secret_survives_in_any_form(secret in "[^*\\p{C}]{5,40}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
        for form in forms(&secret) {
            let text = format!("{before}{form}{after}");
            let shown = masked("", &secret, &text);
            prop_assert!(!shown.contains(&secret), "{shown}");
            prop_assert!(shown.contains("***"), "{shown}");
        }
    }

    #[test]
    fn any_text_is_read_to_its_end(text in any::<Vec<u8>>(), escapes in "[\\\\%&#xu0-9a-f;+]{0,60}") {
        let secrets = Secrets::of(&request("token=aaaa%25%25%5C%5C", SECRET));
        secrets.masked(&text, true);
        secrets.masked(escapes.as_bytes(), true);
    }
}
