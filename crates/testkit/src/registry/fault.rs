//! What goes wrong, and when: the script of a registry that misbehaves.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::endless::Endless;
use super::record::Route;
use super::store::lock;

/// Which requests a fault is for. Everything that is not said matches.
///
/// ```
/// use sealift_testkit::{Route, When};
///
/// // The second and third GET of any blob of the repository `a/b`.
/// let when = When::new("GET", Route::Blob).repository("a/b").skip(1).times(2);
/// # let _ = when;
/// ```
#[derive(Clone, Debug)]
pub struct When {
    method: Option<String>,
    route: Option<Route>,
    repository: Option<String>,
    reference: Option<String>,
    query: Option<String>,
    with_range: Option<bool>,
    skip: u64,
    left: Option<u64>,
}

impl When {
    /// Requests of this method and kind, once.
    pub fn new(method: &str, route: Route) -> Self {
        Self {
            method: Some(method.to_owned()),
            route: Some(route),
            ..Self::any()
        }
    }

    /// Any request, once.
    pub fn any() -> Self {
        Self {
            method: None,
            route: None,
            repository: None,
            reference: None,
            query: None,
            with_range: None,
            skip: 0,
            left: Some(1),
        }
    }

    /// Only those for this repository.
    pub fn repository(mut self, name: &str) -> Self {
        self.repository = Some(name.to_owned());
        self
    }

    /// Only those for this tag, digest or upload session.
    pub fn reference(mut self, reference: impl ToString) -> Self {
        self.reference = Some(reference.to_string());
        self
    }

    /// Only those whose query contains this text, as it was sent.
    pub fn query(mut self, text: &str) -> Self {
        self.query = Some(text.to_owned());
        self
    }

    /// Only those that ask for a range, or only those that do not.
    pub fn with_range(mut self, wanted: bool) -> Self {
        self.with_range = Some(wanted);
        self
    }

    /// Lets the first `count` of them pass.
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// So many of them.
    pub fn times(mut self, count: u64) -> Self {
        self.left = Some(count);
        self
    }

    /// All of them.
    pub fn always(mut self) -> Self {
        self.left = None;
        self
    }

    fn matches(&self, asked: &Asked<'_>) -> bool {
        let same =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|text| text == is);
        same(&self.method, asked.method)
            && self.route.is_none_or(|route| route == asked.route)
            && same(&self.repository, asked.repository)
            && same(&self.reference, asked.reference)
            && self
                .query
                .as_deref()
                .is_none_or(|text| asked.query.contains(text))
            && self
                .with_range
                .is_none_or(|wanted| wanted == asked.has_range)
    }
}

/// What a rule is compared with.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) route: Route,
    pub(crate) repository: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) query: &'a str,
    pub(crate) has_range: bool,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends before anything is done.
    Refuse,
    /// The connection ends after so many bytes of the request's body; what came of an upload is kept as
    /// the registry's behaviour says.
    CutRequest(u64),
    /// The connection ends after so many bytes of the answer's body. The answer announced them all.
    CutResponse(u64),
    /// All is done as asked, but the connection ends without an answer.
    LoseResponse,
    /// All is done as asked, but no answer comes until the registry ends.
    Stall,
    /// The request's body is never read, and no answer comes, until the registry ends.
    NeverRead,
    /// The answer has no end.
    Endless(Endless),
    /// The answer comes after this time.
    Delay(Duration),
    /// The request waits before it is handled, until the gate opens.
    Gate(Gate),
    /// The answer's body comes in pieces of so many bytes with a rest after each.
    Trickle(usize, Duration),
    /// Another answer instead; the request's body is read first, and nothing is done.
    Answer(Response),
    /// Another answer at once, while the client may still be sending; the connection ends.
    AnswerEarly(Response),
    /// All is done as asked, but the answer has this status.
    Status(u16),
    /// All is done as asked, but a header of the answer has this value, or is missing.
    Header(String, Option<String>),
    /// All is done as asked, but the answer's `Location` is another.
    Location(Location),
    /// One byte of the answer's body, at this place, is another.
    FlipByte(u64),
    /// The answer's body is this one, with the length that it has.
    Body(Vec<u8>),
    /// A range is ignored: the whole is answered, with 200.
    IgnoreRange,
    /// A mount answers 201 and does nothing; a commit or a manifest is answered as a success and is not
    /// kept.
    Lie,
}

