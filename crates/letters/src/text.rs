//! Texts of strangers, made readable without changing what they say.

use serde::de::IgnoredAny;

/// Two spaces a level, up to here: a body of nothing but brackets would otherwise become gigabytes.
const DEEPEST_INDENT: usize = 24;

/// The text over several lines if it is JSON, otherwise as it is. Digits, order and repeated names stay as
/// they are: only white space between the tokens changes.
pub fn pretty(text: &str) -> String {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => indented(text),
        Err(_) => text.to_owned(),
    }
}

fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            out.push(c);
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth.min(DEEPEST_INDENT)));
}

/// The text in lower case, character by character: whatever stands around one, it becomes the same.
pub(crate) fn lower_case(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(char::to_lowercase).collect()
    }
}

/// The text with the escapes of JSON strings written out; none if it has none.
pub(crate) fn unescaped(text: &str) -> Option<String> {
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (character, length) = escape(&rest[at..]);
        out.push(character);
        rest = &rest[at + length..];
    }
    (rest.len() < text.len()).then(|| out + rest)
}

/// What the escape at the start of this text means, and how many bytes it takes. One that is none, or half a
/// character, stands for itself.
fn escape(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'u') => {}
        Some(b'n') => return ('\n', 2),
        Some(b't') => return ('\t', 2),
        Some(b'r') => return ('\r', 2),
        Some(&c @ (b'"' | b'\\' | b'/')) => return (char::from(c), 2),
        _ => return ('\\', 1),
    }
    let Some(unit) = code_unit(text) else {
        return ('\\', 1);
    };
    let second = code_unit(text.get(6..).unwrap_or_default());
    let mut pair = char::decode_utf16([unit].into_iter().chain(second));
    match pair.next() {
        Some(Ok(character)) => (character, 6 * character.len_utf16()),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// The code unit of a text that begins with `\uXXXX`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u16::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_written_out_and_what_is_none_stays() {
        for (text, expected) in [
            (r"a\u00fcb\/c", "aüb/c"),
            (r"\ud83e\udd80!", "🦀!"),
            (r"\ud83e!\udd80", "\u{fffd}!\u{fffd}"),
            (r"\ud83e\u0041", "\u{fffd}A"),
            (r#"\\u00fc\"\n\t\r"#, "\\u00fc\"\n\t\r"),
            (r"\u00f", r"\u00f"),
            (r"\u+0fc\", r"\u+0fc\"),
            ("\\ué\\é", "\\ué\\é"),
        ] {
            assert_eq!(unescaped(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(unescaped("plain"), None);
    }

    #[test]
    fn json_is_laid_out_without_changing_a_token() {
        let text =
            r#"{"b":[1,2.50,12345678901234567890123],"a":{},"a":[ ],"s":"x\"{,:} y\\","n":null}"#;
        let expected = r#"{
  "b": [
    1,
    2.50,
    12345678901234567890123
  ],
  "a": {},
  "a": [],
  "s": "x\"{,:} y\\",
  "n": null
}"#;
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(expected), expected);
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        for text in ["", "hello", "{\"a\":1} more", "{\"a\":"] {
            assert_eq!(pretty(text), text);
        }
    }

    #[test]
    fn deep_json_stays_within_bounds() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(pretty(&deep).len() < 12_000_000);
    }
}
