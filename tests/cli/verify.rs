//! `verify`: the published vectors, and what does not match.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rig::program::{Home, assert_told, documents, repository};
use serde_json::{Value, json};

/// RFC 4231, test case 2: found by others than us.
const SIGNATURE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const BODY: &str = "what do ya want for nothing?";

#[test]
fn a_signature_found_by_others_matches() {
    let home = Home::new();
    home.write("body", BODY);
    let arguments = [
        "verify",
        "--secret",
        "Jefe",
        "--signature",
        SIGNATURE,
        "body",
    ];
    let text = home.run(&arguments);
    assert_eq!(
        (text.code, text.stdout.as_str()),
        (Some(0), "valid: hmac-sha256-hex\n")
    );
    let json = home.run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(
        documents(&json.stdout),
        [json!({"valid": true, "mode": "hmac-sha256-hex"})]
    );
}

#[test]
fn every_published_vector_matches_in_its_mode() {
    let vectors =
        std::fs::read(repository().join("docs/signature-vectors.json")).expect("published");
    let vectors: Value = serde_json::from_slice(&vectors).expect("JSON");
    let vectors = vectors["vectors"].as_array().expect("a list");
    assert!(vectors.len() >= 5, "{}", vectors.len());
    let home = Home::new();
    for vector in vectors {
        let text = |name: &str| {
            vector[name]
                .as_str()
                .unwrap_or_else(|| panic!("{name} in {vector}"))
        };
        let timestamp = vector["timestamp"].to_string();
        let arguments = [
            "--secret",
            text("secret"),
            "--signature",
            text("value"),
            "--id",
            text("id"),
        ];
        let arguments = [
            &["verify", "--json", "--timestamp", &timestamp, "-"][..],
            &arguments,
        ]
        .concat();
        let body = STANDARD.decode(text("body_base64")).expect("base64");
        let ended = home.run_with(&arguments, &body);
        assert_eq!(
            documents(&ended.stdout),
            [json!({"valid": true, "mode": vector["mode"]})],
            "{vector}"
        );
    }
}

#[test]
fn another_secret_or_other_bytes_do_not_match_and_exit_with_1() {
    let home = Home::new();
    home.write("body", BODY);
    home.write("changed", BODY.to_owned() + "\n");
    for (secret, file) in [("Jeff", "body"), ("Jefe", "changed")] {
        let ended = home.run(&[
            "verify",
            "--json",
            "--secret",
            secret,
            "--signature",
            SIGNATURE,
            file,
        ]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(
            documents(&ended.stdout),
            [json!({"valid": false, "mode": null})]
        );
    }
    let standard = home.run(&["verify", "--secret", "s", "--signature", "v1,x", "body"]);
    assert!(
        standard.stdout.contains("also needs --id and --timestamp"),
        "{standard:?}"
    );
}

#[test]
fn any_secret_of_a_rotation_will_do_wherever_it_is_kept() {
    let mut home = Home::new();
    home.set("NEW", "other");
    home.write("old", "Jefe\n");
    home.write("body", BODY);
    let secrets = ["--secret", "env:NEW", "--secret", "file:old"];
    let ended = home.run(&[&["verify", "--signature", SIGNATURE, "body"][..], &secrets].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_cannot_be_read_is_told_without_the_secret() {
    let home = Home::new();
    let verify =
        |secret, file| home.run(&["verify", "--secret", secret, "--signature", "hunter2", file]);
    assert_told(
        &verify("hunter2", "no-such-file"),
        1,
        &["hooklane: cannot read no-such-file: No such file"],
    );
    assert_told(&verify("hunter2", "."), 1, &["cannot read .: "]);
    assert_told(
        &verify("env:UNSET", "body"),
        2,
        &["--secret: the environment variable \"UNSET\" is not set"],
    );
    assert_told(
        &verify("file:none", "body"),
        2,
        &["--secret: file:none cannot be read"],
    );
    assert_told(
        &verify("", "body"),
        2,
        &["--secret: an empty secret proves nothing"],
    );
    home.write("large", vec![b' '; 2 * 1024 * 1024 + 1]);
    let large = verify("hunter2", "large");
    assert_told(&large, 1, &["large is larger than 2097152 bytes"]);
    assert!(!large.stderr.contains("hunter2"), "{}", large.stderr);
}
