//! What was requested, by whom, and how it ended: for an access log.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
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

/// Takes notes of requests. Called from the threads that serve; must return quickly.
pub trait AccessLog: Send + Sync {
    /// A request, once its response has ended.
    fn request(&self, access: &Access);

    /// A connection that ended before its first request, and why.
    fn no_connection(&self, client: SocketAddr, why: &str);
}

/// A request whose response has not ended.
pub(crate) struct Pending {
    access: Access,
    since: Instant,
    log: Arc<dyn AccessLog>,
}

impl Pending {
    /// A request that came just now.
    pub(crate) fn new(
        client: SocketAddr,
        method: &str,
        target: &str,
        log: Arc<dyn AccessLog>,
    ) -> Self {
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
