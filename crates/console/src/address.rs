//! Addresses: where a letter is shown, and the list of those that a filter means.

use letters::{Filter, Letter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::text::cut;

/// The most characters of an id in a row; all of it is on the letter's own page.
const LABEL_CHARS: usize = 80;

/// What may stand in a path as it is (RFC 3986, unreserved).
const SEGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The page of a letter, under the id that people know.
pub(super) fn of_letter(letter: &Letter) -> String {
    // Not under one that is endless or dots, which browsers take for a way up.
    match letter.id() {
        id if id.len() > 128 || id.bytes().all(|byte| byte == b'.') => of_present(letter),
        id => of_id(id),
    }
}

/// The page of a letter, under the id that no other letter has.
pub(super) fn of_present(letter: &Letter) -> String {
    of_id(&letter.message.message_id)
}

/// The page of the letter of this id.
pub(super) fn of_id(id: &str) -> String {
    format!("/letters/{}", utf8_percent_encode(id, &SEGMENT))
}

/// What a letter is called where there is room for one line only.
pub(super) fn label(letter: &Letter) -> String {
    cut(letter.id(), LABEL_CHARS)
}

/// The list of the letters that a filter means.
pub(super) fn of_matching(filter: &Filter) -> String {
    of_list(filter.to_pairs())
}

/// The list with these parameters, as the query string has them.
pub(super) fn of_list(pairs: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if query.is_empty() {
        "/letters".to_owned()
    } else {
        format!("/letters?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_id_of_any_characters_leads_to_its_letter_and_nowhere_else() {
        for (id, address) in [
            ("5fea-7756", "/letters/5fea-7756"),
            ("a/../b?c#d", "/letters/a%2F..%2Fb%3Fc%23d"),
            ("..", "/letters/present-1"),
            ("", "/letters/present-1"),
            (&"x".repeat(129), "/letters/present-1"),
        ] {
            let letter = sample::letter(id, "{}", &[]);
            assert_eq!(of_letter(&letter), address);
        }
    }
}
