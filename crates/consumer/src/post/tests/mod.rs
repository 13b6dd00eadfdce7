//! Posts to receivers on real sockets.

mod answers;
mod breakage;
mod guarding;
mod receiver;
mod tls;

use super::*;
use receiver::Receiver;

/// Longer than anything takes that is not meant to time out.
const AMPLE: Duration = Duration::from_secs(30);
/// For what is meant to.
const SHORT: Duration = Duration::from_millis(150);

const SECRET: &str = "hunter2hunter2";

/// A policy for receivers on this machine.
fn local() -> EndpointPolicy {
    EndpointPolicy {
        allow_http: true,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
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
    }
}

async fn answer(post: &HttpPost, url: &str) -> Answer {
    post.post(request(url, AMPLE)).await.unwrap()
}

/// Posts to what must fail, and checks what every failure promises.
async fn failing(post: &HttpPost, url: &str, timeout: Duration) -> Failure {
    let NoAnswer::Failed(failure) = post.post(request(url, timeout)).await.unwrap_err() else {
        panic!("a shortage of ours");
    };
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
