//! Responses that do not end while somebody listens.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::http::Answer;

/// What has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endless {
    /// The head: one more byte of a header each time this has passed.
    Head(Duration),
    /// Interim responses of this status (100, 102, 103) before the head.
    Interim(u16),
    /// Trailers after a complete body in chunks.
    Trailers,
}

/// The pause between two interim responses or trailers.
const PAUSE: Duration = Duration::from_millis(2);

/// Sends until the client closes the connection.
pub(crate) fn send(kind: Endless, answer: &Answer, to: &mut TcpStream) -> io::Result<()> {
    match kind {
        Endless::Head(pause) => {
            to.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ")?;
            repeat(to, b"x", pause)
        }
        Endless::Interim(status) => {
            let interim = format!("HTTP/1.1 {status} Interim\r\n\r\n");
            repeat(to, interim.as_bytes(), PAUSE)
        }
        Endless::Trailers => {
            write!(to, "HTTP/1.1 {} Status\r\n", answer.status)?;
            for (name, value) in &answer.headers {
                if !name.eq_ignore_ascii_case("content-length") {
                    write!(to, "{name}: {value}\r\n")?;
                }
            }
            write!(to, "Transfer-Encoding: chunked\r\n\r\n")?;
            let body = answer.read()?;
            if !body.is_empty() {
                write!(to, "{:x}\r\n", body.len())?;
                to.write_all(&body)?;
                to.write_all(b"\r\n")?;
            }
            to.write_all(b"0\r\n")?;
            repeat(to, b"X-More: trailers\r\n", PAUSE)
        }
    }
}

fn repeat(to: &mut TcpStream, bytes: &[u8], pause: Duration) -> io::Result<()> {
    loop {
        to.write_all(bytes)?;
        thread::sleep(pause);
    }
}
