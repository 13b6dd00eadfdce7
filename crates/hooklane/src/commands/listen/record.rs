//! What there is to say of one request.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::{Authentication, Secret, SignatureMode};
use event::Timestamp;
use serde::Serialize;

use crate::output::printable;

/// How much of a body is shown to people; all of it is in the JSON and in the saved file.
const SHOWN_CHARACTERS: usize = 2_000;

/// One request, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Record {
    at: Timestamp,
    method: String,
    path: String,
    /// By lower-case name; values of one name joined by a comma.
    headers: BTreeMap<String, String>,
    body_base64: String,
    signature: Signature,
    /// In which way it is signed, if the signature is valid.
    mode: Option<&'static str>,
    /// The status answered.
    pub(super) responded: u16,
    /// The file the body was written to.
    pub(super) saved: Option<String>,
}

/// What became of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Signature {
    Valid,
    Invalid,
    /// The request has none.
    Absent,
    /// It has one, and no secret was given to check it with.
    Unchecked,
}

impl Record {
    pub(super) fn of(
        head: &Parts,
        body: &[u8],
        secrets: &[Secret],
        at: Timestamp,
        responded: u16,
    ) -> Self {
        let (signature, mode) = check(&head.headers, body, secrets);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        Self {
            at,
            method: head.method.to_string(),
            path: path.to_owned(),
            headers: headers(&head.headers),
            body_base64: STANDARD.encode(body),
            signature,
            mode: mode.map(SignatureMode::as_str),
            responded,
            saved: None,
        }
    }

    /// The block people read.
    pub(super) fn text(&self, number: usize, body: &[u8]) -> String {
        let mut text = format!(
            "\n#{number} {} {} {}\n",
            self.at,
            self.method,
            printable(&self.path)
        );
        for (name, value) in &self.headers {
            let _ = writeln!(text, "  {name}: {}", printable(value));
        }
        let _ = writeln!(text, "\n  {}\n", shown(body).replace('\n', "\n  "));
        let signature = match (self.signature, self.mode) {
            (Signature::Valid, Some(mode)) => format!("valid ({mode})"),
            (Signature::Unchecked, _) => "not checked (no --secret was given)".to_owned(),
            (Signature::Absent, _) => "absent".to_owned(),
            _ => "INVALID".to_owned(),
        };
        let _ = write!(text, "  signature {signature}, answered {}", self.responded);
        if let Some(saved) = &self.saved {
            let _ = write!(text, ", saved as {saved}");
        }
        text
    }
}

fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.to_string())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    headers
}

/// Checks whichever header of ours the request has; an API key counts as a shared secret.
fn check(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
) -> (Signature, Option<SignatureMode>) {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
    };
    let Some(signature) = Authentication::HEADERS.into_iter().find_map(text) else {
        return (Signature::Absent, None);
    };
    if secrets.is_empty() {
        return (Signature::Unchecked, None);
    }
    let id = text("webhook-id");
    let timestamp_s = text("webhook-timestamp").and_then(|seconds| seconds.parse().ok());
    match delivery::verify(secrets, &signature, id.as_deref(), timestamp_s, body) {
        Some(mode) => (Signature::Valid, Some(mode)),
        None => (Signature::Invalid, None),
    }
}

fn shown(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok("") => "(no body)".to_owned(),
        Ok(text) => match text.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}… ({} bytes in all)", printable(&text[..end]), body.len()),
            None => printable(text),
        },
        Err(_) => format!("({} bytes that are not UTF-8)", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"mkt_id":1}"#;

    fn signed(authentication: &Authentication) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "m1".parse().expect("a value"));
        headers.insert("webhook-timestamp", "1739370645".parse().expect("a value"));
        let (name, value) = authentication
            .header("m1", 1_739_370_645, BODY)
            .expect("authenticated");
        headers.insert(name, value.parse().expect("a value"));
        headers
    }

    #[test]
    fn a_signature_of_any_mode_is_recognised() {
        let secret = Secret::new("c2VjcmV0");
        for mode in SignatureMode::ALL {
            let headers =
                signed(&Authentication::signed(mode, vec![secret.clone()]).expect("usable"));
            let other = [Secret::new("b3RoZXI="), secret.clone()];
            assert_eq!(
                check(&headers, BODY, &other),
                (Signature::Valid, Some(mode)),
                "{mode}"
            );
            assert_eq!(
                check(&headers, BODY, &other[..1]).0,
                Signature::Invalid,
                "{mode}"
            );
            assert_eq!(check(&headers, BODY, &[]).0, Signature::Unchecked, "{mode}");
        }
    }

    #[test]
    fn an_api_key_is_compared_with_the_secret() {
        let headers = signed(&Authentication::api_key(Secret::new("key-1")).expect("usable"));
        assert_eq!(
            check(&headers, BODY, &[Secret::new("key-1")]).0,
            Signature::Valid
        );
        assert_eq!(
            check(&headers, BODY, &[Secret::new("key-2")]).0,
            Signature::Invalid
        );
    }

    #[test]
    fn a_changed_byte_makes_a_signature_invalid_and_no_header_makes_it_absent() {
        let secrets = [Secret::new("s")];
        let authentication =
            Authentication::signed(SignatureMode::HmacSha256Hex, secrets.to_vec()).expect("usable");
        assert_eq!(
            check(&signed(&authentication), b"{\"mkt_id\":2}", &secrets).0,
            Signature::Invalid
        );
        assert_eq!(
            check(&HeaderMap::new(), BODY, &secrets),
            (Signature::Absent, None)
        );
    }

    #[test]
    fn a_long_body_is_cut_for_people_and_bytes_are_counted() {
        let long = "é".repeat(SHOWN_CHARACTERS + 1);
        assert!(shown(long.as_bytes()).ends_with("… (4002 bytes in all)"));
        assert_eq!(shown(b"\xff\xfe"), "(2 bytes that are not UTF-8)");
        assert_eq!(shown(b""), "(no body)");
    }
}
