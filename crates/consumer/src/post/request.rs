//! A request, and how it is sent.

use std::time::Duration;

use bytes::Bytes;
use delivery::{Failure, FailureKind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;
use url::{Position, Url};

use super::failure::failure;

/// One request.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// Sent as they are, in these letters, besides `Host`, `Content-Length` and `Accept: */*`.
    pub headers: Vec<(String, String)>,
    /// Sent as it is.
    pub body: Bytes,
    /// For everything from the name's lookup to the end of the answer's body.
    pub timeout: Duration,
    /// Whether no connection may be used that carried a request before: whatever made the last attempt fail may lie with
    /// it.
    pub new_connection: bool,
}

impl Request {
    /// Scheme, host and port: what a connection is good for.
    pub(super) fn origin(&self) -> &str {
        &self.url[..Position::BeforePath]
    }

    /// As hyper sends it.
    ///
    /// # Errors
    /// Names the field that holds what HTTP does not carry; its value may be secret.
    pub(super) fn for_hyper(
        &self,
        keep_alive: bool,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let target = &self.url[Position::BeforePath..Position::AfterQuery];
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let mut fields = HeaderMap::with_capacity(self.headers.len() + 3);
        append(&mut fields, "Host", host)?;
        append(&mut fields, "Accept", "*/*")?;
        if !keep_alive {
            append(&mut fields, "Connection", "close")?;
        }
        for (name, value) in &self.headers {
            append(&mut fields, name, value)?;
        }
        let uri = target.parse::<Uri>().map_err(|error| {
            failure(
                FailureKind::Protocol,
                format!("the URL's path cannot be sent: {error}"),
            )
        })?;
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Ok(request)
    }

    /// The names of the fields, in the letters they are to have.
    pub(super) fn letters(&self) -> Vec<String> {
        let own = ["Host", "Accept", "Connection", "Content-Length"].map(str::to_owned);
        let given = self.headers.iter().map(|(name, _)| name.clone());
        given.chain(own).collect()
    }
}

fn append(fields: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    match (
        name.parse::<HeaderName>(),
        HeaderValue::from_bytes(value.as_bytes()),
    ) {
        (Ok(name), Ok(value)) => fields.append(name, value),
        _ => {
            let detail = format!("header {name} holds a character that HTTP does not carry");
            return Err(failure(FailureKind::Protocol, detail));
        }
    };
    Ok(())
}
