//! The access log of `serve`: a line for each request, in a file or on standard output, or as a message where no
//! log is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealift_oci::excerpt;
use sealift_pipeline::{Event, Observer};
use sealift_serve::{Access, AccessLog};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::warn;
use crate::words;

/// How many characters of a user's name and of a path a line has at most.
const MAX_TEXT: usize = 1_000;

/// Where lines go.
enum Sink {
    /// Nowhere: each request is a message.
    Messages,
    Output,
    File(Mutex<File>),
}

/// The log of one run.
struct Log {
    sink: Sink,
    observer: Arc<dyn Observer>,
    /// Whether a line could not be written: that is said once.
    failed: AtomicBool,
}

/// The log in the file at `path`, which is created or added to; `-` is standard output. Without a path each request
/// is a message for `observer`, as are connections that fail.
///
/// # Errors
/// If the file cannot be opened.
pub(crate) fn access_log(
    path: Option<&Path>,
    observer: Arc<dyn Observer>,
) -> Result<Arc<dyn AccessLog>, Failure> {
    let sink = match path {
        None => Sink::Messages,
        Some(path) if path == Path::new("-") => Sink::Output,
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let file = opened.map_err(|error| {
                let message = format!("cannot open the access log {}: {error}", path.display());
                Failure::message(Exit::Usage, message)
            })?;
            Sink::File(Mutex::new(file))
        }
    };
    Ok(Arc::new(Log {
        sink,
        observer,
        failed: AtomicBool::new(false),
    }))
}

impl Log {
    fn write(&self, access: &Access) -> io::Result<()> {
        let line = format!("{}\n", line(access));
        match &self.sink {
            Sink::Messages => {
                let (method, target, status) = (&access.method, &access.target, access.status);
                let text = format!("{method} {target} {status}");
                self.observer.event(&Event::Note { text: &text });
                Ok(())
            }
            Sink::Output => {
                let mut output = io::stdout().lock();
                output.write_all(line.as_bytes())?;
                output.flush()
            }
            // In one piece, so that lines of several processes do not mix.
            Sink::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(line.as_bytes())
            }
        }
    }
}

impl AccessLog for Log {
    fn request(&self, access: &Access) {
        if let Err(error) = self.write(access)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            warn(&format!(
                "cannot write the access log: {error}; lines are missing from here on"
            ));
        }
    }

    fn no_connection(&self, client: SocketAddr, why: &str) {
        let text = format!("{client}: {why}");
        self.observer.event(&Event::Note { text: &text });
    }

    fn lost(&self, calls: u64) {
        warn(&format!(
            "{} missing from the access log, which is written too slowly",
            words::count(calls, "line")
        ));
    }
}

/// Time, client, user, method, path, status, bytes and duration, with spaces between them.
fn line(access: &Access) -> String {
    let user = access.user.as_deref().map_or("-".to_owned(), field);
    format!(
        "{} {} {user} {} {} {} {} {}",
        humantime::format_rfc3339_millis(access.time),
        access.client,
        field(&access.method),
        field(&access.target),
        access.status,
        access.bytes,
        seconds(access.duration)
    )
}

/// Text from outside as one word.
fn field(text: &str) -> String {
    excerpt(text, MAX_TEXT).replace(' ', "\\u{20}")
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn access() -> Access {
        Access {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            client: "10.0.0.7:41234".parse().unwrap(),
            user: None,
            method: "GET".to_owned(),
            target: "/v2/a/manifests/v1?n=1".to_owned(),
            status: 200,
            bytes: 1_234,
            duration: Duration::from_micros(2_500),
        }
    }

    #[test]
    fn a_line_has_eight_words() {
        assert_eq!(
            line(&access()),
            "1970-01-01T00:00:01.500Z 10.0.0.7:41234 - GET /v2/a/manifests/v1?n=1 200 1234 0.003s"
        );
    }

    #[test]
    fn what_a_client_sends_stays_one_word_of_bounded_length() {
        let access = Access {
            user: Some("a b\n1970".to_owned()),
            target: format!("/\u{1b}[2J{}", "x".repeat(5_000)),
            ..access()
        };
        let line = line(&access);
        assert_eq!(line.split(' ').count(), 8, "{line}");
        assert!(!line.contains(char::is_control) && line.len() < 1_200);
        assert_eq!(line.split(' ').nth(2), Some("a\\u{20}b\\n1970"));
    }
}
