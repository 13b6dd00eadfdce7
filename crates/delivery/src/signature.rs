//! How a request proves where it comes from: the authentication header, and checking one.
//!
//! Keys are the secret's UTF-8 bytes and the message is the exact body, except in the Standard Webhooks mode
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//! Published test vectors: `docs/signature-vectors.json`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use event::is_header_text;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Secret;

/// How a shared secret becomes a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignatureMode {
    /// `X-Payload-Signature: <lower-case hex HMAC-SHA256 of the body>`.
    #[default]
    HmacSha256Hex,
    /// `X-Payload-Signature: <base64 HMAC-SHA256 of the body>`.
    HmacSha256Base64,
    /// `X-Payload-Signature: sha256=<lower-case hex HMAC-SHA256 of the body>`.
    HmacSha256HexPrefixed,
    /// `X-Payload-Signature: <the secret itself>`, the literal reading of the Avionté page.
    SharedSecret,
    /// `webhook-signature: v1,<base64 HMAC-SHA256 of id.timestamp.body>`, key base64-decoded after `whsec_`.
    StandardWebhooks,
}

impl SignatureMode {
    /// All modes, in the order in which [`verify`] tries them.
    pub const ALL: [Self; 5] = [
        Self::HmacSha256Hex,
        Self::HmacSha256Base64,
        Self::HmacSha256HexPrefixed,
        Self::SharedSecret,
        Self::StandardWebhooks,
    ];

    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256Hex => "hmac-sha256-hex",
            Self::HmacSha256Base64 => "hmac-sha256-base64",
            Self::HmacSha256HexPrefixed => "hmac-sha256-hex-prefixed",
            Self::SharedSecret => "shared-secret",
            Self::StandardWebhooks => "standard-webhooks",
        }
    }

    /// The name of the header that carries the signature.
    pub fn header_name(self) -> &'static str {
        match self {
            Self::StandardWebhooks => "webhook-signature",
            _ => "X-Payload-Signature",
        }
    }
}

impl fmt::Display for SignatureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A signature mode that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown signature mode, expected hmac-sha256-hex, hmac-sha256-base64, hmac-sha256-hex-prefixed, shared-secret or \
     standard-webhooks"
)]
pub struct UnknownSignatureMode;

impl FromStr for SignatureMode {
    type Err = UnknownSignatureMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or(UnknownSignatureMode)
    }
}

/// A secret that cannot be used as configured. Never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A signature needs at least one secret.
    #[error("no secret is given")]
    Missing,
    /// An empty secret proves nothing.
    #[error("secret is empty")]
    Empty,
    /// The secret is itself the header's value and holds something HTTP does not carry there.
    #[error(
        "secret is sent as a header and holds a character that a header cannot carry (only visible ASCII without \
         spaces at the ends; is there a line ending?)"
    )]
    NotAHeaderValue,
    /// A Standard Webhooks secret is base64, normally after `whsec_`.
    #[error("standard-webhooks secret is not base64 (expected whsec_ followed by base64)")]
    NotBase64,
}

/// How requests to one callback are authenticated.
///
/// The constructors check the secrets, so that a value that exists can always make its header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Authentication {
    /// No authentication header.
    #[default]
    None,
    /// A header made from a shared secret; see [`Authentication::signed`].
    #[non_exhaustive]
    Signed {
        /// How the header is made.
        mode: SignatureMode,
        /// Not empty. The first signs; the others are those of a rotation under way, accepted by [`verify`].
        secrets: Vec<Secret>,
    },
    /// `X-api-key: <key>`; see [`Authentication::api_key`].
    #[non_exhaustive]
    ApiKey(Secret),
}

impl Authentication {
    /// The headers that prove who sends. Their values belong neither in a log nor in a record, not even when a
    /// receiver sends them back.
    pub const HEADERS: [&'static str; 3] = [
        "X-Payload-Signature",
        "webhook-signature",
        Self::API_KEY_HEADER,
    ];

    /// The header of [`Authentication::ApiKey`].
    pub const API_KEY_HEADER: &'static str = "X-api-key";

    /// Signs with the first secret.
    ///
    /// # Errors
    /// When there is no secret, or one of them cannot be used in this mode.
    pub fn signed(mode: SignatureMode, secrets: Vec<Secret>) -> Result<Self, SecretError> {
        if secrets.is_empty() {
            return Err(SecretError::Missing);
        }
        for secret in &secrets {
            check_secret(mode, secret)?;
        }
        Ok(Self::Signed { mode, secrets })
    }

    /// Sends the key in `X-api-key`.
    ///
    /// # Errors
    /// When the key is empty or cannot be a header's value.
    pub fn api_key(key: Secret) -> Result<Self, SecretError> {
        check_header_value(&key)?;
        Ok(Self::ApiKey(key))
    }

    /// The authentication header of one attempt, if there is to be one.
    ///
    /// `id` and `timestamp_s` are the attempt's `webhook-id` and `webhook-timestamp` (Unix seconds), `body` the exact
    /// bytes that are sent.
    pub fn header(
        &self,
        id: &str,
        timestamp_s: u64,
        body: &[u8],
    ) -> Option<(&'static str, String)> {
        match self {
            Self::None => None,
            Self::ApiKey(key) => Some((Self::API_KEY_HEADER, key.expose().to_owned())),
            Self::Signed { mode, secrets } => {
                // To panic is better than to send unsigned what should be signed.
                let value = secrets
                    .first()
                    .and_then(|secret| sign(*mode, secret, id, timestamp_s, body))
                    .expect("Authentication::signed has checked the secrets");
                Some((mode.header_name(), value))
            }
        }
    }
}

