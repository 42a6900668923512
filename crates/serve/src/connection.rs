//! One client's connection: TLS if there is a certificate, then requests one after another.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::access::{LoggedBody, Pending, QueuedLog};
use crate::blob::{self, Checked};
use crate::contents::Contents;
use crate::response::{ApiRequest, ApiResponse, Body};
use crate::stall::StallLimited;
use crate::users::{Login, Users};

/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How large a request's head may be.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long a client may read nothing while something is to be sent.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How many passwords are checked at once; each keeps a core busy.
const PASSWORD_CHECKS: usize = 2;

type HttpResponse = Response<LoggedBody>;

/// What all connections share.
pub(crate) struct Service {
    contents: Arc<Contents>,
    checked: Arc<Checked>,
    users: Option<Arc<Users>>,
    password_checks: Arc<Semaphore>,
    log: Arc<QueuedLog>,
}

impl Service {
    pub(crate) fn new(contents: Contents, users: Option<Users>, log: &Arc<QueuedLog>) -> Self {
        Self {
            contents: Arc::new(contents),
            checked: Arc::default(),
            users: users.map(Arc::new),
            password_checks: Arc::new(Semaphore::new(PASSWORD_CHECKS)),
            log: Arc::clone(log),
        }
    }

    async fn respond(&self, client: &Client, request: &Request<Incoming>) -> HttpResponse {
        let mut pending = self.pending(client, request);
        let response = match self.user(request).await {
            Ok(user) => {
                if let Some(user) = user {
                    pending.set_user(user);
                }
                self.contents.respond(&api_request(request))
            }
            Err(Refused) => ApiResponse::unauthorized(),
        };
        self.http_response(response, request.method() == "HEAD", client, pending)
    }

    fn respond_without_tls(&self, client: &Client, request: &Request<Incoming>) -> HttpResponse {
        let pending = self.pending(client, request);
        let response = ApiResponse::tls_expected();
        self.http_response(response, request.method() == "HEAD", client, pending)
    }

    fn pending(&self, client: &Client, request: &Request<Incoming>) -> Pending {
        let target = request.uri().path_and_query();
        let target = target.map_or("", |target| target.as_str());
        let log = Arc::clone(&self.log);
        Pending::new(client.address, request.method().as_str(), target, log)
    }

    /// The user who sent a request; `None` if everyone may.
    async fn user(&self, request: &Request<Incoming>) -> Result<Option<String>, Refused> {
        let Some(users) = &self.users else {
            return Ok(None);
        };
        let header = request.headers().get(AUTHORIZATION).ok_or(Refused)?;
        let login = Login::parse(header.as_bytes()).ok_or(Refused)?;
        if users.remembers(&login) {
            return Ok(Some(login.user));
        }
        let checks = Arc::clone(&self.password_checks);
        let turn = checks.acquire_owned().await.map_err(|_| Refused)?;
        let users = Arc::clone(users);
        let checked = tokio::task::spawn_blocking(move || {
            let accepted = users.check(&login);
            // Not before: a check goes on if its client leaves.
            drop(turn);
            accepted.then_some(login.user)
        });
        match checked.await {
            Ok(Some(user)) => Ok(Some(user)),
            _ => Err(Refused),
        }
    }

    fn http_response(
        &self,
        response: ApiResponse,
        bodiless: bool,
        client: &Client,
        pending: Pending,
    ) -> HttpResponse {
        let blob = |digest, from| {
            let store = (&self.contents, &self.checked);
            let slot = Arc::clone(&client.slot);
            blob::body(store, digest, from, response.length, slot).boxed()
        };
        let body = match response.body {
            _ if bodiless => empty(),
            Body::Bytes(bytes) => Full::new(Bytes::from(bytes))
                .map_err(|never| match never {})
                .boxed(),
            Body::Blob(digest) => blob(digest, None),
            Body::Part(digest, from) => blob(digest, Some(from)),
        };
        let mut http = Response::new(pending.body(response.status, body));
        *http.status_mut() =
            StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = http.headers_mut();
        if response.status != 304 {
            headers.insert(CONTENT_LENGTH, response.length.into());
        }
        for (name, value) in response.headers {
            // A media type from a manifest may hold what no header may.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        http
    }
}

/// A request without a user name and password that are in the list.
struct Refused;

/// One of the clients that are served at once.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Taken as long as the connection is open or a thread works for it.
    pub(crate) slot: Arc<OwnedSemaphorePermit>,
}

/// Serves one client until the connection ends. How it ends is the client's matter.
pub(crate) async fn serve(
    service: &Arc<Service>,
    tls: Option<&TlsAcceptor>,
    stream: TcpStream,
    client: Client,
) {
    let failed = |why: &str| service.log.no_connection(client.address, why);
    let Some(tls) = tls else {
        let stream = StallLimited::new(stream, STALL_TIMEOUT);
        return answer(service, stream, &client).await;
    };
    match timeout(HANDSHAKE_TIMEOUT, speaks_http(&stream)).await {
        Ok(true) => return answer_without_tls(service, stream, &client).await,
        Ok(false) => {}
        Err(_) => return failed("no TLS handshake in time"),
    }
    let stream = StallLimited::new(stream, STALL_TIMEOUT);
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => answer(service, stream, &client).await,
        Ok(Err(error)) => failed(&format!("TLS handshake failed: {error}")),
        Err(_) => failed("no TLS handshake in time"),
    }
}

/// Whether a client that should speak TLS begins with the method of an HTTP request instead.
async fn speaks_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = stream.peek(&mut first).await;
    matches!(peeked, Ok(1)) && first[0].is_ascii_uppercase()
}

async fn answer(
    service: &Arc<Service>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    client: &Client,
) {
    requests(stream, true, |request| async move {
        service.respond(client, &request).await
    })
    .await;
}

/// Tells a client that the port expects TLS.
async fn answer_without_tls(service: &Arc<Service>, stream: TcpStream, client: &Client) {
    let stream = StallLimited::new(stream, STALL_TIMEOUT);
    requests(stream, false, |request| async move {
        service.respond_without_tls(client, &request)
    })
    .await;
}

async fn requests<F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    keep_alive: bool,
    respond: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = HttpResponse>,
{
    let service = service_fn(|request| {
        let response = respond(request);
        async move { Ok::<_, io::Error>(response.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(keep_alive);
    // How a client's connection ends is the client's matter.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

fn api_request(request: &Request<Incoming>) -> ApiRequest<'_> {
    let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    ApiRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        range: header(RANGE),
        if_none_match: header(IF_NONE_MATCH),
    }
}

fn empty() -> BoxBody<Bytes, io::Error> {
    Empty::new().map_err(|never| match never {}).boxed()
}
