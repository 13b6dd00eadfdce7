//! The few characters of a receiver's answer that people get to see.

use crate::is_deceptive;

/// The longest excerpt, in characters.
pub const EXCERPT_CHARS: usize = 512;

/// The first [`EXCERPT_CHARS`] characters of an answer's body, fit for a terminal, a log and an SQS attribute.
///
/// Invalid UTF-8 and [what deceives](is_deceptive) become U+FFFD, and with it all characters outside [XML 1.0] (SQS takes no
/// others). Line breaks and tabs become spaces.
///
/// [XML 1.0]: https://www.w3.org/TR/REC-xml/#charsets
pub fn clean_excerpt(body: &[u8]) -> String {
    // A character takes at most four bytes and an invalid sequence at most three, so no more bytes than this matter.
    let body = &body[..body.len().min(EXCERPT_CHARS * 4)];
    let text = String::from_utf8_lossy(body);
    let clean: String = text.chars().take(EXCERPT_CHARS).map(clean).collect();
    clean.trim().to_owned()
}

fn clean(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_deceptive(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(
            clean_excerpt("no such talent: Zoë 🦀".as_bytes()),
            "no such talent: Zoë 🦀"
        );
        assert_eq!(clean_excerpt(b""), "");
    }

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(clean_excerpt(b"a\r\nb\tc\xe2\x80\xa8d"), "a  b c d");
    }

    #[test]
    fn controls_and_invalid_bytes_are_replaced() {
        assert_eq!(
            clean_excerpt(b"a\x1b[31m\0\xff\xc3b\x7f"),
            "a\u{FFFD}[31m\u{FFFD}\u{FFFD}\u{FFFD}b\u{FFFD}"
        );
        assert_eq!(
            clean_excerpt("\u{85}\u{202E}\u{2066}\u{FFFE}\u{FFFF}".as_bytes()),
            "\u{FFFD}".repeat(5)
        );
    }

    #[test]
    fn what_cannot_be_seen_or_turns_the_writing_around_is_replaced() {
        assert_eq!(
            clean_excerpt("a\u{61c}b\u{200e}c\u{200b}d\u{ad}e\u{e0041}f".as_bytes()),
            "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e\u{FFFD}f"
        );
        let joined = "क\u{200d}ष ❤\u{fe0f}";
        assert_eq!(clean_excerpt(joined.as_bytes()), joined);
    }

    #[test]
    fn an_excerpt_ends_after_512_characters_not_inside_one() {
        assert_eq!(clean_excerpt("🦀".repeat(600).as_bytes()), "🦀".repeat(512));
        assert_eq!(clean_excerpt(&[0xff; 4096]), "\u{FFFD}".repeat(512));
    }

    proptest! {
        #[test]
        fn whatever_comes_back_an_excerpt_is_short_and_fit_for_sqs(body: Vec<u8>) {
            let excerpt = clean_excerpt(&body);
            prop_assert!(excerpt.chars().count() <= EXCERPT_CHARS);
            let fit = |c: char| {
                matches!(c, ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..) && !c.is_control()
            };
            prop_assert!(excerpt.chars().all(fit));
        }
    }
}
