use base64::Engine;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const BODY: &[u8] = br#"{"msg_id":"m-1","mkt_id":7}"#;
/// The example of the Standard Webhooks libraries.
const STANDARD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn signed(mode: SignatureMode, secret: &str) -> Authentication {
    Authentication::signed(mode, vec![Secret::new(secret)]).unwrap()
}

/// A secret that every mode takes.
fn secret_for(mode: SignatureMode) -> &'static str {
    match mode {
        SignatureMode::StandardWebhooks => STANDARD_SECRET,
        _ => "correct horse battery staple",
    }
}

#[test]
fn the_mac_is_that_of_rfc_4231() {
    let long = [0xaa; 131];
    let cases: [(&[u8], &[u8], &str); 6] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &std::array::from_fn::<u8, 25, _>(|i| i as u8 + 1),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &long,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &long,
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, data, expected) in cases {
        assert_eq!(hex(&body_mac(key, data)), expected);
    }
}

#[test]
fn the_published_standard_webhooks_example_comes_out() {
    let header = signed(SignatureMode::StandardWebhooks, STANDARD_SECRET).header(
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1_649_367_553,
        br#"{"email":"test@example.com","username":"test_user"}"#,
    );
    assert_eq!(
        header,
        Some((
            "webhook-signature",
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=".to_owned()
        ))
    );
}

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    mode: String,
    secret: String,
    id: String,
    timestamp: u64,
    body_base64: String,
    header: String,
    value: String,
}

#[test]
fn the_published_vectors_come_out_and_verify() {
    let json = include_str!("../../../../docs/signature-vectors.json");
    let Vectors { vectors } = serde_json::from_str(json).unwrap();
    for mode in SignatureMode::ALL {
        assert!(
            vectors.iter().any(|vector| vector.mode == mode.as_str()),
            "no vector for {mode}"
        );
    }
    for (n, vector) in vectors.into_iter().enumerate() {
        let mode: SignatureMode = vector.mode.parse().unwrap();
        let body = BASE64.decode(&vector.body_base64).unwrap();
        let (name, value) = signed(mode, &vector.secret)
            .header(&vector.id, vector.timestamp, &body)
            .unwrap();
        assert_eq!(
            (name, &value),
            (vector.header.as_str(), &vector.value),
            "vector {n}"
        );
        assert_eq!(
            verify(
                &[Secret::new(vector.secret)],
                &value,
                Some(&vector.id),
                Some(vector.timestamp),
                &body
            ),
            Some(mode),
            "vector {n}"
        );
    }
}

#[test]
fn without_a_secret_or_a_key_there_is_no_header() {
    assert_eq!(Authentication::None.header("m-1", 1, BODY), None);
}

#[test]
fn an_api_key_is_sent_as_it_is() {
    let authentication = Authentication::api_key(Secret::new("k 1/=")).unwrap();
    assert_eq!(
        authentication.header("m-1", 1, BODY),
        Some(("X-api-key", "k 1/=".to_owned()))
    );
}

#[test]
fn every_header_it_can_send_is_listed_as_one_to_keep_out_of_records() {
    let keyed = Authentication::api_key(Secret::new("key")).unwrap();
    let all = SignatureMode::ALL
        .map(|mode| signed(mode, secret_for(mode)))
        .into_iter();
    for authentication in all.chain([keyed]) {
        let (name, _) = authentication.header("m-1", 1, BODY).unwrap();
        assert!(Authentication::HEADERS.contains(&name), "{name}");
    }
}

#[test]
fn during_a_rotation_the_first_secret_signs_and_either_verifies() {
    let [new, old] = [Secret::new("new"), Secret::new("old")];
    for mode in [SignatureMode::HmacSha256Hex, SignatureMode::SharedSecret] {
        let rotating = Authentication::signed(mode, vec![new.clone(), old.clone()]).unwrap();
        let first = signed(mode, "new").header("m-1", 1, BODY).unwrap();
        assert_eq!(rotating.header("m-1", 1, BODY), Some(first));

        let (_, of_old) = signed(mode, "old").header("m-1", 1, BODY).unwrap();
        let both = [new.clone(), old.clone()];
        assert_eq!(verify(&both, &of_old, None, None, BODY), Some(mode));
        assert_eq!(verify(&both[..1], &of_old, None, None, BODY), None);
    }
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let mode = SignatureMode::StandardWebhooks;
    let secrets = [Secret::new(STANDARD_SECRET)];
    let (_, good) = signed(mode, STANDARD_SECRET)
        .header("m-1", 17, BODY)
        .unwrap();
    let (_, other) = signed(mode, "whsec_AAAA").header("m-1", 17, BODY).unwrap();

    let list = format!("v1a,AAAA {other} {good} v2,zzz");
    assert_eq!(
        verify(&secrets, &list, Some("m-1"), Some(17), BODY),
        Some(mode)
    );
    let list = format!("v1a,AAAA {other} v2,{}", &good[3..]);
    assert_eq!(verify(&secrets, &list, Some("m-1"), Some(17), BODY), None);
}

