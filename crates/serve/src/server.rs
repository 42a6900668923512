//! Moves the bytes: connections, limits and the end of serving.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sealift_pipeline::{Cancel, Event, Observer};
use tokio::sync::Semaphore;

use crate::blob::{self, Checked};
use crate::contents::Contents;
use crate::response::{ApiRequest, ApiResponse, Body};

/// How many clients are served at once; the next ones wait.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a stop is looked for while nobody comes.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// Why a bundle is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be taken.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, as it was given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The system gives no threads or timers.
    #[error("cannot start serving: {0}")]
    Runtime(#[source] io::Error),
}

/// A registry that listens.
pub struct Server {
    contents: Arc<Contents>,
    listener: TcpListener,
}

type HttpResponse = Response<BoxBody<Bytes, io::Error>>;

impl Server {
    /// Takes `address` (`ADDR:PORT`; port 0 for any that is free); nothing is served yet.
    ///
    /// # Errors
    /// Where the address cannot be taken.
    pub fn bind(contents: Contents, address: &str) -> Result<Self, ServeError> {
        let listen = |source| ServeError::Listen {
            address: address.to_owned(),
            source,
        };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        Ok(Self {
            contents: Arc::new(contents),
            listener,
        })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `cancel` is raised; then every connection ends.
    ///
    /// # Errors
    /// Where the system gives no threads or timers.
    pub fn run(self, cancel: &Cancel, observer: &Arc<dyn Observer>) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(MAX_CONNECTIONS)
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        let served = runtime.block_on(self.accept(cancel, observer));
        // Threads that wait for slow clients are not waited for.
        runtime.shutdown_background();
        served
    }

    async fn accept(self, cancel: &Cancel, observer: &Arc<dyn Observer>) -> Result<(), ServeError> {
        let listener =
            tokio::net::TcpListener::from_std(self.listener).map_err(ServeError::Runtime)?;
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let checked = Arc::new(Checked::default());
        while !cancel.is_cancelled() {
            let free = Arc::clone(&slots).acquire_owned();
            let slot = match tokio::time::timeout(STOP_INTERVAL, free).await {
                Ok(Ok(slot)) => slot,
                Ok(Err(_)) => return Ok(()),
                // All slots are taken: a stop is looked for meanwhile.
                Err(_) => continue,
            };
            let Ok(accepted) = tokio::time::timeout(STOP_INTERVAL, listener.accept()).await else {
                continue;
            };
            // A client that is gone already, or no file descriptor left: the next one may do better.
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(STOP_INTERVAL).await;
                continue;
            };
            let (contents, checked) = (Arc::clone(&self.contents), Arc::clone(&checked));
            let observer = Arc::clone(observer);
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(&contents, &checked, &*observer, &request);
                std::future::ready(Ok::<_, io::Error>(response))
            });
            tokio::spawn(async move {
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT);
                // How a client's connection ends is the client's matter.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
                drop(slot);
            });
        }
        Ok(())
    }
}

fn respond(
    contents: &Arc<Contents>,
    checked: &Arc<Checked>,
    observer: &dyn Observer,
    request: &Request<Incoming>,
) -> HttpResponse {
    let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    let response = contents.respond(&ApiRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        range: header(RANGE),
        if_none_match: header(IF_NONE_MATCH),
    });
    let text = format!(
        "{} {} {}",
        request.method(),
        request.uri().path(),
        response.status
    );
    observer.event(&Event::Note { text: &text });
    http_response(contents, checked, response, request.method() == "HEAD")
}

fn http_response(
    contents: &Arc<Contents>,
    checked: &Arc<Checked>,
    response: ApiResponse,
    bodiless: bool,
) -> HttpResponse {
    let body = match response.body {
        _ if bodiless => empty(),
        Body::Bytes(bytes) => Full::new(Bytes::from(bytes))
            .map_err(|never| match never {})
            .boxed(),
        Body::Blob(digest) => blob::body(contents, checked, digest, None, response.length).boxed(),
        Body::Part(digest, from) => {
            blob::body(contents, checked, digest, Some(from), response.length).boxed()
        }
    };
    let mut http = Response::new(body);
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

fn empty() -> BoxBody<Bytes, io::Error> {
    Empty::new().map_err(|never| match never {}).boxed()
}
