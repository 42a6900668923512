//! HTTP/1.1 on a bare socket, as little of it as a registry needs: what the floors are measured with
//! and what the bench fills its registries with. None of sealift's own code moves these bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One kept connection to a registry.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

/// The head of an answer; its body, if any, is still in the connection.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// How long the body is; answers to HEAD have none.
    pub(crate) length: u64,
    /// Where an upload goes on.
    pub(crate) location: Option<String>,
}

impl Connection {
    pub(crate) fn open(host: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(256 << 10, stream),
            host,
        })
    }

    /// Sends a request with a body of `length` bytes that `body` writes, and reads the answer's head.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: u64,
        body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> io::Result<Answer> {
        let mut head = Vec::new();
        write!(head, "{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host)?;
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        if method != "GET" && method != "HEAD" {
            write!(head, "Content-Length: {length}\r\n")?;
        }
        head.extend_from_slice(b"\r\n");
        let socket = self.stream.get_mut();
        socket.write_all(&head)?;
        body(socket)?;
        self.answer(method == "HEAD")
    }

    fn answer(&mut self, bodiless: bool) -> io::Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut answer = Answer {
            status: status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?,
            length: 0,
            location: None,
        };
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => answer.length = value.parse().map_err(io::Error::other)?,
                "location" => answer.location = Some(value.to_owned()),
                _ => {}
            }
        }
        if bodiless {
            answer.length = 0;
        }
        Ok(answer)
    }

    /// Reads a body piece by piece.
    pub(crate) fn body(
        &mut self,
        length: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let piece = self.stream.fill_buf()?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            take(&piece[..used])?;
            self.stream.consume(used);
            left -= used as u64;
        }
        Ok(())
    }

    /// Reads a small body whole.
    pub(crate) fn small_body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stream
            .by_ref()
            .take(answer.length)
            .read_to_end(&mut body)?;
        Ok(body)
    }

    /// Uploads a blob with one POST and one PUT.
    pub(crate) fn upload(
        &mut self,
        repository: &str,
        digest: &str,
        length: u64,
        body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> io::Result<()> {
        let post = self.request(
            "POST",
            &format!("/v2/{repository}/blobs/uploads/"),
            &[],
            0,
            |_| Ok(()),
        )?;
        self.small_body(&post)?;
        let location = post
            .location
            .ok_or_else(|| io::Error::other(format!("POST: {} without Location", post.status)))?;
        let path = location
            .strip_prefix(&format!("http://{}", self.host))
            .unwrap_or(&location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let headers = [("Content-Type", "application/octet-stream")];
        let put = self.request(
            "PUT",
            &format!("{path}{separator}digest={digest}"),
            &headers,
            length,
            body,
        )?;
        self.small_body(&put)?;
        expect(&put, 201, "PUT of a blob")
    }

    /// Puts a manifest under a tag or a digest.
    pub(crate) fn put_manifest(
        &mut self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> io::Result<()> {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [("Content-Type", media_type)];
        let put = self.request("PUT", &path, &headers, bytes.len() as u64, |socket| {
            socket.write_all(bytes)
        })?;
        self.small_body(&put)?;
        expect(&put, 201, "PUT of a manifest")
    }
}

/// An error unless the status is `wanted`.
pub(crate) fn expect(answer: &Answer, wanted: u16, what: &str) -> io::Result<()> {
    if answer.status == wanted {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "{what}: expected {wanted}, got {}",
            answer.status
        )))
    }
}
