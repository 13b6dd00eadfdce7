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
                while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
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

#[cfg(test)]
mod tests {
    use super::*;

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