/// Says in which mode, if in any, one of the secrets made this signature.
///
/// `signature` is the value of the header: a space-separated list in the Standard Webhooks mode, which also needs `id`
/// and `timestamp_s` (the `webhook-id` and `webhook-timestamp` headers). Whether the timestamp is recent is for the
/// caller to judge. What is compared is compared in constant time.
pub fn verify(
    secrets: &[Secret],
    signature: &str,
    id: Option<&str>,
    timestamp_s: Option<u64>,
    body: &[u8],
) -> Option<SignatureMode> {
    let signature = signature.trim();
    SignatureMode::ALL.into_iter().find(|mode| {
        secrets.iter().any(|secret| match mode {
            SignatureMode::HmacSha256Hex => {
                is_mac(unhex(signature), &body_mac(secret.bytes(), body))
            }
            SignatureMode::HmacSha256Base64 => {
                is_mac(unbase64(signature), &body_mac(secret.bytes(), body))
            }
            SignatureMode::HmacSha256HexPrefixed => {
                let hex = signature.strip_prefix(HEX_PREFIX);
                is_mac(hex.and_then(unhex), &body_mac(secret.bytes(), body))
            }
            SignatureMode::SharedSecret => is_secret(signature, secret),
            SignatureMode::StandardWebhooks => standard_mac(secret, id, timestamp_s, body)
                .is_some_and(|mac| {
                    signature
                        .split_ascii_whitespace()
                        .filter_map(|one| one.strip_prefix(STANDARD_PREFIX))
                        .any(|one| is_mac(unbase64(one), &mac))
                }),
        })
    })
}

const HEX_PREFIX: &str = "sha256=";
const STANDARD_PREFIX: &str = "v1,";
const STANDARD_SECRET_PREFIX: &str = "whsec_";

/// The bytes of an HMAC-SHA256.
type MacBytes = [u8; 32];

/// `None` only for a secret that [`check_secret`] refuses.
fn sign(
    mode: SignatureMode,
    secret: &Secret,
    id: &str,
    timestamp_s: u64,
    body: &[u8],
) -> Option<String> {
    Some(match mode {
        SignatureMode::HmacSha256Hex => hex(&body_mac(secret.bytes(), body)),
        SignatureMode::HmacSha256Base64 => BASE64.encode(body_mac(secret.bytes(), body)),
        SignatureMode::HmacSha256HexPrefixed => {
            format!("{HEX_PREFIX}{}", hex(&body_mac(secret.bytes(), body)))
        }
        SignatureMode::SharedSecret => secret.expose().to_owned(),
        SignatureMode::StandardWebhooks => {
            let mac = standard_mac(secret, Some(id), Some(timestamp_s), body)?;
            format!("{STANDARD_PREFIX}{}", BASE64.encode(mac))
        }
    })
}

fn check_secret(mode: SignatureMode, secret: &Secret) -> Result<(), SecretError> {
    match mode {
        SignatureMode::SharedSecret => check_header_value(secret),
        SignatureMode::StandardWebhooks => match standard_key(secret) {
            None => Err(SecretError::NotBase64),
            Some(key) if key.is_empty() => Err(SecretError::Empty),
            Some(_) => Ok(()),
        },
        _ if secret.bytes().is_empty() => Err(SecretError::Empty),
        _ => Ok(()),
    }
}

fn check_header_value(secret: &Secret) -> Result<(), SecretError> {
    match secret.expose() {
        "" => Err(SecretError::Empty),
        value if is_header_text(value) => Ok(()),
        _ => Err(SecretError::NotAHeaderValue),
    }
}

fn mac_of(key: &[u8], parts: &[&[u8]]) -> MacBytes {
    // HMAC takes a key of any length (RFC 2104, section 2).
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn body_mac(key: &[u8], body: &[u8]) -> MacBytes {
    mac_of(key, &[body])
}

/// The MAC over `id.timestamp.body`, if there is all that it takes.
fn standard_mac(
    secret: &Secret,
    id: Option<&str>,
    timestamp_s: Option<u64>,
    body: &[u8],
) -> Option<MacBytes> {
    let key = standard_key(secret)?;
    let (id, timestamp) = (id?, timestamp_s?.to_string());
    Some(mac_of(
        &key,
        &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body],
    ))
}

fn standard_key(secret: &Secret) -> Option<Vec<u8>> {
    let secret = secret.expose();
    unbase64(
        secret
            .strip_prefix(STANDARD_SECRET_PREFIX)
            .unwrap_or(secret),
    )
}

fn is_mac(given: Option<Vec<u8>>, expected: &MacBytes) -> bool {
    given.is_some_and(|given| given.ct_eq(expected).into())
}

/// Compares digests, so that not even the length of the secret shows in the time it takes.
fn is_secret(given: &str, secret: &Secret) -> bool {
    !secret.bytes().is_empty()
        && Sha256::digest(given)
            .ct_eq(&Sha256::digest(secret.bytes()))
            .into()
}

fn hex(bytes: &MacBytes) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Reads hex of either case.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
