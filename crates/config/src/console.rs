//! `[console]`: where the page listens, and who may see it.

use std::net::SocketAddr;
use std::path::PathBuf;

use delivery::Secret;
use store::LedgerSpec;

use super::reader::Reader;
use super::table::{CONSOLE_LISTEN, DROP_DIR, TOKEN};
use super::values::secret::SecretSource;
use super::{QueuePair, callback, queue, worker};

/// The shortest token that may guard the page, in characters.
const SHORTEST_TOKEN: usize = 16;

/// The settings of the page.
#[derive(Debug, Clone)]
pub struct ConsoleConfig {
    /// The source queue and the internal queue.
    pub queues: QueuePair,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What a person must know to sign in. There is one unless `listen` is a loopback address.
    pub token: Option<Secret>,
    /// A directory, to which dropped letters are written.
    pub drop_dir: PathBuf,
    /// Where the attempt ledger is.
    pub ledger: LedgerSpec,
    /// The header in which the receivers see the secret or a signature, if one is configured.
    pub authentication_header: Option<&'static str>,
}

pub(super) fn read(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> Option<ConsoleConfig> {
    let queues = queue::pair(reader);
    let configured = address(reader);
    let source = token_source(reader);
    let drop_dir = drop_dir(reader);
    let ledger = worker::ledger(reader);
    let listen = listen.or(configured);
    let token = match (source?, listen) {
        (Some(source), _) => Some(fetch(reader, &source)?),
        (None, Some(listen)) if !is_loopback(listen) => {
            reader.problem(
                &TOKEN,
                format!(
                    "missing: whoever reaches {listen} could read and drop dead letters: name a secret \
                     (env:NAME or file:PATH), or listen on a loopback address"
                ),
            );
            return None;
        }
        _ => None,
    };
    Some(ConsoleConfig {
        queues: queues?,
        listen: listen?,
        token,
        drop_dir: drop_dir?,
        ledger: ledger?,
        authentication_header: callback::authentication_header(reader.source),
    })
}

/// Looks at the settings; the token need not be at hand.
pub(super) fn check(reader: &mut Reader<'_>) {
    address(reader);
    token_source(reader);
    drop_dir(reader);
}

fn address(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    reader.or_default(&CONSOLE_LISTEN)
}

fn token_source(reader: &mut Reader<'_>) -> Option<Option<SecretSource>> {
    reader.optional(&TOKEN)
}

fn fetch(reader: &mut Reader<'_>, source: &SecretSource) -> Option<Secret> {
    let problem = match reader.fetch(source) {
        Ok(token) if token.expose().chars().count() >= SHORTEST_TOKEN => return Some(token),
        Ok(_) => format!(
            "{source} is too short: give a token of at least {SHORTEST_TOKEN} characters, \
             such as `openssl rand -hex 32` prints"
        ),
        Err(problem) => problem,
    };
    reader.problem(&TOKEN, problem);
    None
}

fn drop_dir(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let given = reader.or_default(&DROP_DIR)?;
    match std::path::absolute(reader.source.resolve(&given)) {
        Ok(path) if path.is_dir() => Some(path),
        _ => {
            reader.problem(
                &DROP_DIR,
                format!("{given:?} is no directory: make it, or name another"),
            );
            None
        }
    }
}

/// Whether only this machine reaches an address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Source, console};
    use super::*;

    const QUEUES: &str = r#"
[queue]
url = "http://127.0.0.1:9324/000000000000/events.fifo"
dead_letter_url = "http://127.0.0.1:9324/000000000000/events-internal.fifo"
"#;

    /// What `console` makes of a file, or the problems as people read them.
    fn of(section: &str, token: &str, listen: Option<&str>) -> Result<ConsoleConfig, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooklane.toml");
        std::fs::write(&path, format!("{QUEUES}\n[console]\n{section}")).unwrap();
        let environment: Environment = [("HOOKLANE_CONSOLE_TOKEN", token)].into_iter().collect();
        let source = Source::load(Some(&path), environment).unwrap();
        let listen = listen.map(|listen| listen.parse().unwrap());
        console(&source, listen).map_err(|invalid| invalid.to_string())
    }

    const NAMED: &str = r#"token = "env:HOOKLANE_CONSOLE_TOKEN""#;

    #[test]
    fn on_loopback_no_token_is_needed() {
        let config = of("", "", None);
        // The variable that nobody names is a key that nobody knows.
        assert!(config.unwrap_err().contains("HOOKLANE_CONSOLE_TOKEN"));
        let config = of(NAMED, "0123456789abcdef", None).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9465");
        assert_eq!(config.token, Some(Secret::new("0123456789abcdef")));
    }

    #[test]
    fn the_callback_says_in_which_header_receivers_look() {
        let with = |callback: &str| {
            let section =
                format!("{NAMED}\n[callback.production]\nurl = \"https://a.example\"\n{callback}");
            of(&section, "0123456789abcdef", None)
                .unwrap()
                .authentication_header
        };
        // The secrets themselves need not be at hand.
        assert_eq!(
            with("shared_secret = \"env:NOWHERE\""),
            Some("X-Payload-Signature")
        );
        assert_eq!(with("api_key = \"env:NOWHERE\""), Some("X-api-key"));
        assert_eq!(with(""), None);
        assert_eq!(with("api_key = \"written out\""), None);
    }

    #[test]
    fn another_address_needs_a_token_wherever_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hooklane.toml");
        for (section, listen) in [
            ("[console]\nlisten = \"0.0.0.0:9465\"", None),
            ("", Some("10.0.0.5:9465".parse().unwrap())),
            ("", Some("[::]:9465".parse().unwrap())),
        ] {
            std::fs::write(&path, format!("{QUEUES}\n{section}")).unwrap();
            let source = Source::load(Some(&path), Environment::default()).unwrap();
            let told = console(&source, listen).unwrap_err().to_string();
            assert!(told.contains("console.token: missing"), "{told}");
        }
        for loopback in ["[::1]:0", "127.1.2.3:0", "[::ffff:127.0.0.1]:0"] {
            assert!(is_loopback(loopback.parse().unwrap()), "{loopback}");
        }
        assert!(of(NAMED, "0123456789abcdef", Some("0.0.0.0:9465")).is_ok());
    }

    #[test]
    fn the_help_says_how_long_a_token_has_to_be() {
        let least = format!("at least {SHORTEST_TOKEN}\ncharacters");
        assert!(TOKEN.row.help().contains(&least), "{}", TOKEN.row.help());
    }

    #[test]
    fn a_token_that_is_too_short_is_told_and_not_shown() {
        let told = of(NAMED, "0123456789abcde", None).unwrap_err();
        assert!(told.contains("at least 16 characters"), "{told}");
        assert!(!told.contains("0123456789abcde"), "{told}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let told = of(
            &format!("{NAMED}\ndrop_dir = \"nowhere\""),
            "0123456789abcdef",
            None,
        );
        assert!(told.unwrap_err().contains("\"nowhere\" is no directory"));
    }
}
