//! `environment` and `[callback.*]`: where events go, and how requests show who they are from.

use std::collections::BTreeMap;

use consumer::post::EndpointPolicy;
use delivery::{Authentication, Callback, Secret, SignatureMode};
use url::Url;

use super::key::{Key, Row};
use super::keys;
use super::reader::Reader;
use super::source::Source;
use super::table::{
    ALLOW_HTTP, API_KEY, CALLBACK_URL, CALLBACKS, ENVIRONMENT, EVENTS, SHARED_SECRET, SIGNATURE,
};
use super::tree::Value;
use super::values::secret::{self, SecretSource};
use super::values::url::CallbackUrl;
use super::values::word::{Environment, Word};
use super::values::{Setting, quoted};

/// The most events that may have a URL of their own.
const MAX_EVENTS: usize = 1_000;

/// Where the callback of an environment is written.
fn section(environment: Environment) -> &'static str {
    let [production, non_production] = *CALLBACKS;
    match environment {
        Environment::Production => production,
        Environment::NonProduction => non_production,
    }
}

pub(super) fn environment(reader: &mut Reader<'_>) -> Option<Environment> {
    reader.or_default(&ENVIRONMENT)
}

/// Looks at the callback of an environment, if there is one. Its secrets need not be at hand.
pub(super) fn check(
    reader: &mut Reader<'_>,
    environment: Environment,
    policy: Option<&EndpointPolicy>,
) {
    if reader.node(section(environment)).is_some() {
        target(reader, environment, policy);
    }
}

/// Where it is not known which callback is meant: looks at both, so that all problems come at once.
pub(super) fn check_both(reader: &mut Reader<'_>, policy: Option<&EndpointPolicy>) {
    for either in Environment::ALL {
        check(reader, *either, policy);
    }
}

/// Reads the callback of an environment, its secrets included.
pub(super) fn read(
    reader: &mut Reader<'_>,
    environment: Environment,
    policy: Option<&EndpointPolicy>,
) -> Option<Callback> {
    let target = target(reader, environment, policy)?;
    Some(Callback {
        url: target.url,
        events: target.events,
        authentication: authentication(reader, environment, target.credentials)?,
    })
}

/// The header in which the receivers see the secret, the key or a signature; none if there is none, or what is
/// configured cannot be used, which is told to those who use it.
pub(super) fn authentication_header(source: &Source) -> Option<&'static str> {
    let mut silent = Reader::new(source);
    let chosen = environment(&mut silent)?;
    match credentials(&mut silent, section(chosen))? {
        Credentials::None => None,
        Credentials::Shared(mode, _) => Some(mode.header_name()),
        Credentials::ApiKey(_) => Some(Authentication::API_KEY_HEADER),
    }
}

/// A callback whose secrets were not fetched.
struct Target {
    url: Option<Url>,
    events: BTreeMap<String, Url>,
    credentials: Credentials,
}

enum Credentials {
    None,
    Shared(SignatureMode, Vec<SecretSource>),
    ApiKey(SecretSource),
}

/// Reads all of a callback but the secrets themselves: those of the other environment are often not at hand.
fn target(
    reader: &mut Reader<'_>,
    environment: Environment,
    policy: Option<&EndpointPolicy>,
) -> Option<Target> {
    let section = section(environment);
    let url_key = CALLBACK_URL.of(section);
    let may_be_used = |url: &CallbackUrl| usable(&url.0, policy);
    let url = reader.optional_if(&url_key, may_be_used);
    let events = events(reader, &EVENTS.of(section), may_be_used);
    let credentials = credentials(reader, section);
    let (url, events) = (url?.map(|url| url.0), events?);
    if url.is_none() && events.is_empty() {
        reader.missing(&url_key);
        return None;
    }
    let target = Target {
        url,
        events,
        credentials: credentials?,
    };
    warn_of_refused(reader, section, &target, policy?);
    Some(target)
}

/// An address that every attempt will be refused at can be configured, but hardly on purpose.
fn warn_of_refused(
    reader: &mut Reader<'_>,
    section: &'static str,
    target: &Target,
    policy: &EndpointPolicy,
) {
    let (url, events) = (CALLBACK_URL.of(section), EVENTS.of(section).table());
    let common = target.url.iter().map(|found| (url.to_string(), found));
    let named = target
        .events
        .iter()
        .map(|(name, found)| (format!("{events}.{name}"), found));
    for (key, found) in common.chain(named) {
        if let Some(refused) = policy.refuses(found) {
            reader.warn(&key, format!("no attempt will be made: {refused}"));
        }
    }
}

