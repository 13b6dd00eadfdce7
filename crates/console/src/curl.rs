//! The request of a dead letter as a shell command, for an engineer to repeat it against a URL of their own.

use std::borrow::Cow;
use std::fmt::Write as _;

use delivery::{Authentication, InQueue, Posting, Shape};
use event::{Event, Timestamp, is_header_text};
use letters::{Fate, Letter};
use url::Url;

use super::text::hides;

/// The longest body that stands in the command itself; a longer one is read from a file.
const LONGEST_INLINE: usize = 16 * 1024;

/// The file that a longer body is read from: what the download of it is called.
pub(super) const BODY_FILE: &str = "body.json";

/// The longest URL that is taken.
const LONGEST_URL: usize = 4 * 1024;

/// A command, and whether it reads the body from [`BODY_FILE`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) text: String,
    pub(super) reads_file: bool,
}

/// The body as it is POSTed: the bytes in the queue, and what an upstream system left out.
pub(super) fn posted_body(letter: &Letter) -> Cow<'_, [u8]> {
    posted(letter, |posting| match &posting.body {
        Cow::Borrowed(_) => Cow::Borrowed(&letter.message.body[..]),
        Cow::Owned(body) => Cow::Owned(body.clone()),
    })
}

/// Looks at what the worker POSTs of a letter's event.
fn posted<T>(letter: &Letter, look: impl FnOnce(&Posting<'_>) -> T) -> T {
    let body = &letter.message.body;
    let event = Event::parse(body).ok();
    let life = match &letter.fate {
        Fate::Recorded(record) => Some((&record.origin, record.replays)),
        Fate::Backstop(Some(replay)) => Some((&replay.origin, replay.replays)),
        Fate::Backstop(None) | Fate::Unreadable(_) => None,
    };
    let origin = life.map(|(origin, _)| origin);
    let in_header = |text: &&str| is_header_text(text);
    let in_queue = InQueue {
        message_id: &letter.message.message_id,
        first_message_id: Some(letter.id()),
        deduplication_id: origin.and_then(|origin| origin.deduplication_id.as_deref()),
        ordered_group: origin.and_then(|_| letter.ordered_group()),
        group: letter.group().filter(in_header),
        sequence_number: origin
            .and_then(|origin| origin.sequence_number.as_deref())
            .filter(in_header),
        event_name: letter.event(),
        is_replay: life.is_some_and(|(_, replays)| replays > 0),
    };
    look(&Posting::new(body, event.as_ref(), in_queue, Shape::Event))
}

/// Reads what an engineer typed; nothing is the variable `URL` of their shell.
///
/// # Errors
/// What may stand there.
pub(super) fn parse_url(text: &str) -> Result<Option<Url>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URL);
    match url {
        Some(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(url)),
        _ => Err("Write an http:// or https:// URL."),
    }
}

/// The command. The secret is not in it: where the worker would sign, `authentication` is the header to fill in.
pub(super) fn command(
    letter: &Letter,
    url: Option<&Url>,
    authentication: Option<&'static str>,
    now: Timestamp,
) -> Command {
    let body = posted_body(letter);
    // As of the last attempt.
    let n = letter.attempts().last().map_or(1, |attempt| attempt.n);
    let headers = posted(letter, |posting| {
        posting.headers(n, now, &Authentication::None)
    });
    let mut text = "curl --request POST".to_owned();
    if let Some(url) = url
        && url.as_str().contains(['[', ']', '{', '}'])
    {
        text.push_str(" --globoff");
    }
    for (name, value) in headers {
        // The moment of the request, not of this page.
        let header = match name.as_str() {
            "webhook-timestamp" => format!("\"{name}: $(date +%s)\""),
            _ => quoted(&format!("{name}: {value}")),
        };
        let _ = write!(text, " \\\n  --header {header}");
    }
    if let Some(name) = authentication {
        let _ = write!(text, " \\\n  --header \"{name}: $SIGNATURE\"");
    }
    let inline = std::str::from_utf8(&body)
        .ok()
        .filter(|body| is_inline(body));
    match inline {
        // Unlike --data, --data-raw takes a leading @ as it is.
        Some(body) => {
            let _ = write!(text, " \\\n  --data-raw {}", quoted(body));
        }
        None => {
            let _ = write!(text, " \\\n  --data-binary @{BODY_FILE}");
        }
    }
    let url = url.map_or_else(|| "\"$URL\"".to_owned(), |url| quoted(url.as_str()));
    let _ = write!(text, " \\\n  {url}");
    Command {
        text,
        reads_file: inline.is_none(),
    }
}

