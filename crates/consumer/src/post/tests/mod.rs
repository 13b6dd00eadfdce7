//! Posts to receivers on real sockets.

mod answers;
mod breakage;
mod connecting;
mod connections;
mod guarding;
mod receiver;
mod tls;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use receiver::Receiver;

/// Longer than anything takes that is not meant to time out.
const AMPLE: Duration = Duration::from_secs(30);
/// For what is meant to.
const SHORT: Duration = Duration::from_millis(150);
/// For what is meant to after a status has arrived, on a busy machine too.
const PATIENT: Duration = Duration::from_millis(1500);

const SECRET: &str = "hunter2hunter2";

/// A policy for receivers on this machine.
fn local() -> EndpointPolicy {
    EndpointPolicy {
        allow_http: true,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..EndpointPolicy::default()
    }
}

fn local_post() -> HttpPost {
    HttpPost::new(local()).unwrap()
}

/// A request with a secret wherever one can be.
fn request(url: &str, timeout: Duration) -> Request {
    let mut url: Url = url.parse().unwrap();
    url.set_query(Some(&format!("token={SECRET}")));
    Request {
        url,
        headers: vec![("X-Payload-Signature".to_owned(), SECRET.to_owned())],
        body: Bytes::from_static(b"{}"),
        timeout,
        new_connection: false,
    }
}

async fn answer(post: &HttpPost, url: &str) -> Answer {
    post.post(request(url, AMPLE)).await.unwrap()
}

fn failure_of(outcome: Result<Answer, NoAnswer>) -> Failure {
    match outcome {
        Err(NoAnswer::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// Posts to what must fail, and checks what every failure promises.
async fn failing(post: &HttpPost, url: &str, timeout: Duration) -> Failure {
    let failure = failure_of(post.post(request(url, timeout)).await);
    let Failure { kind, detail } = &failure;
    assert!(
        !detail.is_empty() && detail.chars().count() <= 200,
        "{detail}"
    );
    assert!(
        !detail.contains('\n') && !detail.contains(SECRET),
        "{detail}"
    );
    assert_ne!(*kind, FailureKind::Other);
    failure
}

async fn kind_of_failure(post: &HttpPost, url: &str, timeout: Duration) -> FailureKind {
    failing(post, url, timeout).await.kind
}