/// Checks a URL. No message quotes it: it may hold a password or a token.
fn usable(url: &Url, policy: Option<&EndpointPolicy>) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "{}:// is not a way to deliver: write an https:// URL",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "holds a user or a password: remove them, and use {} or {}",
            SHARED_SECRET.name(),
            API_KEY.name()
        ));
    }
    if url.fragment().is_some() {
        return Err("holds a fragment (#…), which is never sent: remove it".to_owned());
    }
    if url.scheme() == "http" && policy.is_some_and(|policy| !policy.allow_http) {
        return Err(format!(
            "plain http is not allowed: write https://, or set {ALLOW_HTTP} = true"
        ));
    }
    Ok(())
}

fn events(
    reader: &mut Reader<'_>,
    key: &Key<CallbackUrl>,
    check: impl Fn(&CallbackUrl) -> Result<(), String>,
) -> Option<BTreeMap<String, Url>> {
    let section = key.table();
    // What else stands there has been told already: it is no table.
    let Some(Value::Table(table)) = reader.node(&section).map(|node| &node.value) else {
        return Some(BTreeMap::new());
    };
    if table.len() > MAX_EVENTS {
        let found = table.len();
        reader.problem(
            &section,
            format!("{found} events are too many: name at most {MAX_EVENTS}"),
        );
        return None;
    }
    let read = table.iter().map(|(name, node)| {
        let place = reader.place(&node.origin);
        let url = event_name(name).and_then(|()| CallbackUrl::parse(node));
        match url.and_then(|url| check(&url).map(|()| url)) {
            Ok(url) => {
                reader.show_in(&section, name, url.show(), Some(place));
                Some((name.clone(), url.0))
            }
            Err(problem) => {
                reader.problem_at(keys::join(&[section.as_str(), name]), place, problem);
                None
            }
        }
    });
    // Not straight into an `Option`: that would stop at the first problem.
    read.collect::<Vec<_>>().into_iter().collect()
}

/// The name is sent along as a header.
fn event_name(name: &str) -> Result<(), String> {
    if event::is_header_text(name) {
        Ok(())
    } else {
        Err(format!(
            "{} is not the name of an event: use visible ASCII characters",
            quoted(name)
        ))
    }
}

fn credentials(reader: &mut Reader<'_>, section: &'static str) -> Option<Credentials> {
    let (secret_key, api_key_key) = (SHARED_SECRET.of(section), API_KEY.of(section));
    let mode_key = SIGNATURE.of(section);
    let secrets = reader.optional(&secret_key);
    let api_key = reader.optional(&api_key_key);
    let shared_secret = secret_key.name();
    if reader.is_given(&secret_key) && reader.is_given(&api_key_key) {
        reader.problem(
            &api_key_key,
            format!("contradicts {shared_secret}: a request has one of the two, remove one"),
        );
        return None;
    }
    if reader.is_given(&mode_key) && !reader.is_given(&secret_key) {
        reader.problem(
            &mode_key,
            format!(
                "says how a {shared_secret} signs, and there is none: set {shared_secret} or remove it"
            ),
        );
        return None;
    }
    match (secrets, api_key) {
        (Some(Some(secrets)), Some(_)) => {
            let mode = reader.or_default(&mode_key)?;
            Some(Credentials::Shared(mode, secrets.0))
        }
        (Some(None), Some(Some(api_key))) => Some(Credentials::ApiKey(api_key)),
        (Some(None), Some(None)) => Some(Credentials::None),
        _ => None,
    }
}

fn authentication(
    reader: &mut Reader<'_>,
    environment: Environment,
    credentials: Credentials,
) -> Option<Authentication> {
    let section = section(environment);
    let (key, made) = match credentials {
        Credentials::None => return Some(Authentication::None),
        Credentials::Shared(mode, sources) => {
            let key = SHARED_SECRET.of(section).row;
            let secrets = fetch(reader, &key, &sources)?;
            (key, Authentication::signed(mode, secrets))
        }
        Credentials::ApiKey(source) => {
            let key = API_KEY.of(section).row;
            let api_key = fetch(reader, &key, &[source])?.pop()?;
            (key, Authentication::api_key(api_key))
        }
    };
    made.map_err(|error| reader.problem(&key, error.to_string()))
        .ok()
}

/// Fetches secrets; each that cannot be had is a problem of its own, and each that looks damaged a warning.
fn fetch(reader: &mut Reader<'_>, key: &Row, sources: &[SecretSource]) -> Option<Vec<Secret>> {
    let fetched = sources.iter().map(|source| match reader.fetch(source) {
        Ok(secret) => {
            if let Some(stray) = secret::stray(&secret) {
                reader.warn(key, format!("{source} {stray}"));
            }
            Some(secret)
        }
        Err(problem) => {
            reader.problem(key, problem);
            None
        }
    });
    fetched.collect::<Vec<_>>().into_iter().collect()
}
