//! One request: authentication, redirects, retries.

use std::io::Read;

use sealift_pipeline::Event;
use ureq::http::{HeaderMap, Request};
use ureq::{Body, SendBody};

use crate::auth::{Challenge, TokenAnswer, basic, choose};
use crate::client::{Client, Host};
use crate::error::{Problem, RegistryError};
use crate::keychain::Credential;
use crate::origin::{Origin, may_have_credentials};
use crate::retry::{retry_after, sleep};
use crate::secret::Secret;

/// No answer of a token service is larger.
const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// No error's body is read further.
const MAX_ERROR_BYTES: u64 = 64 << 10;
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// A request that can be made again: its body, if any, is in memory.
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    /// Path and query on the registry.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'a [u8],
    /// The scopes that a token needs, separated by spaces.
    pub(crate) scope: String,
}

impl Call<'_> {
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: &[],
            scope: scope.into(),
        }
    }

    pub(crate) fn get(path: impl Into<String>, scope: impl Into<String>) -> Self {
        Self::new("GET", path, scope)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer; its body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where the answer came from, for what it names relatively.
    pub(crate) origin: Origin,
    pub(crate) path: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads the whole body, which may not have more than `limit` bytes.
    pub(crate) fn bytes(self, limit: u64) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        let mut reader = self.body.into_reader().take(limit + 1);
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| Problem::Transport(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(Problem::TooLarge { limit });
        }
        Ok(bytes)
    }

    /// Reads what is left, so that the connection can be used again.
    pub(crate) fn finish(self) {
        // What fails here fails again, and visibly, on the next use.
        let _ = std::io::copy(
            &mut self.body.into_reader().take(MAX_ERROR_BYTES),
            &mut std::io::sink(),
        );
    }

    /// The problem that an unexpected answer stands for.
    pub(crate) fn problem(self, with_credentials: bool) -> Problem {
        let status = self.status;
        let retry_after = self.header("retry-after").and_then(retry_after);
        let (code, message) = error_words(&self.bytes(MAX_ERROR_BYTES).unwrap_or_default());
        match status {
            401 | 403 => Problem::Denied {
                status,
                message,
                with_credentials,
            },
            404 => Problem::NotFound(message),
            _ => Problem::Status {
                status,
                code,
                message,
                retry_after,
            },
        }
    }
}

/// Code and message of the first error in a body of the specification's form, cut to a line.
fn error_words(body: &[u8]) -> (String, String) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &json["errors"][0];
    let text = |name: &str| -> String {
        let text = first[name].as_str().unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    };
    let (code, message) = (text("code"), text("message"));
    let words = if message.is_empty() {
        code.clone()
    } else {
        format!("{code}: {message}")
    };
    (code, words)
}

impl Client {
    /// Makes a request until it is answered with something that is neither an error nor transient.
    /// Every answer below 400 is returned; redirects are followed.
    pub(crate) fn send(
        &self,
        host: &Host,
        call: &Call<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<Answer, RegistryError> {
        self.retrying(host, what, || self.attempt(host, call))
    }

    /// Does `work` until it succeeds, fails for good or has failed too often.
    pub(crate) fn retrying<T>(
        &self,
        host: &Host,
        what: &dyn Fn() -> String,
        mut work: impl FnMut() -> Result<T, Problem>,
    ) -> Result<T, RegistryError> {
        let options = &self.options;
        let mut failures = 0;
        loop {
            let problem = match options
                .cancel
                .check()
                .map_err(Problem::from)
                .and_then(|()| work())
            {
                Ok(done) => return Ok(done),
                Err(problem) => problem,
            };
            failures += 1;
            let fail = |problem| {
                Err(RegistryError {
                    host: host.name.clone(),
                    what: what(),
                    problem,
                })
            };
            if !problem.is_transient() || failures > options.retry.retries {
                return fail(problem);
            }
            let asked = match &problem {
                Problem::Status { retry_after, .. } => *retry_after,
                _ => None,
            };
            let wait = options.retry.wait(failures, asked);
            let (text, words) = (what(), problem.to_string());
            options.observer.event(&Event::Retry {
                host: &host.name,
                what: &text,
                error: &words,
                wait,
            });
            if let Err(cancelled) = sleep(wait, &options.cancel) {
                return fail(cancelled.into());
            }
        }
    }

    /// Makes a request once; a challenge is answered, and an expired token renewed, on the way.
    pub(crate) fn attempt(&self, host: &Host, call: &Call<'_>) -> Result<Answer, Problem> {
        let first = self.exchange(host, call)?;
        if first.status != 401 {
            return self.judge(host, call, first);
        }
        self.authenticate(host, &call.scope, first)?;
        let second = self.exchange(host, call)?;
        self.judge(host, call, second)
    }

    fn judge(&self, host: &Host, call: &Call<'_>, answer: Answer) -> Result<Answer, Problem> {
        if answer.status < 400 {
            return Ok(answer);
        }
        let with_credentials = self.authorization(host, &call.scope)?.is_some();
        Err(answer.problem(with_credentials))
    }

    /// Sends the request and follows redirects; no credentials leave the registry's origin.
    fn exchange(&self, host: &Host, call: &Call<'_>) -> Result<Answer, Problem> {
        let (mut origin, mut path) = (host.origin.clone(), call.path.clone());
        for _ in 0..=MAX_REDIRECTS {
            let authorization = if origin == host.origin {
                self.authorization(host, &call.scope)?
            } else {
                None
            };
            let request = build(call, &origin, &path, authorization.as_ref())?;
            let answer = run(host, request, &origin, &path)?;
            let location = match (answer.status, answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(location))
                    if matches!(call.method, "GET" | "HEAD") =>
                {
                    location.to_owned()
                }
                _ => return Ok(answer),
            };
            let next = origin.resolve(&path, &location);
            answer.finish();
            let (next, next_path) = next.ok_or_else(|| {
                Problem::Refused("the registry redirects to something that is no URL".to_owned())
            })?;
            check_redirect(&host.origin, &next)?;
            (origin, path) = (next, next_path);
        }
        Err(Problem::Protocol("more than 5 redirects".to_owned()))
    }

