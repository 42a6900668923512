//! Just enough HTTP/1.1 for a registry: requests with bodies of known length or in chunks, answers with
//! a length, connections that stay open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::store::Content;

const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path with its percent signs decoded.
    pub(crate) path: String,
    /// The query as it came.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The decoded values of a query parameter, in their order.
    pub(crate) fn parameters(&self, name: &str) -> Vec<String> {
        parameters(&self.query, name)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).into_iter().next()
    }
}

pub(crate) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

pub(crate) fn parameters(query: &str, name: &str) -> Vec<String> {
    query
        .split('&')
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Percent-decoding; what is no escape stays.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encoding of everything that means something in a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Reads the next request's head; nothing where the client has closed the connection.
pub(crate) fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Head>> {
    let start = reader.fill_buf()?.first().copied();
    if start.is_some_and(|byte| !byte.is_ascii_uppercase()) {
        // A client that tries TLS first waits for some answer before it tries without.
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        return Err(bad("no HTTP request"));
    }
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let before = text.len();
        let limit = (MAX_HEAD - before) as u64;
        reader.take(limit).read_until(b'\n', &mut text)?;
        if text.len() == before {
            return match before {
                0 => Ok(None),
                MAX_HEAD.. => Err(bad("the request's head is too long")),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
    parse_head(&text).map(Some)
}

fn parse_head(text: &[u8]) -> io::Result<Head> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request
        .parse(text)
        .map_err(|error| bad(&format!("no HTTP request: {error}")))?;
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: decode(path),
        query: query.to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
    })
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A request's body, read once. Ends in an error where the script cuts the connection.
pub(crate) struct Body<'a> {
    reader: &'a mut BufReader<TcpStream>,
    framing: Framing,
    expects_continue: bool,
    cut_after: Option<u64>,
    taken: u64,
}

enum Framing {
    Length(u64),
    Chunked { left: u64, ended: bool },
}

impl<'a> Body<'a> {
    pub(crate) fn new(
        head: &Head,
        reader: &'a mut BufReader<TcpStream>,
        cut_after: Option<u64>,
    ) -> io::Result<Self> {
        let chunked = head
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let framing = if chunked {
            Framing::Chunked {
                left: 0,
                ended: false,
            }
        } else {
            let length = head.header("content-length").unwrap_or("0");
            let length = length.trim().parse().map_err(|_| bad("no length"))?;
            Framing::Length(length)
        };
        let expects_continue = head
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        Ok(Self {
            reader,
            framing,
            expects_continue,
            cut_after,
            taken: 0,
        })
    }

    /// How many bytes of the body were read.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether a client that waits for permission to send was never given it.
    pub(crate) fn never_asked_for(&self) -> bool {
        self.expects_continue
    }

    /// Reads and forgets the rest.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink()).map(drop)
    }

    /// The whole of it, if it is not longer than `limit`.
    pub(crate) fn read_up_to(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= limit).then_some(bytes))
    }

    fn next_chunk(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        self.reader.take(128).read_line(&mut line)?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        u64::from_str_radix(size.trim(), 16).map_err(|_| bad("no chunk size"))
    }

    fn end_of_line(&mut self) -> io::Result<()> {
        let mut end = [0; 2];
        self.reader.read_exact(&mut end)?;
        if end == *b"\r\n" {
            Ok(())
        } else {
            Err(bad("a chunk does not end where it says"))
        }
    }

    fn available(&mut self) -> io::Result<u64> {
        match self.framing {
            Framing::Chunked { ended: true, .. } => Ok(0),
            Framing::Chunked { left: 0, .. } => {
                let size = self.next_chunk()?;
                if size == 0 {
                    self.end_of_line()?;
                }
                self.framing = Framing::Chunked {
                    left: size,
                    ended: size == 0,
                };
                Ok(size)
            }
            Framing::Length(left) | Framing::Chunked { left, .. } => Ok(left),
        }
    }

    fn consumed(&mut self, read: u64) -> io::Result<()> {
        match &mut self.framing {
            Framing::Length(left) => *left -= read,
            Framing::Chunked { left, .. } => {
                *left -= read;
                if *left == 0 {
                    self.end_of_line()?;
                }
            }
        }
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.expects_continue) {
            self.reader
                .get_mut()
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut wanted = buffer.len() as u64;
        if let Some(cut) = self.cut_after {
            wanted = wanted.min(cut.saturating_sub(self.taken));
            if wanted == 0 && !buffer.is_empty() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        let wanted = wanted.min(self.available()?);
        let wanted = usize::try_from(wanted).unwrap_or(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.taken += read as u64;
        self.consumed(read as u64)?;
        Ok(read)
    }
}

/// An answer before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Payload,
}

