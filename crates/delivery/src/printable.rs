//! Texts that came from elsewhere, as a terminal may show them.

use crate::deceptive::is_deceptive;

/// A text that came from elsewhere, safe for a terminal: what could move the cursor, rename the window, hide, or
/// show the text in another order is written as `\u{…}`, line ends and tabs kept.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            _ if is_deceptive(character) => printable.extend(character.escape_unicode()),
            _ => printable.push(character),
        }
    }
    printable
}

/// A text that came from elsewhere, on one line: line ends and tabs are written as `\u{…}` too.
pub fn one_line(text: &str) -> String {
    let mut line = printable(text);
    for (end, told) in [('\n', "\\u{a}"), ('\t', "\\u{9}")] {
        if line.contains(end) {
            line = line.replace(end, told);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_cannot_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\r\n\tc\u{9b}"),
            "a\\u{1b}[2Jb\\u{d}\n\tc\\u{9b}"
        );
    }

    #[test]
    fn text_cannot_be_shown_in_another_order_than_it_has() {
        assert_eq!(printable("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
    }

    #[test]
    fn what_cannot_be_seen_is_written_as_its_number() {
        assert_eq!(
            printable("a\u{ad}b\u{200b}\u{feff}\u{e0041}"),
            "a\\u{ad}b\\u{200b}\\u{feff}\\u{e0041}"
        );
        let joined = "क\u{200d}ष ❤\u{fe0f}";
        assert_eq!(printable(joined), joined);
    }

    #[test]
    fn a_text_on_one_line_has_no_line_ends_of_any_kind() {
        let hostile = "a\nb\r\nc\td\u{b}e\u{c}f\u{85}g\u{2028}h\u{2029}i\u{1c}";
        let line = one_line(hostile);
        assert!(line.starts_with("a\\u{a}b\\u{d}\\u{a}c\\u{9}d"), "{line}");
        assert!(!line.contains(char::is_control), "{line}");
        assert!(!line.contains(['\u{2028}', '\u{2029}']), "{line}");
    }
}