    /// The header for the registry's own origin, as far as it is known already.
    pub(crate) fn authorization(
        &self,
        host: &Host,
        scope: &str,
    ) -> Result<Option<Secret>, Problem> {
        let credential = self.credential(host, scope)?;
        Ok(host.auth.header(scope, credential.as_ref()))
    }

    fn credential(&self, host: &Host, scope: &str) -> Result<Option<Credential>, Problem> {
        // The repository that credentials are looked up for is the first that the scope names.
        let repository = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.split(':').next());
        Ok(self
            .options
            .keychain
            .lookup(&host.name, repository.unwrap_or_default())?)
    }

    /// Answers a 401: the next request of this scope carries what the registry wants.
    pub(crate) fn authenticate(
        &self,
        host: &Host,
        scope: &str,
        refused: Answer,
    ) -> Result<(), Problem> {
        let headers = refused.headers.get_all("www-authenticate").iter();
        let challenge = choose(headers.filter_map(|value| value.to_str().ok()));
        let credential = self.credential(host, scope)?;
        host.auth.forget(scope);
        match challenge {
            Some(Challenge::Basic) if credential.as_ref().and_then(basic).is_some() => {
                refused.finish();
                host.auth.use_basic();
                Ok(())
            }
            Some(Challenge::Bearer {
                realm,
                service,
                scope: wanted,
            }) => {
                refused.finish();
                let scopes = if scope.is_empty() { &wanted } else { scope };
                let answer = self.token(host, &realm, &service, scopes, credential.as_ref())?;
                host.auth.keep(scope, answer)
            }
            _ => Err(refused.problem(credential.is_some())),
        }
    }

    fn token(
        &self,
        host: &Host,
        realm: &str,
        service: &str,
        scopes: &str,
        credential: Option<&Credential>,
    ) -> Result<TokenAnswer, Problem> {
        let (origin, path) = host
            .origin
            .resolve("/", realm)
            .filter(|_| realm.contains("://"))
            .ok_or_else(|| {
                Problem::Refused(format!(
                    "the registry names {realm:?} as its token service, which is no URL"
                ))
            })?;
        check_redirect(&host.origin, &origin)?;
        if credential.is_some()
            && !may_have_credentials(&host.origin, &origin, &self.options.token_hosts)
        {
            return Err(Problem::Refused(format!(
                "the registry wants its credentials sent to {origin}, another host (say --token-host {} if that is right)",
                origin.authority
            )));
        }
        let answer = match credential {
            Some(Credential::IdentityToken(token)) => {
                refresh(host, &origin, &path, service, scopes, token)?
            }
            credential => fetch(host, &origin, &path, service, scopes, credential)?,
        };
        if answer.status != 200 {
            return Err(answer.problem(credential.is_some()));
        }
        let bytes = answer.bytes(MAX_TOKEN_BYTES)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Problem::Protocol("the token service's answer is no JSON".to_owned()))
    }
}