#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Bytes(Arc<[u8]>),
    /// `length` bytes of a blob from `start` on.
    Blob {
        content: Content,
        start: u64,
        length: u64,
    },
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            payload: Payload::Bytes(Arc::from([])),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, Some(value.into()));
        self
    }

    /// Sets a header, or takes it away.
    pub(crate) fn set(&mut self, name: &str, value: Option<String>) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value));
        }
    }

    pub(crate) fn bytes(mut self, media_type: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.payload = Payload::Bytes(bytes.into());
        self.header("Content-Type", media_type)
    }

    pub(crate) fn json(self, value: &serde_json::Value) -> Self {
        self.bytes("application/json", value.to_string().into_bytes())
    }

    /// An error in the specification's form.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).json(&serde_json::json!({
            "errors": [{"code": code, "message": message, "detail": null}]
        }))
    }

    pub(crate) fn length(&self) -> u64 {
        match &self.payload {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Blob { length, .. } => *length,
        }
    }

    /// All bytes of its payload.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &self.payload {
            Payload::Bytes(payload) => bytes.extend_from_slice(payload),
            Payload::Blob {
                content,
                start,
                length,
            } => {
                content
                    .open(*start)?
                    .take(*length)
                    .read_to_end(&mut bytes)?;
            }
        }
        Ok(bytes)
    }

    fn head(&self, closing: bool) -> String {
        // Writing to a string does not fail.
        use std::fmt::Write as _;
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let own_length = find(&self.headers, "content-length").is_some();
        if !own_length && self.status != 204 {
            let _ = write!(head, "Content-Length: {}\r\n", self.length());
        }
        if closing {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        head
    }

    /// Sends it, up to `cut_after` bytes of its payload; how many of those went out.
    pub(crate) fn send(
        &self,
        to: &mut TcpStream,
        with_payload: bool,
        closing: bool,
        shape: &Shape,
    ) -> io::Result<u64> {
        let head = self.head(closing);
        if !with_payload {
            to.write_all(head.as_bytes())?;
            return Ok(0);
        }
        let length = self.length().min(shape.cut_after.unwrap_or(u64::MAX));
        let mut reader: Box<dyn Read> = match &self.payload {
            Payload::Bytes(bytes) => Box::new(&bytes[..]),
            Payload::Blob { content, start, .. } => content.open(*start)?,
        };
        let mut buffer = vec![0; head.len() + (64 << 10)];
        buffer[..head.len()].copy_from_slice(head.as_bytes());
        let mut held = head.len();
        let mut sent = 0;
        // The head leaves together with the first bytes.
        while sent < length || held > 0 {
            let room = shape.piece.unwrap_or(buffer.len()).min(buffer.len() - held);
            let wanted = usize::try_from(length - sent).map_or(room, |left| left.min(room));
            let read = reader.read(&mut buffer[held..held + wanted])?;
            if read == 0 && sent < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            shape.damage(sent, &mut buffer[held..held + read]);
            to.write_all(&buffer[..held + read])?;
            held = 0;
            sent += read as u64;
            if !shape.pause.is_zero() {
                std::thread::sleep(shape.pause);
            }
        }
        Ok(sent)
    }
}

/// How a payload is sent when it is not sent as it should be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// The connection ends after so many bytes.
    pub(crate) cut_after: Option<u64>,
    /// The byte at this place of the payload is another.
    pub(crate) flip_at: Option<u64>,
    /// Bytes at a time.
    pub(crate) piece: Option<usize>,
    /// A rest after each piece.
    pub(crate) pause: std::time::Duration,
}

impl Shape {
    fn damage(&self, position: u64, bytes: &mut [u8]) {
        let index = self.flip_at.and_then(|at| at.checked_sub(position));
        let index = index.and_then(|index| usize::try_from(index).ok());
        if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
            *byte ^= 0x20;
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