impl Fault {
    /// Another answer, with this status and an empty body.
    pub fn answer(status: u16) -> Self {
        Self::Answer(Response::new(status))
    }

    /// 429 with a `Retry-After` of this text.
    pub fn too_many(retry_after: &str) -> Self {
        Self::Answer(Response::new(429).header("Retry-After", retry_after))
    }

    /// An error in the specification's form.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self::Answer(Response::new(status).body("application/json", body.to_string().into_bytes()))
    }
}

/// An answer of the script's own.
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// With an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With a header more.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self.header("Content-Type", media_type)
    }
}

/// Another form of the `Location` that the registry would have given.
#[derive(Clone, Debug)]
pub enum Location {
    /// None at all.
    Missing,
    /// Only the path and query.
    Relative,
    /// With this before the path: `http://127.0.0.1:1`, `//elsewhere.test`.
    At(String),
    /// With this many bytes more in its query.
    Long(usize),
    /// This text.
    Is(String),
}

impl Location {
    /// The new value, from the path and query that the registry meant.
    pub(crate) fn of(&self, location: &str) -> Option<String> {
        let path = match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => location,
        };
        match self {
            Self::Missing => None,
            Self::Relative => Some(path.to_owned()),
            Self::At(origin) => Some(format!("{origin}{path}")),
            Self::Long(more) => {
                let separator = if path.contains('?') { '&' } else { '?' };
                Some(format!("{path}{separator}more={}", "x".repeat(*more)))
            }
            Self::Is(text) => Some(text.clone()),
        }
    }
}

/// Holds requests until a test lets them go: order without a clock.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Debug, Default)]
struct Waiting {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all pass, now and later.
    pub fn open(&self) {
        lock(&self.0.0).open = true;
        self.0.1.notify_all();
    }

    /// Waits until `count` requests have come to the gate.
    pub fn wait_for(&self, count: usize) {
        let mut waiting = lock(&self.0.0);
        while waiting.arrived < count {
            waiting = self
                .0
                .1
                .wait(waiting)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Waits as a request, until the gate opens or `ended` says that the registry ends.
    pub(crate) fn pass(&self, ended: &dyn Fn() -> bool) {
        let mut waiting = lock(&self.0.0);
        waiting.arrived += 1;
        self.0.1.notify_all();
        while !waiting.open && !ended() {
            let look_again = Duration::from_millis(20);
            waiting = match self.0.1.wait_timeout(waiting, look_again) {
                Ok((waiting, _)) => waiting,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// The rules in their order; each request takes the first that fits.
#[derive(Debug, Default)]
pub(crate) struct Script(Mutex<Vec<(When, Fault)>>);

impl Script {
    pub(crate) fn add(&self, when: When, fault: Fault) {
        lock(&self.0).push((when, fault));
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// How many of the faults that were to happen a limited number of times have not happened yet.
    pub(crate) fn outstanding(&self) -> u64 {
        lock(&self.0).iter().filter_map(|(when, _)| when.left).sum()
    }

    pub(crate) fn take(&self, asked: &Asked<'_>) -> Option<Fault> {
        let mut rules = lock(&self.0);
        for (when, fault) in rules.iter_mut() {
            if when.left == Some(0) || !when.matches(asked) {
                continue;
            }
            if when.skip > 0 {
                when.skip -= 1;
                continue;
            }
            if let Some(left) = &mut when.left {
                *left -= 1;
            }
            return Some(fault.clone());
        }
        None
    }
}
