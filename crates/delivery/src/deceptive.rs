//! Characters by which a text looks like another than it is.

/// Whether a character deceives whoever reads the text it stands in: control characters, old and new, line ends and tabs
/// among them (a terminal obeys them); those that turn the direction of writing around; and those that cannot be seen.
///
/// The joiners and variation selectors that scripts and emoji need do not. Whoever shows a text says what becomes of the others:
/// an excerpt, a terminal and a page each have their own way.
pub fn is_deceptive(character: char) -> bool {
    match character {
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' => true,
        // What fonts leave out (Unicode, Default_Ignorable_Code_Point).
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' => {
            true
        }
        '\u{3164}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' => true,
        // No characters at all, and not in XML 1.0.
        '\u{fffe}' | '\u{ffff}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_turns_around_or_cannot_be_seen_deceives() {
        for character in [
            '\n',
            '\t',
            '\r',
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{2028}',
            // Directions: Arabic letter mark, marks, embeddings, isolates.
            '\u{61c}',
            '\u{200e}',
            '\u{202e}',
            '\u{2066}',
            // A space of no width, a byte order mark, a soft hyphen, a Hangul filler.
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{3164}',
            // Tags, in which a whole sentence can hide; and what is no character.
            '\u{e0068}',
            '\u{ffff}',
        ] {
            assert!(is_deceptive(character), "{character:?}");
        }
    }

    #[test]
    fn writing_in_any_script_does_not() {
        for text in [
            "a Z ~ é\u{a0}ß",
            "אב ج 漢 क\u{200d}ष می\u{200c}خواهم",
            "🦀 ❤\u{fe0f} 葛\u{e0100} \u{fffd}\u{fffc}",
        ] {
            assert!(!text.chars().any(is_deceptive), "{text:?}");
        }
    }
}
