//! Lines of a file, numbered, never more than one of them in memory.

use std::io::{self, BufRead, Read};

/// The longest line read, in bytes: a letter of 1 MiB of which every character is written as an escape of six, and
/// what stands around it.
pub(super) const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
}

/// The text of a line without its line end; none if it is too long.
pub(super) type Text<'a> = Option<&'a [u8]>;

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// The next line that is not blank, with its number, counted from 1, blank lines included.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Text<'_>)>> {
        loop {
            self.line.clear();
            let most = MAX_LINE_BYTES as u64 + 1;
            let mut bounded = self.input.by_ref().take(most);
            let read = bounded.read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read as u64;
            if self.line.len() > MAX_LINE_BYTES && !self.line.ends_with(b"\n") {
                self.bytes += self.input.skip_until(b'\n')? as u64;
                return Ok(Some((self.number, None)));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Some(self.line.trim_ascii()))));
            }
        }
    }

    /// The number of the last line that was read; 0 before the first.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(input: &[u8]) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::new(Cursor::new(input));
        let mut read = Vec::new();
        while let Some((number, text)) = lines.next().unwrap() {
            read.push((number, text.map(<[u8]>::len)));
        }
        assert_eq!(lines.bytes(), input.len() as u64);
        read
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_are_passed_over() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\n \r\n"), []);
        assert_eq!(
            read(b"a\r\n\n bc \nd"),
            [(1, Some(1)), (3, Some(2)), (4, Some(1))]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_to_its_end() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        let longer = vec![b'x'; 3 * MAX_LINE_BYTES];
        let input = [&longest[..], b"\n", &longer[..], b"\nab\n", &longer[..]].concat();
        let expected = [
            (1, Some(MAX_LINE_BYTES)),
            (2, None),
            (3, Some(2)),
            (4, None),
        ];
        assert_eq!(read(&input), expected);
    }
}
