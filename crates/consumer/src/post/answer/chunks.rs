//! The chunks of a body (RFC 9112, section 7.1).

use super::Next;

/// The longest line around the data: a chunk's size and its extensions, or a trailer.
const LINE_BYTES: usize = 4 * 1024;

/// Where in its chunks a body is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    /// The line so far, without its end.
    line: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    Data(u64),
    /// The line end after the data.
    AfterData,
    /// After the last chunk, up to an empty line.
    Trailers,
}

impl Chunks {
    /// Takes what is around the data off `bytes`, and says what comes then.
    ///
    /// # Errors
    /// Says what is wrong with a chunk.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Next, String> {
        loop {
            if let At::Data(left) = &mut self.at {
                let length = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                if *left == 0 {
                    self.at = At::AfterData;
                }
                return Ok(Next::Data(length));
            }
            if !self.line(bytes)? {
                return Ok(Next::Data(0));
            }
            let line = std::mem::take(&mut self.line);
            self.at = match self.at {
                At::Size => match size(&line) {
                    Some(0) => At::Trailers,
                    Some(size) => At::Data(size),
                    None => return Err(format!("no chunk begins with {}", quoted(&line))),
                },
                At::AfterData if line.is_empty() => At::Size,
                At::AfterData => return Err(format!("{} follows a chunk", quoted(&line))),
                At::Trailers if line.is_empty() => return Ok(Next::End),
                At::Trailers | At::Data(_) => At::Trailers,
            };
        }
    }

    /// Takes the rest of a line, without its end; false if that has not come.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<bool, String> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.line.extend_from_slice(part);
        if self.line.len() > LINE_BYTES {
            return Err(format!("more than {LINE_BYTES} bytes between two chunks"));
        }
        *bytes = rest.get(1..).unwrap_or_default();
        if end.is_some() && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(end.is_some())
    }
}

/// The size of a chunk: hexadecimal digits, then white space or extensions.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, rest) = line.split_at(digits);
    let is_ended = matches!(rest.trim_ascii_start(), [] | [b';', ..]);
    let digits = std::str::from_utf8(digits).ok()?;
    is_ended.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// As much of a stranger's line as says what it is; whoever shows it cleans it.
pub(super) fn quoted(line: &[u8]) -> String {
    let start = &line[..line.len().min(QUOTED_BYTES)];
    format!("\"{}\"", String::from_utf8_lossy(start))
}

const QUOTED_BYTES: usize = 80;
