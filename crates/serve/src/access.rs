//! What was requested, by whom, and how it ended: for an access log.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A request, once its response has ended. Names in it come from the client, and are not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// When it came.
    pub time: SystemTime,
    /// The client's address.
    pub client: SocketAddr,
    /// The user, if one was accepted.
    pub user: Option<String>,
    /// The method.
    pub method: String,
    /// The path, with the query if there is one.
    pub target: String,
    /// The response's status.
    pub status: u16,
    /// How many bytes of the body were sent: fewer than the content has if the client left, or the content is
    /// corrupt.
    pub bytes: u64,
    /// From the request's head to the response's end.
    pub duration: Duration,
}

/// Takes notes of requests. Called from a thread of its own; if it does not keep up, requests are not noted.
pub trait AccessLog: Send + Sync {
    /// A request, once its response has ended.
    fn request(&self, access: &Access);

    /// A connection that ended before its first request, and why.
    fn no_connection(&self, client: SocketAddr, why: &str);

    /// So many of the calls above were not made, since those before took too long.
    fn lost(&self, calls: u64);
}

/// How many notes wait for the log.
const QUEUE: usize = 4096;
/// How long the end of serving waits for the log.
const LAST_NOTES: Duration = Duration::from_secs(1);

enum Note {
    Request(Box<Access>),
    NoConnection(SocketAddr, String),
    End,
}

/// A log whose notes are taken on a thread of their own, so that nobody who reads the log slowly stops the server.
pub(crate) struct QueuedLog {
    notes: SyncSender<Note>,
    lost: Arc<AtomicU64>,
    ended: Mutex<Receiver<()>>,
}

impl QueuedLog {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn start(log: Arc<dyn AccessLog>) -> io::Result<Self> {
        let (notes, queue) = mpsc::sync_channel(QUEUE);
        let (end, ended) = mpsc::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new().spawn(move || {
            for note in queue {
                match counter.swap(0, Ordering::Relaxed) {
                    0 => {}
                    calls => log.lost(calls),
                }
                match note {
                    Note::Request(access) => log.request(&access),
                    Note::NoConnection(client, why) => log.no_connection(client, &why),
                    Note::End => break,
                }
            }
            let _ = end.send(());
        })?;
        Ok(Self {
            notes,
            lost,
            ended: Mutex::new(ended),
        })
    }

    fn note(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes a request, once its response has ended.
    fn request(&self, access: &Access) {
        self.note(Note::Request(Box::new(access.clone())));
    }

    /// Notes a connection that ended before its first request, and why.
    pub(crate) fn no_connection(&self, client: SocketAddr, why: &str) {
        self.note(Note::NoConnection(client, why.to_owned()));
    }

    /// Waits until what was noted is in the log, but not for long.
    pub(crate) fn finish(&self) {
        self.note(Note::End);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(LAST_NOTES);
    }
}

/// A request whose response has not ended.
pub(crate) struct Pending {
    access: Access,
    since: Instant,
    log: Arc<QueuedLog>,
}

impl Pending {
    /// A request that came just now.
    pub(crate) fn new(client: SocketAddr, method: &str, target: &str, log: Arc<QueuedLog>) -> Self {
        Self {
            access: Access {
                time: SystemTime::now(),
                client,
                user: None,
                method: method.to_owned(),
                target: target.to_owned(),
                status: 0,
                bytes: 0,
                duration: Duration::ZERO,
            },
            since: Instant::now(),
            log,
        }
    }

    /// Who sent it.
    pub(crate) fn set_user(&mut self, user: String) {
        self.access.user = Some(user);
    }

    /// `body` of the response with this status, which is noted when it has ended.
    pub(crate) fn body(mut self, status: u16, body: BoxBody<Bytes, io::Error>) -> LoggedBody {
        self.access.status = status;
        LoggedBody {
            body,
            pending: self,
        }
    }
}

/// A body that notes its request when it is dropped, be it sent or not.
pub(crate) struct LoggedBody {
    body: BoxBody<Bytes, io::Error>,
    pending: Pending,
}

impl Body for LoggedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.pending.access.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let Pending { access, since, log } = &mut self.pending;
        access.duration = since.elapsed();
        log.request(access);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A log that waits before each note until it may go on.
    struct Slow {
        go_on: Mutex<Receiver<()>>,
        noted: AtomicU64,
        lost: AtomicU64,
    }

    impl AccessLog for Slow {
        fn request(&self, _: &Access) {
            let _ = self.go_on.lock().unwrap().recv();
            self.noted.fetch_add(1, Ordering::Relaxed);
        }

        fn no_connection(&self, _: SocketAddr, _: &str) {}

        fn lost(&self, calls: u64) {
            self.lost.fetch_add(calls, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_log_that_stalls_stops_nobody_and_says_what_was_lost() {
        let (release, go_on) = mpsc::channel();
        let slow = Arc::new(Slow {
            go_on: Mutex::new(go_on),
            noted: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let log = Arc::clone(&slow);
        let queued = Arc::new(QueuedLog::start(log).unwrap());
        let client: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let requests = 2 * QUEUE as u64;
        for _ in 0..requests {
            let pending = Pending::new(client, "GET", "/v2/", Arc::clone(&queued));
            queued.request(&pending.access);
        }
        drop(release);
        queued.no_connection(client, "it left");
        queued.finish();
        let (noted, lost) = (
            slow.noted.load(Ordering::Relaxed),
            slow.lost.load(Ordering::Relaxed),
        );
        assert!(noted >= QUEUE as u64 && lost > 0, "{noted} {lost}");
        assert!(noted + lost >= requests, "{noted} {lost}");
    }
}
