//! Dead letters in a file, one a line: what `dlq export` and `dlq drop` write and `dlq import` reads.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use delivery::{DEAD_LETTER, REPLAY, Reason, Replay};
use event::Timestamp;
use queue::limits::{MAX_ATTRIBUTES, MAX_MESSAGE_BYTES};
use queue::{Attribute, AttributeValue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::letter::put_back_id;
use crate::target::origin_of;
use crate::{Fate, Letter};

/// The version of the format.
const VERSION: u32 = 1;

/// One line: a letter, and how it comes back. Fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) v: u32,
    /// The event's first MessageId.
    pub(crate) id: String,
    /// The MessageId in the internal queue; an import gives it another.
    pub(crate) message_id: String,
    pub(crate) reason: Reason,
    /// The message group in the source queue.
    pub(crate) group: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) dead_at: Option<Timestamp>,
    pub(crate) sent_at: Option<Timestamp>,
    /// The URL of the internal queue that it was in.
    pub(crate) queue: String,
    pub(crate) put_back: PutBack,
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Exactly as it was.
    pub(crate) body: String,
}

/// What else an import sends; means something to FIFO queues only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PutBack {
    /// The group in the internal queue.
    pub(crate) group: Option<String>,
    /// A fresh one: SQS remembers the letter's own for five minutes, also after its delete, and would swallow the
    /// message that undoes a drop. Being saved, it makes SQS swallow the second import of the same file.
    pub(crate) deduplication_id: String,
}

/// A message attribute: text, also of numbers, or bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Value {
    #[serde(rename = "type")]
    data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// The line of a letter of the queue at `queue_url`, without its line end. `fresh_id` becomes its deduplication id;
/// a letter of the native redrive carries its identity on.
pub fn line(letter: &Letter, queue_url: &str, fresh_id: &str) -> String {
    let message = &letter.message;
    let attributes = message.attributes.iter();
    let mut attributes: BTreeMap<_, _> = attributes
        .map(|(name, a)| (name.clone(), Value::of(a)))
        .collect();
    if let Some((name, identity)) = identity(letter) {
        attributes.insert(name, Value::of(&identity));
    }
    let line = Line {
        v: VERSION,
        id: letter.id().to_owned(),
        message_id: message.message_id.clone(),
        reason: letter.reason(),
        group: letter.group().map(str::to_owned),
        event: letter.event().map(str::to_owned),
        dead_at: letter.dead_at(),
        sent_at: letter.sent_at(),
        queue: queue_url.to_owned(),
        put_back: PutBack {
            group: message.group.clone(),
            deduplication_id: put_back_id(message, fresh_id),
        },
        attributes,
        body: String::from_utf8_lossy(&message.body).into_owned(),
    };
    serde_json::to_string(&line).expect("a line has only string keys")
}

/// [`line()`] with an id that nothing had before.
pub fn fresh_line(letter: &Letter, queue_url: &str) -> String {
    line(letter, queue_url, &Uuid::new_v4().to_string())
}

/// What a letter of the native redrive must carry to be known by its first MessageId and its time when an import
/// has given it others; none if it has it already, or there is no room.
fn identity(letter: &Letter) -> Option<(String, Attribute)> {
    let is_new = matches!(letter.fate, Fate::Backstop(None))
        && letter.message.attributes.len() < MAX_ATTRIBUTES
        && !letter.message.attributes.contains_key(REPLAY);
    let used = letter.size() + Attribute::string("").size(REPLAY);
    let room = MAX_MESSAGE_BYTES.checked_sub(used).filter(|_| is_new)?;
    let replay = Replay::new(0, origin_of(letter)).to_json_within(room)?;
    Some((REPLAY.to_owned(), Attribute::string(replay)))
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, without repeating anything of it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let line: Self = serde_json::from_slice(text).map_err(|error| no_letter(&error))?;
        match line.v {
            VERSION => Ok(line),
            v => Err(format!(
                "written in version {v} of the format, and this program knows {VERSION}"
            )),
        }
    }

    /// The message attributes.
    ///
    /// # Errors
    /// Which cannot be one, and why.
    pub(crate) fn message_attributes(&self) -> Result<BTreeMap<String, Attribute>, String> {
        if self.attributes.len() > MAX_ATTRIBUTES {
            let count = self.attributes.len();
            return Err(format!("{count} attributes: SQS takes {MAX_ATTRIBUTES}"));
        }
        let attributes = self.attributes.iter().map(|(name, value)| {
            let attribute = value.attribute();
            attribute
                .map(|attribute| (name.clone(), attribute))
                .map_err(|why| format!("attribute {:?}: {why}", shortened(name)))
        });
        attributes.collect()
    }

    /// Whether the only record of the letter is the one that [`line()`] gave it.
    pub(crate) fn has_given_identity(&self) -> bool {
        let text = |name| self.attributes.get(name).and_then(|v| v.text.as_deref());
        text(DEAD_LETTER).is_none()
            && text(REPLAY)
                .is_some_and(|replay| Replay::parse(replay).is_ok_and(|r| r.replays == 0))
    }
}

