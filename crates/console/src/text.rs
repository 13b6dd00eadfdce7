//! Texts of strangers on a page: always text, never markup, and what cannot be seen is made visible.

use std::fmt::Write as _;

use delivery::is_deceptive;
use maud::{Markup, PreEscaped, Render, html};

/// A text that came from elsewhere, in the direction its own characters have, on its own.
pub(super) struct Strange<'a>(pub(super) &'a str);

impl Render for Strange<'_> {
    fn render(&self) -> Markup {
        html! { bdi { (visible(self.0)) } }
    }
}

/// The text escaped, with every character that hides, or turns others around, written as its number.
pub(super) fn visible(text: &str) -> Markup {
    let mut shown = String::with_capacity(text.len());
    let mut plain = 0;
    for (at, character) in text.char_indices().filter(|(_, c)| is_hidden(*c)) {
        text[plain..at].render_to(&mut shown);
        // Writing to a String cannot fail.
        let _ = write!(
            shown,
            r#"<span class="hidden">\u{{{:x}}}</span>"#,
            u32::from(character)
        );
        plain = at + character.len_utf8();
    }
    text[plain..].render_to(&mut shown);
    PreEscaped(shown)
}

/// JSON, [`visible`], each string that is not plain ASCII on its own: otherwise a name and a value that are written
/// from right to left would change places.
pub(super) fn json(text: &str) -> Markup {
    let mut shown = String::with_capacity(text.len());
    let (mut plain, mut string, mut escaped) = (0, None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (string, byte) {
            (None, b'"') => string = Some(at),
            (Some(_), b'\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(begin), b'"') if !escaped => {
                string = None;
                let whole = &text[begin..=at];
                if !whole.is_ascii() {
                    visible(&text[plain..begin]).render_to(&mut shown);
                    Strange(whole).render_to(&mut shown);
                    plain = at + 1;
                }
            }
            _ => {}
        }
        escaped = false;
    }
    visible(&text[plain..]).render_to(&mut shown);
    PreEscaped(shown)
}

/// A text for where there can be no elements: what [`visible`] would write as a number is one replacement character.
pub(super) fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| {
        if is_hidden(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    });
    shown.collect()
}

/// A text for where there can be no elements, with what cannot be seen as its number; nothing if all of it can be seen.
pub(super) fn numbered(text: &str) -> Option<String> {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, r"\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    hides(text).then_some(shown)
}

/// Whether a text holds what [`visible`] would write differently.
pub(super) fn hides(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// What deceives; but a page breaks lines, and has tabs.
fn is_hidden(character: char) -> bool {
    !matches!(character, '\n' | '\t') && is_deceptive(character)
}

/// The first `most` characters, with a sign that there is more.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_markup() {
        let shown = Strange("<script>alert('1')</script>&\"")
            .render()
            .into_string();
        assert_eq!(
            shown,
            "<bdi>&lt;script&gt;alert('1')&lt;/script&gt;&amp;&quot;</bdi>"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_written_as_its_number() {
        assert_eq!(
            visible("a\u{1b}\u{202e}<b\u{200b}\n\tc").into_string(),
            "a<span class=\"hidden\">\\u{1b}</span><span class=\"hidden\">\\u{202e}</span>&lt;b\
             <span class=\"hidden\">\\u{200b}</span>\n\tc"
        );
        assert!(hides("\r") && !hides("é\u{200d}\n"));
        // Soft hyphen, Hangul filler, and the tags in which a whole sentence can hide.
        for unseen in [
            "a\u{ad}b",
            "\u{3164}",
            "\u{206a}",
            "\u{ffff}",
            "a\u{e0068}\u{e0069}",
        ] {
            assert!(hides(unseen), "{unseen:?}");
        }
        assert!(!hides("क\u{200d}ष ❤\u{fe0f} 葛\u{e0100}"));
        assert_eq!(plain("a\u{202e}b"), "a\u{fffd}b");
        let shown = numbered("a\u{202e}b\u{3164}");
        assert_eq!(shown.as_deref(), Some(r"a\u{202e}b\u{3164}"));
        assert_eq!(numbered("EventSetup_é"), None);
    }

    #[test]
    fn strings_of_json_stand_on_their_own() {
        let shown = |text| json(text).into_string();
        assert_eq!(
            shown(r#"{"אב": "ג\\\"<ד", "a": "b\\", "é": 1}"#),
            r#"{<bdi>"אב"</bdi>: <bdi>"ג\\\"<ד"</bdi>, "a": "b\\", <bdi>"é"</bdi>: 1}"#
                .replace('<', "&lt;")
                .replace('"', "&quot;")
                .replace("&lt;bdi>", "<bdi>")
                .replace("&lt;/bdi>", "</bdi>")
        );
        // Cut off within a string.
        assert_eq!(shown("[\"ä"), "[&quot;ä");
    }

    #[test]
    fn a_cut_text_ends_between_characters_and_says_that_there_is_more() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü…");
    }
}
