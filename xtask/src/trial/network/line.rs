//! A line to a registry on which one kind of request goes wrong, as often as it is told.
//!
//! Every request gets connections of its own: what a client sends is passed on up to its length, what the
//! registry answers until it ends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// No request stands still longer than this: both ends are on this machine.
const IDLE: Duration = Duration::from_secs(30);
/// No head is longer, in bytes.
const MAX_HEAD: u64 = 64 << 10;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    HeadManifest,
    GetManifest,
    PutManifest,
    HeadBlob,
    GetBlob,
    OpenUpload,
    Send,
    Commit,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The connection ends before the request is passed on.
    Refuse,
    /// The connection to the registry ends in the middle of the request's body.
    CutRequest,
    /// The request is passed on, and the response dropped.
    LoseResponse,
    /// The response ends in its head.
    CutHead,
    /// The response ends after one byte, or half, of its body.
    CutAtStart,
    CutInside,
    /// Another response; the request is not passed on.
    Status(u16),
    /// The request is passed on; the response is another.
    StatusAfter(u16),
    /// Something that is not HTTP.
    Garbage,
    /// An empty response.
    Nothing,
    /// The response comes late.
    Late,
    /// The body comes in pieces of a few bytes.
    Drip,
    /// One bit of the body is another.
    Flip,
    /// A header of the response is missing.
    Without(&'static str),
    /// Interim responses come before the response.
    Interim,
}

/// One fault: for which requests, and how many of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) target: Target,
    pub(super) wrong: Wrong,
    /// So many requests pass before the first that goes wrong.
    pub(super) skip: u64,
    pub(super) times: u64,
}

/// A line that ends with the value.
pub(super) struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Option<Fault>>,
    ended: AtomicBool,
}

impl Line {
    /// A line to `upstream` on which nothing goes wrong yet.
    pub(super) fn to(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if theirs.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&theirs);
                // A line that breaks is what it is for.
                thread::spawn(move || drop(serve(client, &shared)));
            }
        });
        Ok(Self { address, shared })
    }

    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    /// From now on this goes wrong, and nothing else; returns how often the earlier fault did not happen.
    pub(super) fn script(&self, fault: Option<Fault>) -> u64 {
        let mut current = lock(&self.shared.fault);
        let left = current.map_or(0, |fault| fault.times);
        *current = fault;
        left
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request's head.
struct Head {
    lines: Vec<String>,
    length: u64,
    expects: bool,
}

impl Head {
    fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        let mut head = Self {
            lines: Vec::new(),
            length: 0,
            expects: false,
        };
        let mut limited = stream.take(MAX_HEAD);
        loop {
            let mut line = String::new();
            if limited.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                return Ok(head);
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => head.length = value.trim().parse().unwrap_or(0),
                "expect" => {
                    head.expects = true;
                    continue;
                }
                "connection" => continue,
                _ => {}
            }
            head.lines.push(line);
        }
    }

    fn target(&self) -> Option<Target> {
        let mut words = self.lines.first()?.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        Some(match method {
            "HEAD" if path.contains("/manifests/") => Target::HeadManifest,
            "GET" if path.contains("/manifests/") => Target::GetManifest,
            "PUT" if path.contains("/manifests/") => Target::PutManifest,
            "HEAD" if path.contains("/blobs/") => Target::HeadBlob,
            "GET" if path.contains("/blobs/sha") => Target::GetBlob,
            "POST" => Target::OpenUpload,
            "PATCH" => Target::Send,
            "PUT" if self.length > 0 => Target::Send,
            "PUT" => Target::Commit,
            _ => return None,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        (self.lines.join("\r\n") + "\r\nConnection: close\r\n\r\n").into_bytes()
    }
}

/// The fault for a request, if it is its turn.
fn take(shared: &Shared, target: Option<Target>) -> Option<Wrong> {
    let mut current = lock(&shared.fault);
    let fault = current
        .as_mut()
        .filter(|fault| Some(fault.target) == target)?;
    if fault.skip > 0 {
        fault.skip -= 1;
        return None;
    }
    if fault.times == 0 {
        return None;
    }
    fault.times -= 1;
    Some(fault.wrong)
}

fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(IDLE))?;
    client.set_write_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let head = Head::read(&mut reader)?;
    let wrong = take(shared, head.target());
    if wrong == Some(Wrong::Refuse) {
        return client.shutdown(Shutdown::Both);
    }
    if head.expects {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = reader.take(head.length);
    if let Some(Wrong::Status(status)) = wrong {
        io::copy(&mut body, &mut io::sink())?;
        return client.write_all(&answer(status));
    }
    let mut upstream = TcpStream::connect(shared.upstream)?;
    upstream.set_read_timeout(Some(IDLE))?;
    upstream.write_all(&head.bytes())?;
    if wrong == Some(Wrong::CutRequest) {
        io::copy(&mut body.take(head.length / 2), &mut upstream)?;
        upstream.shutdown(Shutdown::Both)?;
        return client.shutdown(Shutdown::Both);
    }
    io::copy(&mut body, &mut upstream)?;
    let mut response = BufReader::new(upstream);
    let answered = Head::read(&mut response)?;
    respond(&mut client, &answered, &mut response, wrong)
}

