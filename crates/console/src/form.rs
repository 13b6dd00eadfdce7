//! What a person sent: the fields of a form or of an address.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use tokio::time::timeout;
use url::form_urlencoded;

/// The most bytes of a form: a page of checked boxes is some 5 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// How long a form may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The fields, in the order in which they were sent; a name may occur several times.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the query of an address.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    /// Reads a form that was posted; none if it is too large, too slow or broken off.
    pub(super) async fn of_body(body: Body) -> Option<Self> {
        let read = timeout(PATIENCE, to_bytes(body, MOST_BYTES)).await;
        Some(Self::parse(&read.ok()?.ok()?))
    }

    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The first value of a field, empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every value of a field.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |(n, _)| n == name);
        values.map(|(_, value)| value.as_str())
    }
}

/// An address within this site from a field, else `/`: a form cannot send people elsewhere.
pub(super) fn local_address(text: &str) -> &str {
    let mut bytes = text.bytes();
    let local = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    if local && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        text
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[test]
    fn a_field_may_have_several_values() {
        let fields = Fields::of_query(Some("id=a&name=x+y&id=b%26&empty="));
        assert_eq!(fields.all("id").collect::<Vec<_>>(), ["a", "b&"]);
        assert_eq!(
            (fields.get("name"), fields.get("empty"), fields.get("none")),
            ("x y", "", "")
        );
    }

    #[tokio::test]
    async fn a_form_that_is_too_large_is_not_read() {
        let body = |bytes| Body::from("a".repeat(bytes));
        assert!(Fields::of_body(body(MOST_BYTES)).await.is_some());
        assert!(Fields::of_body(body(MOST_BYTES + 1)).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_does_not_come_is_not_waited_for_for_ever() {
        let never = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        assert!(Fields::of_body(Body::from_stream(never)).await.is_none());
    }

    #[test]
    fn a_form_cannot_send_people_elsewhere() {
        for kept in ["/", "/letters?group=EventSetup_7&page=2"] {
            assert_eq!(local_address(kept), kept);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/ä",
        ] {
            assert_eq!(local_address(other), "/", "{other:?}");
        }
    }
}
