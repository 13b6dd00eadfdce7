//! Certificates that are right, and all that are not.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::receiver::{answer_all, ok};
use super::*;

/// A certificate authority that we trust.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        Self { root, issuer }
    }

    /// A receiver whose certificate this authority has signed.
    async fn receiver(&self, params: CertificateParams) -> Receiver {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        tls_receiver(certificate, &key).await
    }

    fn trusted_by_post(&self) -> HttpPost {
        let root = self.root.clone();
        let policy = EndpointPolicy {
            allow_http: false,
            ..local()
        };
        HttpPost::with_extra_roots(policy, [root]).unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

async fn tls_receiver(certificate: rcgen::Certificate, key: &KeyPair) -> Receiver {
    tls_receiver_answering(certificate, key, ok(b"thanks")).await
}

/// Answers like this; closes without a word.
async fn tls_receiver_answering(
    certificate: rcgen::Certificate,
    key: &KeyPair,
    answer: Vec<u8>,
) -> Receiver {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answer = Arc::new(answer);
    Receiver::handling(move |stream| {
        let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_all(stream, answer).await;
            }
        }
    })
    .await
}

fn https(receiver: &Receiver) -> String {
    format!("https://localhost:{}/", receiver.address.port())
}

#[tokio::test]
async fn a_trusted_certificate_with_the_right_name_is_accepted_and_its_connection_reused() {
    let authority = Authority::new();
    let receiver = authority.receiver(named("localhost")).await;
    let post = authority.trusted_by_post();
    for _ in 0..5 {
        assert_eq!(answer(&post, &https(&receiver)).await.excerpt, "thanks");
    }
    assert_eq!(receiver.accepts(), 1);
}

#[tokio::test]
async fn an_end_without_close_notify_spoils_the_body_and_not_the_status() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = named("localhost")
        .signed_by(&key, &authority.issuer)
        .unwrap();
    let answers = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthanks".to_vec();
    let receiver = tls_receiver_answering(certificate, &key, answers).await;
    let request = Request {
        timeout: PATIENT,
        ..request(&https(&receiver), AMPLE)
    };
    let answer = authority.trusted_by_post().post(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.excerpt.ends_with("thanks"), "{}", answer.excerpt);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_tls_failure() {
    let authority = Authority::new();
    let receiver = authority.receiver(named("hooks.example.com")).await;
    let failure = failing(&authority.trusted_by_post(), &https(&receiver), AMPLE).await;
    assert_eq!(failure.kind, FailureKind::Tls);
    assert!(
        failure.detail.contains("hooks.example.com"),
        "{}",
        failure.detail
    );
}

#[tokio::test]
async fn an_expired_certificate_is_a_tls_failure() {
    let authority = Authority::new();
    let mut params = named("localhost");
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 1);
    let receiver = authority.receiver(params).await;
    let failure = failing(&authority.trusted_by_post(), &https(&receiver), AMPLE).await;
    assert_eq!(failure.kind, FailureKind::Tls);
    assert!(failure.detail.contains("expired"), "{}", failure.detail);
}

#[tokio::test]
async fn a_self_signed_certificate_is_a_tls_failure() {
    let key = KeyPair::generate().unwrap();
    let certificate = named("localhost").self_signed(&key).unwrap();
    let receiver = tls_receiver(certificate, &key).await;
    let kind = kind_of_failure(&local_post(), &https(&receiver), AMPLE).await;
    assert_eq!(kind, FailureKind::Tls);
}

#[tokio::test]
async fn an_authority_nobody_trusts_is_a_tls_failure() {
    let receiver = Authority::new().receiver(named("localhost")).await;
    let kind = kind_of_failure(&local_post(), &https(&receiver), AMPLE).await;
    assert_eq!(kind, FailureKind::Tls);
}

#[tokio::test]
async fn plain_http_where_tls_belongs_is_a_tls_failure() {
    let receiver = Receiver::handling(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let kind = kind_of_failure(&local_post(), &https(&receiver), AMPLE).await;
    assert_eq!(kind, FailureKind::Tls);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_handshake_is_a_reset() {
    let receiver =
        Receiver::handling(|stream| async move { stream.set_zero_linger().unwrap() }).await;
    let kind = kind_of_failure(&local_post(), &https(&receiver), AMPLE).await;
    assert_eq!(kind, FailureKind::Reset);
}

#[tokio::test]
async fn a_handshake_that_stalls_is_a_timeout() {
    let receiver = Receiver::handling(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let failure = failing(&local_post(), &https(&receiver), SHORT).await;
    assert_eq!(failure.kind, FailureKind::Timeout);
    let phase = format!("TLS handshake with {}", receiver.address);
    assert!(failure.detail.contains(&phase), "{}", failure.detail);
}