/// A short response of the line's own.
fn answer(status: u16) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Line\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

fn respond(
    client: &mut TcpStream,
    head: &Head,
    body: &mut impl Read,
    wrong: Option<Wrong>,
) -> io::Result<()> {
    let bytes = head.bytes();
    let middle = usize::try_from(head.length / 2).unwrap_or(0);
    match wrong {
        None => {
            client.write_all(&bytes)?;
            io::copy(body, client).map(drop)
        }
        Some(Wrong::LoseResponse) => client.shutdown(Shutdown::Both),
        Some(Wrong::CutHead) => client.write_all(&bytes[..bytes.len() / 2]),
        Some(Wrong::CutAtStart) => {
            client.write_all(&bytes)?;
            io::copy(&mut body.take(1), client).map(drop)
        }
        Some(Wrong::CutInside) => {
            client.write_all(&bytes)?;
            io::copy(&mut body.take(middle as u64), client).map(drop)
        }
        Some(Wrong::StatusAfter(status)) => client.write_all(&answer(status)),
        Some(Wrong::Garbage) => client.write_all(b"\x00\xffnot HTTP\r\n\r\n"),
        Some(Wrong::Nothing) => client.write_all(b"\r\n"),
        Some(Wrong::Late) => {
            thread::sleep(Duration::from_millis(1500));
            client.write_all(&bytes)?;
            io::copy(body, client).map(drop)
        }
        Some(Wrong::Drip) => {
            client.set_nodelay(true)?;
            client.write_all(&bytes)?;
            let mut piece = vec![0; (middle / 50).max(1)];
            loop {
                let read = body.read(&mut piece)?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&piece[..read])?;
                thread::sleep(Duration::from_millis(2));
            }
        }
        Some(Wrong::Flip) => {
            let mut content = Vec::new();
            body.read_to_end(&mut content)?;
            if let Some(byte) = content.get_mut(middle) {
                *byte ^= 1;
            }
            client.write_all(&bytes)?;
            client.write_all(&content)
        }
        Some(Wrong::Without(name)) => {
            let is_other = |line: &&String| !line.to_ascii_lowercase().starts_with(name);
            let lines: Vec<&str> = head
                .lines
                .iter()
                .filter(is_other)
                .map(String::as_str)
                .collect();
            let text = lines.join("\r\n") + "\r\nConnection: close\r\n\r\n";
            client.write_all(text.as_bytes())?;
            io::copy(body, client).map(drop)
        }
        Some(Wrong::Interim) => {
            for _ in 0..3 {
                client.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")?;
            }
            client.write_all(&bytes)?;
            io::copy(body, client).map(drop)
        }
        // These were dealt with before the request was passed on.
        Some(Wrong::Refuse | Wrong::CutRequest | Wrong::Status(_)) => Ok(()),
    }
}
