//! Sequences that stand for a character, in the formats that receivers write.

/// What is left of an escape that was cut off is shorter.
pub(super) const LONGEST_OPEN: usize = 12;

/// The longest sequence that stands for one character, so that no text is read without end.
const LONGEST_ESCAPE: usize = 32;

/// What begins an escape.
pub(super) const ESCAPES: &[u8] = b"\\%&+=";

/// A part of a text that stands for something else.
pub(super) struct Escape {
    pub(super) meant: Vec<u8>,
    pub(super) length: usize,
}

/// What the start of the text may stand for, if it is an escape of JSON and of programming languages (`\/`, `\u0022`,
/// `\x22`, `\042`), of URLs (`%22`, `+`), of HTML (`&quot;`, `&#34;`, `&#x22;`) or of mails (`=22`, a soft line end), once
/// or several times over.
pub(super) fn escapes(text: &[u8]) -> Vec<Escape> {
    let text = &text[..text.len().min(LONGEST_ESCAPE)];
    match text.first() {
        Some(b'\\') => backslash(text),
        Some(b'%') => percent(text),
        Some(b'&') => entity(text),
        Some(b'+') => vec![Escape::of(b' ', 1)],
        Some(b'=') => quoted_printable(text),
        _ => Vec::new(),
    }
}

impl Escape {
    fn of(byte: u8, length: usize) -> Self {
        let meant = vec![byte];
        Self { meant, length }
    }

    fn of_char(char: char, length: usize) -> Self {
        let meant = char.to_string().into();
        Self { meant, length }
    }
}

fn backslash(text: &[u8]) -> Vec<Escape> {
    let slashes = slashes(text);
    let themselves = (2..=slashes).map(|length| Escape::of(b'\\', length));
    let byte = |byte| Some(Escape::of(byte, slashes + 1));
    let after = match text.get(slashes) {
        Some(b'u') if text.get(slashes + 1) == Some(&b'{') => braced(text, slashes),
        Some(b'u') => unicode(text, slashes),
        Some(b'x') => digits(text, slashes + 1, 2, 16),
        // However many digits are meant: programs leave zeros out where no digit follows.
        Some(b'0'..=b'7') => {
            let octal = (1..=3).filter_map(|length| digits(text, slashes, length, 8));
            return themselves.chain(octal).collect();
        }
        Some(b'n') => byte(b'\n'),
        Some(b'r') => byte(b'\r'),
        Some(b't') => byte(b'\t'),
        Some(b'b') => byte(8),
        Some(b'f') => byte(12),
        Some(&other @ (b'"' | b'\'' | b'/')) => byte(other),
        _ => None,
    };
    themselves.chain(after).collect()
}

fn slashes(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| byte == b'\\').count()
}

/// `\u00e9`, or two of them for what is beyond the first plane.
fn unicode(text: &[u8], slashes_before: usize) -> Option<Escape> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(slashes_before + 1)?;
    let end = slashes_before + 5;
    if !(0xD800..0xDC00).contains(&first) {
        return Some(Escape::of_char(char::from_u32(first.into())?, end));
    }
    let second = end + slashes(&text[end..]);
    let units = [first, unit(second + 1)?];
    let char = char::decode_utf16(units).next()?.ok()?;
    Some(Escape::of_char(char, second + 5))
}

/// `\u{1f980}`.
fn braced(text: &[u8], slashes: usize) -> Option<Escape> {
    let start = slashes + 2;
    let length = text[start..].iter().position(|&byte| byte == b'}')?;
    let digits = std::str::from_utf8(&text[start..start + length]).ok()?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some(Escape::of_char(char::from_u32(code)?, start + length + 1))
}

/// The byte that so many digits from here say.
fn digits(text: &[u8], at: usize, length: usize, radix: u32) -> Option<Escape> {
    let digits = std::str::from_utf8(text.get(at..at + length)?).ok()?;
    let byte = u8::from_str_radix(digits, radix).ok()?;
    Some(Escape::of(byte, at + length))
}

fn percent(text: &[u8]) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut at = 1;
    while text.get(at..at + 2) == Some(b"25") {
        at += 2;
        found.push(Escape::of(b'%', at));
    }
    found.extend(digits(text, at, 2, 16));
    found
}

fn quoted_printable(text: &[u8]) -> Vec<Escape> {
    let line_end = |end: &[u8]| {
        text[1..].starts_with(end).then(|| Escape {
            meant: Vec::new(),
            length: 1 + end.len(),
        })
    };
    let soft = line_end(b"\r\n").or_else(|| line_end(b"\n"));
    soft.into_iter().chain(digits(text, 1, 2, 16)).collect()
}

fn entity(text: &[u8]) -> Vec<Escape> {
    let mut found = Vec::new();
    let mut at = 1;
    while text[at..].starts_with(b"amp") {
        at += 3 + usize::from(text.get(at + 3) == Some(&b';'));
        found.push(Escape::of(b'&', at));
    }
    found.extend(reference(text, at));
    found
}

/// What stands between `&` and `;`. Browsers read numbers, and the oldest names, without the latter too.
fn reference(text: &[u8], at: usize) -> Option<Escape> {
    let rest = text.get(at..)?;
    let ascii = rest.iter().take_while(|byte| byte.is_ascii()).count();
    let rest = std::str::from_utf8(&rest[..ascii]).ok()?;
    let ended = |char: char, length: usize| {
        let has_end = rest[length..].starts_with(';');
        Escape::of_char(char, at + length + usize::from(has_end))
    };
    if let Some(number) = rest.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let (digits, radix) = hex.map_or((number, 10), |hex| (hex, 16));
        let is_over = |char: char| !char.is_digit(radix);
        let length = digits.find(is_over).unwrap_or(digits.len());
        let code = u32::from_str_radix(&digits[..length], radix).ok()?;
        let before = rest.len() - digits.len();
        return Some(ended(char::from_u32(code)?, before + length));
    }
    let name = rest.split(';').next().unwrap_or_default();
    let known = NAMES.iter().find(|(known, _)| *known == name);
    let oldest = || {
        NAMES[..OLDEST]
            .iter()
            .find(|(old, _)| rest.starts_with(old))
    };
    let (name, char) = known.or_else(oldest)?;
    Some(ended(*char, name.len()))
}

/// The ASCII characters that HTML has names for, and the space that does not break
/// ([WHATWG](https://html.spec.whatwg.org/multipage/named-characters.html)). `amp` is read before them.
pub(super) const NAMES: [(&str, char); 40] = [
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("nbsp", '\u{A0}'),
    ("apos", '\''),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("grave", '`'),
    ("DiacriticalGrave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// Of the names the first are read without a semicolon too.
const OLDEST: usize = 4;
