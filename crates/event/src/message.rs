//! What fits an SQS message and an HTTP header, whatever event it is of.

/// Bytes of a queue's message limit that a sender leaves free, so that the event and the record of its failed
/// attempts still fit one dead letter.
///
/// Kept here until the dead-letter record of `delivery` states its own bound.
pub const DEAD_LETTER_ROOM: usize = 16_384;

/// Whether Amazon SQS takes this character in a body or attribute: the characters of XML 1.0, section 2.2.
///
/// Anything else is answered with `InvalidMessageContents`.
pub const fn is_message_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// The first character of `text` that Amazon SQS does not take, with its byte position.
pub fn unsendable_character(text: &str) -> Option<(usize, char)> {
    text.char_indices()
        .find(|&(_, character)| !is_message_character(character))
}

/// Says whether a text can stand in a header as it is: visible ASCII and inner spaces (RFC 9110, section
/// 5.5, without the bytes it calls obsolete).
pub fn is_header_text(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_xml_are_taken_and_no_others() {
        for taken in [
            '\t',
            '\n',
            '\r',
            ' ',
            '\u{7f}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{10000}',
            '\u{10ffff}',
        ] {
            assert!(is_message_character(taken), "{taken:?}");
        }
        for refused in ['\0', '\u{8}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert!(!is_message_character(refused), "{refused:?}");
        }
    }

    #[test]
    fn the_first_unsendable_character_is_found() {
        assert_eq!(
            unsendable_character("a\u{e9}\u{ffff}b\u{fffe}"),
            Some((3, '\u{ffff}'))
        );
        assert_eq!(unsendable_character("plain\n"), None);
    }

    #[test]
    fn a_text_that_would_break_out_of_its_header_is_told() {
        for (text, fits) in [
            ("a b", true),
            ("", false),
            ("a\r\nX: y", false),
            ("é", false),
            (" a", false),
        ] {
            assert_eq!(is_header_text(text), fits, "{text:?}");
        }
    }
}
