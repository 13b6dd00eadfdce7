//! Where an event goes: the callback of the environment.

use std::collections::BTreeMap;
use std::fmt;

use url::Url;

use crate::Authentication;

/// The callback of one environment: one URL for all events, URLs per event name, or both.
#[derive(Clone)]
pub struct Callback {
    /// The URL of every event that has none of its own.
    pub url: Option<Url>,
    /// The URLs of single event names.
    pub events: BTreeMap<String, Url>,
    /// How requests show who they are from.
    pub authentication: Authentication,
}

/// URLs are masked: `Debug` shows no token.
impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events.iter().map(|(name, url)| (name, masked(url)));
        f.debug_struct("Callback")
            .field("url", &self.url.as_ref().map(masked))
            .field("events", &events.collect::<BTreeMap<_, _>>())
            .field("authentication", &self.authentication)
            .finish()
    }
}

impl Callback {
    /// The URL for an event of this name: its own, else the common one (`docs/DECISIONS.md`, "Where an event
    /// goes").
    pub fn url_for(&self, event_name: Option<&str>) -> Option<&Url> {
        event_name
            .and_then(|name| self.events.get(name))
            .or(self.url.as_ref())
    }
}

/// The URL as logs and records may show it: the values of a query are masked, and parts without a name, since receivers
/// put tokens there. (User information in a URL is refused with the configuration.)
pub fn masked(url: &Url) -> String {
    let mut shown = url.clone();
    if url.query().is_some() {
        let parts = url.query().unwrap_or_default().split('&');
        let masked = parts.map(|part| match part.split_once('=') {
            Some((key, _)) => format!("{key}=***"),
            None => "***".to_owned(),
        });
        shown.set_query(Some(&masked.collect::<Vec<_>>().join("&")));
    }
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_event_name_with_a_url_of_its_own_goes_there_and_all_others_to_the_common_one() {
        let callback = Callback {
            url: Some(url("https://a.example/all")),
            events: BTreeMap::from([(
                "talent_created".to_owned(),
                url("https://a.example/talents"),
            )]),
            authentication: Authentication::None,
        };
        let path = |name| callback.url_for(name).map(|u| u.path().to_owned());
        assert_eq!(path(Some("talent_created")).as_deref(), Some("/talents"));
        assert_eq!(path(Some("other")).as_deref(), Some("/all"));
        assert_eq!(path(None).as_deref(), Some("/all"));
    }

    #[test]
    fn an_event_without_any_url_goes_nowhere() {
        let callback = Callback {
            url: None,
            events: BTreeMap::from([("a".to_owned(), url("https://a.example/"))]),
            authentication: Authentication::None,
        };
        assert!(callback.url_for(Some("b")).is_none());
    }

    #[test]
    fn a_token_in_a_query_is_not_shown() {
        let shown = masked(&url("https://a.example/x?sig=S3CRET&v=1"));
        assert_eq!(shown, "https://a.example/x?sig=***&v=***");
        let shown = masked(&url("https://a.example/x?S3CRET&v=1&a%3Db"));
        assert_eq!(shown, "https://a.example/x?***&v=***&***");
        let callback = Callback {
            url: Some(url("https://a.example/x?sig=S3CRET")),
            events: BTreeMap::from([("a".to_owned(), url("https://a.example/y?sig=S3CRET"))]),
            authentication: Authentication::None,
        };
        let debug = format!("{callback:?}");
        assert!(!debug.contains("S3CRET"), "{debug}");
        assert!(
            debug.contains("a.example/x") && debug.contains("a.example/y"),
            "{debug}"
        );
    }
}