/// Says what is missing, or where it is wrong: what serde says of a wrong type repeats the value.
fn no_letter(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match (error.is_data(), said.split_once(" at line")) {
        (true, Some((missing, _))) if missing.starts_with("missing field") => {
            format!("no letter of an export: {missing}")
        }
        (true, _) => format!(
            "no letter of an export: a field has another type there, at column {}",
            error.column()
        ),
        (false, _) => format!("not valid JSON, at column {}", error.column()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl Value {
    fn of(attribute: &Attribute) -> Self {
        let (text, base64) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Bytes(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Self {
            data_type: attribute.data_type.clone(),
            text,
            base64,
        }
    }

    fn attribute(&self) -> Result<Attribute, String> {
        let value = match (&self.text, &self.base64) {
            (Some(text), None) => AttributeValue::Text(text.clone()),
            (None, Some(base64)) => {
                let bytes = BASE64_STANDARD.decode(base64);
                AttributeValue::Bytes(bytes.map_err(|error| format!("not base64: {error}"))?)
            }
            _ => return Err("needs either a text or base64".to_owned()),
        };
        Ok(Attribute {
            data_type: self.data_type.clone(),
            value,
        })
    }
}

/// A new file of letters, readable by its owner alone: bodies are personal data.
#[derive(Debug)]
pub struct LetterFile {
    path: PathBuf,
    file: File,
    /// The length of the lines that were written whole.
    whole: u64,
}

impl LetterFile {
    /// What a file of dropped letters is called if nobody says: `dropped-20261122T013000123Z.jsonl`.
    pub fn name_at(now: Timestamp) -> String {
        let digits = now.to_string().replace(['-', ':', '.'], "");
        format!("dropped-{digits}.jsonl")
    }

    /// Makes the file.
    ///
    /// # Errors
    /// When it exists already (nothing is overwritten) or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            whole: 0,
        })
    }

    /// Writes a letter of the queue at `queue_url`. It is not safe before [`LetterFile::sync`].
    ///
    /// # Errors
    /// When it cannot be written: the disk is full, say. What was written before stays good.
    pub fn write(&mut self, letter: &Letter, queue_url: &str) -> io::Result<()> {
        let mut line = fresh_line(letter, queue_url);
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        match &written {
            Ok(()) => self.whole += line.len() as u64,
            // Half a line would keep the others from being imported.
            Err(_) => drop(self.file.set_len(self.whole)),
        }
        written
    }

    /// Makes sure that everything written outlasts a loss of power, the file's name included.
    ///
    /// # Errors
    /// When that cannot be made sure.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let parent = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::sample::{DEAD, Sample};

    const QUEUE: &str = "https://sqs/1/events-internal.fifo";

    /// A letter as the native redrive leaves it.
    fn native(attributes: usize) -> Letter {
        let mut message = Sample::default().letter().message;
        let attribute = |n| (format!("a{n}"), Attribute::string("value"));
        message.attributes = (0..attributes).map(attribute).collect();
        message.group = Some("EventSetup_7".to_owned());
        message.deduplication_id = Some(message.message_id.clone());
        message.sent_at = DEAD;
        Letter::read(message)
    }

    fn saved(letter: &Letter) -> Line {
        Line::parse(line(letter, QUEUE, "fresh").as_bytes()).unwrap()
    }

    #[test]
    fn a_line_says_what_it_is_and_how_it_comes_back() {
        let mut letter = Sample {
            body: "{\"a\":\"\u{fc}\\n\"}\n",
            ..Sample::default()
        }
        .letter();
        let bytes = Attribute {
            data_type: "Binary.png".to_owned(),
            value: AttributeValue::Bytes(vec![0, 255, 10]),
        };
        let attributes = &mut letter.message.attributes;
        attributes.insert("picture".to_owned(), bytes);
        let record = attributes[DEAD_LETTER].as_str().unwrap().to_owned();
        let json: serde_json::Value = serde_json::from_str(&line(&letter, QUEUE, "fresh")).unwrap();
        let expected = serde_json::json!({
            "v": 1, "id": "Origin-1", "message_id": "present-1", "reason": "exhausted",
            "group": "EventSetup_7", "event": "talent_created",
            "dead_at": "2025-02-12T14:30:45.123Z", "sent_at": "1970-01-01T00:00:00.000Z", "queue": QUEUE,
            "put_back": {"group": "EventSetup_7#Origin-1", "deduplication_id": "Origin-1~ifresh"},
            "attributes": {
                "event": {"type": "String", "text": "talent_created"},
                "hooklane.dead_letter": {"type": "String", "text": record},
                "picture": {"type": "Binary.png", "base64": "AP8K"},
            },
            "body": "{\"a\":\"\u{fc}\\n\"}\n",
        });
        assert_eq!(json, expected);
        assert_eq!(
            saved(&letter).message_attributes().unwrap(),
            letter.message.attributes
        );
    }

    #[test]
    fn a_letter_of_the_native_redrive_carries_its_identity_if_there_is_room() {
        let saved_native = saved(&native(9));
        assert!(saved_native.has_given_identity());
        let mut put_back = native(9).message;
        put_back.attributes = saved_native.message_attributes().unwrap();
        put_back.message_id = "another".to_owned();
        put_back.sent_at = DEAD.plus(std::time::Duration::from_secs(60));
        let put_back = Letter::read(put_back);
        assert_eq!(put_back.id(), "present-1");
        assert_eq!(put_back.dead_at(), Some(DEAD));
        assert_eq!(put_back.sent_at(), None);
        assert_eq!(put_back.shared_group(), Some("EventSetup_7"));
        assert_eq!(saved(&put_back).attributes, saved_native.attributes);

        let full = native(MAX_ATTRIBUTES);
        assert_eq!(saved(&full).attributes.len(), MAX_ATTRIBUTES);
        assert!(!saved(&full).has_given_identity());
    }

    #[test]
    fn a_letter_without_its_record_is_still_known_for_one_after_it_was_put_back_twice() {
        let mut message = Sample::default().letter().message;
        message.attributes.clear();
        for _ in 0..2 {
            let letter = Letter::read(message.clone());
            assert!(letter.problem().unwrap().contains("without its record"));
            let put_back = saved(&letter).put_back;
            assert_eq!(put_back.deduplication_id, "Origin-1~ifresh");
            message.deduplication_id = Some(put_back.deduplication_id);
        }
    }

    #[test]
    fn what_is_no_letter_is_told_without_repeating_it() {
        let good = line(&native(0), QUEUE, "fresh");
        for (text, said) in [
            ("{\"a\":\"S3CRET", "not valid JSON"),
            (
                "{\"v\":\"S3CRET\"}",
                "a field has another type there, at column 13",
            ),
            ("{\"v\":1}", "no letter of an export: missing field `id`"),
            ("7", "a field has another type"),
            (
                &good.replace("\"v\":1", "\"v\":2"),
                "version 2 of the format, and this program knows 1",
            ),
        ] {
            let error = Line::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(said) && !error.contains("S3CRET"), "{error}");
        }
        let attribute = |json: &str| {
            let text = good.replace(
                "\"attributes\":{",
                &format!("\"attributes\":{{\"x\":{json},"),
            );
            Line::parse(text.as_bytes())
                .unwrap()
                .message_attributes()
                .unwrap_err()
        };
        assert!(attribute(r#"{"type":"Binary","base64":"§"}"#).contains("\"x\": not base64"));
        assert!(attribute(r#"{"type":"String"}"#).contains("either a text or base64"));
    }

    #[test]
    fn a_file_is_its_owners_alone_and_overwrites_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.jsonl");
        let mut file = LetterFile::create(&path).unwrap();
        file.write(&native(0), QUEUE).unwrap();
        file.write(&native(0), QUEUE).unwrap();
        file.sync().unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = LetterFile::create(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = text
            .lines()
            .map(|l| Line::parse(l.as_bytes()).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_ne!(
            lines[0].put_back.deduplication_id,
            lines[1].put_back.deduplication_id
        );
    }
}
