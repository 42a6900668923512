//! Connections: one thread each, requests one after another.

use std::io::{self, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use super::auth;
use super::fault::{Asked, Fault, Response};
use super::handle;
use super::http::{Answer, Body, Head, Payload, Shape, read_head};
use super::record::{Recorded, Route, route};
use super::shared::Shared;
use super::store::lock;

/// Accepts until the registry ends, then waits for every connection's thread.
pub(crate) fn accept(listener: &TcpListener, shared: &Shared) {
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            if shared.has_ended() {
                return;
            }
            let Ok(stream) = stream else { continue };
            let number = shared.connections.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move || {
                // A connection that breaks is the client's business, or the script's.
                let _ = serve(stream, number, shared);
                lock(&shared.open).retain(|(other, _)| *other != number);
            });
        }
    });
}

fn serve(stream: TcpStream, number: u64, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    lock(&shared.open).push((number, stream.try_clone()?));
    if shared.has_ended() {
        return Ok(());
    }
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
    let mut writer = stream.try_clone()?;
    let result = loop {
        let head = match read_head(&mut reader) {
            Ok(Some(head)) => head,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let entry = begin(shared, number, &head);
        match respond(shared, &head, &mut reader, &mut writer, entry) {
            Ok(Next::Request) => {}
            Ok(Next::Close) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // The other handles of this connection would keep it open.
    let _ = stream.shutdown(Shutdown::Both);
    result
}

enum Next {
    Request,
    Close,
}

/// Notes a request; its place in the record.
fn begin(shared: &Shared, connection: u64, head: &Head) -> usize {
    let (kind, repository, reference) = route(&head.path);
    let mut traffic = lock(&shared.traffic);
    traffic.push(Recorded {
        connection,
        method: head.method.clone(),
        path: head.path.clone(),
        query: head.query.clone(),
        route: kind,
        repository: repository.to_owned(),
        reference: reference.to_owned(),
        headers: head.headers.clone(),
        status: None,
        bytes_in: 0,
        bytes_out: 0,
        announced: 0,
        scripted: false,
    });
    traffic.len() - 1
}

fn note(shared: &Shared, entry: usize, change: impl FnOnce(&mut Recorded)) {
    // The record may have been cleared meanwhile.
    if let Some(recorded) = lock(&shared.traffic).get_mut(entry) {
        change(recorded);
    }
}

fn respond(
    shared: &Shared,
    head: &Head,
    reader: &mut BufReader<TcpStream>,
    writer: &mut TcpStream,
    entry: usize,
) -> io::Result<Next> {
    let (kind, repository, reference) = route(&head.path);
    let fault = shared.script.take(&Asked {
        method: &head.method,
        route: kind,
        repository,
        reference,
        query: &head.query,
        has_range: head.header("range").is_some(),
    });
    note(shared, entry, |recorded| {
        recorded.scripted = fault.is_some();
    });
    if !shared.latency.is_zero() {
        std::thread::sleep(shared.latency);
    }
    let cut = match &fault {
        Some(Fault::CutRequest(after)) => Some(*after),
        _ => None,
    };
    let mut body = Body::new(head, reader, cut)?;
    let result = {
        let _busy = Busy::new(shared);
        answer(shared, head, &mut body, fault.as_ref())
    };
    let (taken, unasked) = (body.taken(), body.never_asked_for());
    note(shared, entry, |recorded| recorded.bytes_in = taken);
    let (answer, shape) = match result? {
        Outcome::Answer(answer, shape) => (answer, shape),
        Outcome::Silence => return Ok(Next::Close),
    };
    let early = matches!(fault, Some(Fault::AnswerEarly(_))) || unasked;
    let closing = early
        || head
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    note(shared, entry, |recorded| {
        recorded.status = Some(answer.status);
        recorded.announced = answer.length();
    });
    if let Some(Fault::Endless(kind)) = fault {
        super::endless::send(kind, &answer, writer)?;
        return Ok(Next::Close);
    }
    let with_payload = head.method != "HEAD";
    let sent = answer.send(writer, with_payload, closing, &shape)?;
    note(shared, entry, |recorded| recorded.bytes_out = sent);
    let whole = !with_payload || sent == answer.length();
    Ok(if whole && !closing {
        Next::Request
    } else {
        Next::Close
    })
}

/// Counts the requests that are in work.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut concurrent = lock(&shared.concurrent);
        concurrent.0 += 1;
        concurrent.1 = concurrent.1.max(concurrent.0);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(&self.0.concurrent).0 -= 1;
    }
}

enum Outcome {
    Answer(Answer, Shape),
    /// The connection ends.
    Silence,
}

/// Handles a request as it is asked, and as the script wants it.
fn answer(
    shared: &Shared,
    head: &Head,
    body: &mut Body<'_>,
    fault: Option<&Fault>,
) -> io::Result<Outcome> {
    match fault {
        Some(Fault::Refuse) => return Ok(Outcome::Silence),
        Some(Fault::NeverRead) => {
            super::fault::Gate::new().pass(&|| shared.has_ended());
            return Ok(Outcome::Silence);
        }
        Some(Fault::AnswerEarly(response)) => {
            return Ok(Outcome::Answer(scripted(response), Shape::default()));
        }
        Some(Fault::Answer(response)) => {
            body.drain()?;
            return Ok(Outcome::Answer(scripted(response), Shape::default()));
        }
        Some(Fault::Delay(time)) => std::thread::sleep(*time),
        Some(Fault::Gate(gate)) => gate.pass(&|| shared.has_ended()),
        _ => {}
    }
    let mut answer = allowed(shared, head, body, fault)?;
    if !body.never_asked_for() {
        body.drain()?;
    }
    let mut shape = Shape::default();
    match fault {
        Some(Fault::LoseResponse | Fault::CutRequest(_)) => return Ok(Outcome::Silence),
        Some(Fault::Stall) => {
            super::fault::Gate::new().pass(&|| shared.has_ended());
            return Ok(Outcome::Silence);
        }
        Some(Fault::CutResponse(after)) => shape.cut_after = Some(*after),
        Some(Fault::FlipByte(at)) => shape.flip_at = Some(*at),
        Some(Fault::Trickle(piece, pause)) => {
            shape.piece = Some((*piece).max(1));
            shape.pause = *pause;
        }
        Some(Fault::Status(status)) => answer.status = *status,
        Some(Fault::Header(name, value)) => answer.set(name, value.clone()),
        Some(Fault::Location(form)) => {
            let location = super::http::find(&answer.headers, "location").map(str::to_owned);
            if let Some(location) = location {
                answer.set("Location", form.of(&location));
            }
        }
        Some(Fault::Body(bytes)) => answer.payload = Payload::Bytes(bytes.clone().into()),
        _ => {}
    }
    Ok(Outcome::Answer(answer, shape))
}

fn scripted(response: &Response) -> Answer {
    let mut answer = Answer::new(response.status);
    answer.headers.clone_from(&response.headers);
    answer.payload = Payload::Bytes(response.body.clone().into());
    answer
}

/// Handles a request if its sender may do what it asks for.
fn allowed(
    shared: &Shared,
    head: &Head,
    body: &mut Body<'_>,
    fault: Option<&Fault>,
) -> io::Result<Answer> {
    let (kind, repository, _) = route(&head.path);
    if kind == Route::Token {
        let form = body.read_up_to(64 << 10)?.unwrap_or_default();
        return Ok(auth::token(&shared.auth, &shared.tokens, head, &form));
    }
    let behaviour = lock(&shared.behaviour).clone();
    if behaviour.refuses_authorization && head.header("authorization").is_some() {
        return Ok(Answer::error(
            400,
            "InvalidArgument",
            "Only one auth mechanism allowed",
        ));
    }
    let origin = shared.origin();
    match auth::check(
        &shared.auth,
        &shared.tokens,
        &origin,
        head,
        (kind, repository),
    ) {
        Err(refusal) => Ok(refusal),
        Ok(granted) => {
            let asked = handle::Asked {
                shared,
                behaviour: &behaviour,
                head,
                granted: &granted,
                lie: matches!(fault, Some(Fault::Lie)),
                ignore_range: matches!(fault, Some(Fault::IgnoreRange)),
            };
            asked.handle(body)
        }
    }
}