/// GET of a token with the Basic scheme, or anonymously.
fn fetch(
    host: &Host,
    origin: &Origin,
    path: &str,
    service: &str,
    scopes: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Problem> {
    let mut query = format!("service={}", encode(service));
    for scope in scopes.split(' ').filter(|scope| !scope.is_empty()) {
        query.push_str("&scope=");
        query.push_str(&encode(scope));
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}{query}");
    let call = Call::get(path.clone(), "");
    let authorization = credential.and_then(basic);
    run(
        host,
        build(&call, origin, &path, authorization.as_ref())?,
        origin,
        &path,
    )
}

/// POST of a refresh token (Docker's OAuth2 form).
fn refresh(
    host: &Host,
    origin: &Origin,
    path: &str,
    service: &str,
    scopes: &str,
    token: &Secret,
) -> Result<Answer, Problem> {
    let form = format!(
        "grant_type=refresh_token&client_id=sealift&service={}&scope={}&refresh_token={}",
        encode(service),
        encode(scopes),
        encode(token.expose())
    );
    let mut call =
        Call::new("POST", path, "").header("content-type", "application/x-www-form-urlencoded");
    call.body = form.as_bytes();
    run(host, build(&call, origin, path, None)?, origin, path)
}

/// A registry on https does not lead to http, and one elsewhere does not lead to this machine.
pub(crate) fn check_redirect(registry: &Origin, to: &Origin) -> Result<(), Problem> {
    if registry.https && !to.https {
        return Err(Problem::Refused(format!(
            "the registry leads from https to {to}"
        )));
    }
    let inward = to.is_loopback() || is_link_local(to.host());
    if inward && !registry.is_loopback() {
        return Err(Problem::Refused(format!(
            "the registry leads to {to}, an address of this machine or link"
        )));
    }
    Ok(())
}

/// Addresses under which clouds keep their machines' credentials.
fn is_link_local(host: &str) -> bool {
    match host.parse() {
        Ok(std::net::IpAddr::V4(address)) => address.is_link_local() || address.is_unspecified(),
        Ok(std::net::IpAddr::V6(address)) => {
            address.is_unicast_link_local() || address.is_unspecified()
        }
        Err(_) => false,
    }
}

fn build<'a>(
    call: &Call<'a>,
    origin: &Origin,
    path: &str,
    authorization: Option<&Secret>,
) -> Result<Request<SendBodyOf<'a>>, Problem> {
    let mut request = Request::builder()
        .method(call.method)
        .uri(format!("{origin}{path}"));
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization.expose());
    }
    request
        .body(SendBodyOf(call.method, call.body))
        .map_err(|error| Problem::Refused(format!("the request cannot be made: {error}")))
}

/// A body in memory, with the method that decides whether an empty one is announced.
struct SendBodyOf<'a>(&'static str, &'a [u8]);

fn run(
    host: &Host,
    request: Request<SendBodyOf<'_>>,
    origin: &Origin,
    path: &str,
) -> Result<Answer, Problem> {
    let (parts, SendBodyOf(method, bytes)) = request.into_parts();
    let response = if matches!(method, "GET" | "HEAD" | "DELETE") {
        host.agent.run(Request::from_parts(parts, ()))
    } else {
        host.agent.run(Request::from_parts(parts, bytes))
    };
    answer(response, origin, path)
}

/// Sends a body that can be read once, to the registry's own origin alone or without credentials.
pub(crate) fn run_stream(
    host: &Host,
    request: ureq::http::request::Builder,
    body: &mut dyn Read,
    origin: &Origin,
    path: &str,
) -> Result<Answer, Problem> {
    let request = request
        .body(SendBody::from_reader(body))
        .map_err(|error| Problem::Refused(format!("the request cannot be made: {error}")))?;
    answer(host.agent.run(request), origin, path)
}

fn answer(
    response: Result<ureq::http::Response<Body>, ureq::Error>,
    origin: &Origin,
    path: &str,
) -> Result<Answer, Problem> {
    let response = response.map_err(|error| Problem::Transport(error.to_string()))?;
    let (parts, body) = response.into_parts();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        origin: origin.clone(),
        path: path.to_owned(),
    })
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.extend(
                    char::from_digit(u32::from(nibble), 16).map(|c| c.to_ascii_uppercase()),
                );
            }
        }
        encoded
    })
}