#[test]
fn standard_webhooks_signs_the_id_and_the_timestamp_too() {
    let secrets = [Secret::new(STANDARD_SECRET)];
    let (_, signature) = signed(SignatureMode::StandardWebhooks, STANDARD_SECRET)
        .header("m-1", 17, BODY)
        .unwrap();
    for (id, timestamp_s) in [
        (Some("m-2"), Some(17)),
        (Some("m-1"), Some(18)),
        (None, Some(17)),
        (Some("m-1"), None),
    ] {
        assert_eq!(verify(&secrets, &signature, id, timestamp_s, BODY), None);
    }
}

#[test]
fn hex_of_either_case_and_spaces_around_are_accepted() {
    let secrets = [Secret::new("s")];
    let (_, hex) = signed(SignatureMode::HmacSha256Hex, "s")
        .header("m-1", 1, BODY)
        .unwrap();
    for signature in [hex.to_uppercase(), format!(" {hex}\n")] {
        assert_eq!(
            verify(&secrets, &signature, None, None, BODY),
            Some(SignatureMode::HmacSha256Hex)
        );
    }
}

#[test]
fn junk_is_no_signature() {
    let secrets = [Secret::new("s"), Secret::new("")];
    for junk in [
        "", " ", "0", "zz", "v1,", "v1, ", "sha256=", "sha256=0", "=", "é", "v1,é",
    ] {
        assert_eq!(
            verify(&secrets, junk, Some("m-1"), Some(1), BODY),
            None,
            "{junk:?}"
        );
    }
    assert_eq!(verify(&[], "s", Some("m-1"), Some(1), BODY), None);
}

#[test]
fn secrets_that_cannot_be_used_are_refused_by_name() {
    use SignatureMode::*;
    let cases = [
        (HmacSha256Hex, "", SecretError::Empty),
        (SharedSecret, "", SecretError::Empty),
        (SharedSecret, "line\n", SecretError::NotAHeaderValue),
        (SharedSecret, " s", SecretError::NotAHeaderValue),
        (SharedSecret, "schlüssel", SecretError::NotAHeaderValue),
        (StandardWebhooks, "whsec_", SecretError::Empty),
        (StandardWebhooks, "whsec_not base64", SecretError::NotBase64),
        (StandardWebhooks, "hunter2", SecretError::NotBase64),
    ];
    for (mode, secret, error) in cases {
        assert_eq!(
            Authentication::signed(mode, vec![Secret::new("AAAA"), Secret::new(secret)]),
            Err(error),
            "{mode} {secret:?}"
        );
    }
    assert_eq!(
        Authentication::signed(HmacSha256Hex, vec![]),
        Err(SecretError::Missing)
    );
    assert_eq!(
        Authentication::api_key(Secret::new("a\r\nb: c")),
        Err(SecretError::NotAHeaderValue)
    );
}

#[test]
fn no_error_and_no_debug_output_holds_the_secret() {
    let refused = Authentication::signed(
        SignatureMode::StandardWebhooks,
        vec![Secret::new("hunter2!")],
    );
    let held = signed(SignatureMode::HmacSha256Hex, "hunter2!");
    let key = Authentication::api_key(Secret::new("hunter2!")).unwrap();
    let shown = format!("{} {held:?} {key:?}", refused.unwrap_err());
    assert!(!shown.contains("hunter2!"), "{shown}");
}

#[test]
fn mode_names_are_those_of_the_configuration() {
    for mode in SignatureMode::ALL {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    let error = "sha1".parse::<SignatureMode>().unwrap_err().to_string();
    for mode in SignatureMode::ALL {
        assert!(error.contains(mode.as_str()), "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not(
        mode in proptest::sample::select(SignatureMode::ALL.to_vec()),
        id in "[a-z0-9-]{1,40}",
        timestamp_s: u32,
        mut body in proptest::collection::vec(any::<u8>(), 1..200),
        at: proptest::sample::Index,
    ) {
        let timestamp_s = u64::from(timestamp_s);
        let secrets = [Secret::new(secret_for(mode))];
        let (_, signature) = signed(mode, secret_for(mode)).header(&id, timestamp_s, &body).unwrap();
        prop_assert_eq!(verify(&secrets, &signature, Some(&id), Some(timestamp_s), &body), Some(mode));

        let at = at.index(body.len());
        body[at] ^= 1;
        let changed = verify(&secrets, &signature, Some(&id), Some(timestamp_s), &body);
        // A secret sent as it is proves nothing about the body.
        let expected = (mode == SignatureMode::SharedSecret).then_some(mode);
        prop_assert_eq!(changed, expected);
    }
}
