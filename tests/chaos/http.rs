//! One HTTP/1.1 message with a Content-Length, a request or an answer.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one; none at the end of the connection.
    pub(crate) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let mut start = String::new();
        if from.read_line(&mut start).await? == 0 {
            return Ok(None);
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length");
        let length = length.and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        from.read_exact(&mut body).await?;
        let start = start.trim_end().to_owned();
        Ok(Some(Self {
            start,
            headers,
            body,
        }))
    }

    pub(crate) fn answer(status: u16, body: &str) -> Self {
        let length = ("content-length".to_owned(), body.len().to_string());
        Self {
            start: format!("HTTP/1.1 {status} Status"),
            headers: BTreeMap::from([length]),
            body: body.as_bytes().to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// As it goes over the line.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// Waits until the other side, which waits for an answer, has closed the connection.
pub(crate) async fn gone(connection: &mut (impl AsyncBufRead + Unpin)) {
    // Anything but the end would be a second request before the first is answered, which no client here sends.
    let _ = connection.fill_buf().await;
}