/// Whether a body survives being pasted into a terminal: nothing in it that cannot be seen, no tab (it completes
/// names), and not too long.
fn is_inline(body: &str) -> bool {
    body.len() <= LONGEST_INLINE && !hides(body) && !body.contains('\t')
}

/// A text as one word of a POSIX shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;
    use crate::sample::{self, DEAD, answer};

    fn letter(body: &str) -> Letter {
        let outcomes = [answer(500, "no"), answer(500, "no")];
        sample::letter("Origin-1", body, &outcomes)
    }

    const COMPLETE: &str = r#"{"msg_id":"e-1","MessageGroupId":"g"}"#;

    fn of(body: &str, url: &str) -> Command {
        let url = parse_url(url).unwrap();
        command(
            &letter(body),
            url.as_ref(),
            Some("X-Payload-Signature"),
            DEAD,
        )
    }

    #[test]
    fn the_command_sends_what_the_worker_sends_and_no_secret() {
        let expected = format!(
            r#"curl --request POST \
  --header 'Content-Type: application/json' \
  --header 'User-Agent: Hooklane/{}' \
  --header 'webhook-id: e-1' \
  --header "webhook-timestamp: $(date +%s)" \
  --header 'X-Hooklane-Attempt: 2' \
  --header 'X-Hooklane-Group: EventSetup_7' \
  --header 'X-Hooklane-Event: talent_created' \
  --header "X-Payload-Signature: $SIGNATURE" \
  --data-raw '{COMPLETE}' \
  'https://example.com/hook?a=1&b=2'"#,
            env!("CARGO_PKG_VERSION")
        );
        let made = of(COMPLETE, " https://example.com/hook?a=1&b=2");
        assert_eq!((made.text, made.reads_file), (expected, false));
    }

    /// What a shell makes of the command's arguments.
    fn arguments(command: &str) -> Vec<String> {
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
        let mut shell = Process::new("sh");
        let shell = shell.args(["-c", &script]).env_clear();
        let out = shell.env("PATH", "/usr/bin:/bin").output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let out = String::from_utf8(out.stdout).unwrap();
        out.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_shell_takes_the_body_and_the_url_as_they_are_and_runs_nothing_of_them() {
        let body = "{\"msg_id\":\"e-1\",\"MessageGroupId\":\"g\",\"x\":\"it's $(touch /tmp/p) `id` \\\\ !! \n \\\" '';\"}";
        let url = "https://example.com/a'b;id?q=$(id)&x=`id`&y={a,b}[1-2]";
        let made = of(body, url);
        let arguments = arguments(&made.text);
        let data = arguments.iter().position(|a| a == "--data-raw").unwrap();
        assert_eq!(arguments[data + 1], body);
        assert_eq!(arguments[data + 2], Url::parse(url).unwrap().as_str());
        assert_eq!(arguments.len(), data + 3);
        assert!(arguments.contains(&"--globoff".to_owned()));
    }

    #[test]
    fn a_body_that_would_not_survive_pasting_is_read_from_a_file() {
        for inner in ["a\tb", "a\r", "\u{202e}", &"x".repeat(LONGEST_INLINE)] {
            let made = of(&format!("{{\"a\":\"{inner}\"}}"), "");
            assert!(made.reads_file, "{inner:.20}");
            assert!(
                made.text
                    .ends_with(" \\\n  --data-binary @body.json \\\n  \"$URL\"")
            );
        }
        assert!(
            of("@/etc/passwd", "")
                .text
                .contains("--data-raw '@/etc/passwd'")
        );
    }

    #[test]
    fn what_an_upstream_system_left_out_is_in_the_body_as_it_was_posted() {
        let posted = posted_body(&letter(r#"{"msg_id":"e-1"}"#)).into_owned();
        let expected = r#"{"msg_id":"e-1","MessageGroupId":"EventSetup_7"}"#;
        assert_eq!(String::from_utf8(posted).unwrap(), expected);
        assert_eq!(&*posted_body(&letter("no event")), b"no event");
    }

    #[test]
    fn only_addresses_of_the_web_are_taken() {
        assert_eq!(parse_url("  "), Ok(None));
        let long = format!("https://a.example/{}", "x".repeat(LONGEST_URL));
        for text in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "example.com",
            "-K x",
            &long,
        ] {
            assert!(parse_url(text).is_err(), "{text:.40}");
        }
    }
}
