//! Lines of an input, numbered, never more than one of them in memory.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line read, in bytes; a longer one is skipped to its end and reported.
pub const MAX_LINE_BYTES: usize = 2 * 1024 * 1024;

/// What some editors put at the start of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line without its line end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Counted from 1, blank lines included.
    pub(crate) number: u64,
    /// `None` if the line was longer than [`MAX_LINE_BYTES`].
    pub(crate) text: Option<&'a [u8]>,
}

/// Reads an input line by line.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    too_long: bool,
    /// Whether `line` was handed out: the next read starts afresh.
    done: bool,
    number: u64,
    bytes: u64,
    digest: Digest,
    /// What was read up to the last line that was handed out.
    place: Place,
}

/// A place between two lines of an input, and what stands before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Lines before it.
    pub(crate) line: u64,
    /// Of all bytes before it.
    pub(crate) digest: u64,
}

/// FNV-1a, 64 bits: to notice a file that was changed by accident.
#[derive(Debug, Clone, Copy)]
struct Digest(u64);

impl Digest {
    const START: Self = Self(0xcbf2_9ce4_8422_2325);

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            too_long: false,
            done: true,
            number: 0,
            bytes: 0,
            digest: Digest::START,
            place: Place {
                line: 0,
                digest: Digest::START.0,
            },
        }
    }

    /// The number of the last line that was handed out; 0 before the first.
    pub(crate) fn number(&self) -> u64 {
        if self.done {
            self.number
        } else {
            self.number - 1
        }
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Up to where lines were handed out.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The next line, `None` at the end. May be dropped and called again: what was read so far is kept.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            let available = self.input.fill_buf().await?;
            let at_end = available.is_empty();
            if at_end && self.done {
                return Ok(None);
            }
            if std::mem::take(&mut self.done) {
                self.line.clear();
                self.too_long = false;
                self.number += 1;
            }
            let newline = available.iter().position(|&byte| byte == b'\n');
            let part = &available[..newline.unwrap_or(available.len())];
            // Two bytes over: a line end and its carriage return are not part of the line.
            self.too_long |= self.line.len() + part.len() > MAX_LINE_BYTES + 1;
            if !self.too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.digest.take(&available[..used]);
            self.input.consume(used);
            self.bytes += used as u64;
            if newline.is_some() || at_end {
                self.done = true;
                self.place = Place {
                    line: self.number,
                    digest: self.digest.0,
                };
                return Ok(Some(self.finished()));
            }
        }
    }

    fn finished(&self) -> Line<'_> {
        let mut text = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if self.number == 1 {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        let fits = !self.too_long && text.len() <= MAX_LINE_BYTES;
        Line {
            number: self.number,
            text: fits.then_some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, BufReader};

    use super::*;

    fn ready<F: Future>(future: F) -> Option<F::Output> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn read_all(input: &[u8], buffer: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, input));
        let mut out = Vec::new();
        while let Some(line) = ready(lines.next()).unwrap().unwrap() {
            assert_eq!(line.number, out.len() as u64 + 1);
            out.push(line.text.map(<[u8]>::to_vec));
        }
        assert_eq!(lines.bytes(), input.len() as u64);
        assert_eq!(lines.number(), out.len() as u64);
        out
    }

    fn texts(input: &[u8]) -> Vec<String> {
        let lines = read_all(input, 3).into_iter();
        lines
            .map(|line| String::from_utf8(line.unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn line_ends_of_either_kind_and_a_missing_last_one_are_read() {
        assert_eq!(texts(b"a\r\n\nb c\nd"), ["a", "", "b c", "d"]);
        assert_eq!(texts(b"a\n"), ["a"]);
        assert_eq!(texts(b""), [""; 0]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(texts(b"\xef\xbb\xbfa\n\xef\xbb\xbfb"), ["a", "\u{feff}b"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_to_its_end_and_not_kept() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        let longer = longest.repeat(4);
        let input = [
            b"a\n",
            &longest[..],
            b"\r\nx",
            &longest[..],
            b"\n",
            &longer[..],
            b"\nb\n",
        ]
        .concat();
        let mut lines = Lines::new(BufReader::with_capacity(100_000, &input[..]));
        let mut lengths = Vec::new();
        while let Some(line) = ready(lines.next()).unwrap().unwrap() {
            lengths.push(line.text.map(<[u8]>::len));
        }
        assert_eq!(
            lengths,
            [Some(1), Some(MAX_LINE_BYTES), None, None, Some(1)]
        );
        assert!(lines.line.capacity() <= 2 * MAX_LINE_BYTES);
    }

    #[test]
    fn a_read_that_was_given_up_goes_on_where_it_was() {
        let (reader, mut writer) = tokio::io::duplex(64);
        let mut lines = Lines::new(BufReader::new(reader));
        ready(writer.write_all(b"first\nhal")).unwrap().unwrap();
        assert_eq!(
            ready(lines.next()).unwrap().unwrap().unwrap().text,
            Some(&b"first"[..])
        );
        assert!(ready(lines.next()).is_none());
        assert_eq!(lines.number(), 1, "half a line is not a line");
        ready(writer.write_all(b"f\n")).unwrap().unwrap();
        let line = ready(lines.next()).unwrap().unwrap().unwrap();
        assert_eq!((line.number, line.text), (2, Some(&b"half"[..])));
    }

    #[test]
    fn a_place_depends_on_every_byte_before_it_and_on_none_after() {
        let place = |input: &[u8]| {
            let mut lines = Lines::new(BufReader::with_capacity(3, input));
            while ready(lines.next())
                .unwrap()
                .unwrap()
                .is_some_and(|line| line.number < 2)
            {}
            lines.place()
        };
        let here = place(b"a\nbc\nd\n");
        assert_eq!(here.line, 2);
        assert_eq!(here, place(b"a\nbc\nx"));
        for other in [&b"a\nbx\nd\n"[..], b"b\nac\nd\n", b"a\nbc\r\nd\n", b"a\nbc"] {
            assert_ne!(here, place(other));
        }
    }

    proptest! {
        #[test]
        fn lines_are_what_lies_between_line_feeds(text in "[ab\n\r]{0,60}", buffer in 1..9usize) {
            let mut expected: Vec<&str> = text.split('\n').collect();
            if expected.last() == Some(&"") {
                expected.pop();
            }
            let expected: Vec<_> = expected.iter().map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
            let ours = read_all(text.as_bytes(), buffer).into_iter().map(|l| String::from_utf8(l.unwrap()).unwrap());
            prop_assert_eq!(ours.collect::<Vec<_>>(), expected);
        }
    }
}
