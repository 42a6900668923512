//! Docker's credential helpers: programs that know the password.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::credential::{Credential, KeychainError};
use crate::secret::Secret;

/// No response of a helper is larger.
const MAX_BYTES: u64 = 1 << 20;
/// How long a helper may take: some ask a person.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait for the rest of its output after it has ended.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a helper gave no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// There is no such program.
    pub(super) is_missing: bool,
    error: KeychainError,
}

impl From<Fault> for KeychainError {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks `docker-credential-NAME get` (Docker's credential helper protocol). A helper that knows nothing
/// about the host says so and fails; that is no error.
pub(super) fn run(name: &str, host: &str) -> Result<Option<Credential>, Fault> {
    let program = format!("docker-credential-{name}");
    let fault = |is_missing, reason: &str| Fault {
        is_missing,
        error: KeychainError::Helper {
            helper: program.clone(),
            host: host.to_owned(),
            reason: reason.to_owned(),
        },
    };
    if name.contains(['/', '\\']) {
        return Err(fault(false, "its name is a path"));
    }
    let child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fault(error.kind() == io::ErrorKind::NotFound, &error.to_string()))?;
    ask(child, host, TIMEOUT).map_err(|reason| fault(false, reason))
}

fn ask(
    mut child: Child,
    host: &str,
    timeout: Duration,
) -> Result<Option<Credential>, &'static str> {
    if let Some(mut stdin) = child.stdin.take() {
        // A helper may end without reading.
        let _ = stdin.write_all(host.as_bytes());
    }
    let (sender, words) = mpsc::channel();
    let output = child.stdout.take();
    // What a helper leaves running may keep its output open: nobody waits for this thread.
    let reader = move || {
        let mut text = Vec::new();
        let read = output.map(|output| output.take(MAX_BYTES).read_to_end(&mut text));
        if matches!(read, Some(Ok(_))) {
            let _ = sender.send(text);
        }
    };
    let spawned = thread::Builder::new().spawn(reader);
    spawned.map_err(|_| "no thread could be started for its output")?;
    let status = wait(&mut child, timeout).ok_or("it did not respond in time")?;
    let text = words.recv_timeout(OUTPUT_TIMEOUT).unwrap_or_default();
    if !status.success() {
        // The protocol has no other sign for this than its text ("credentials not found in native keychain").
        let words = String::from_utf8_lossy(&text).to_lowercase();
        return if words.contains("not found") {
            Ok(None)
        } else {
            Err("it ended with an error")
        };
    }
    let response: Response =
        serde_json::from_slice(&text).map_err(|_| "its response is not JSON")?;
    Ok(match response.username.as_str() {
        "" => None,
        "<token>" => Some(Credential::IdentityToken(Secret::new(response.secret))),
        _ => Some(Credential::Password {
            username: response.username,
            password: Secret::new(response.secret),
        }),
    })
}

/// Waits until the program ends; one that takes longer is ended.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begun.elapsed() < timeout => thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(script: &str, timeout: Duration) -> Result<Option<Credential>, &'static str> {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        ask(child, "r.io", timeout)
    }

    #[test]
    fn a_helper_is_asked_for_the_host_and_answers_in_json() {
        let script = r#"host=$(cat); printf '{"Username":"%s","Secret":"s"}' "$host""#;
        let expected = Credential::Password {
            username: "r.io".to_owned(),
            password: Secret::new("s"),
        };
        assert_eq!(answer(script, TIMEOUT), Ok(Some(expected)));
        let token = r#"printf '{"Username":"<token>","Secret":"s"}'"#;
        let expected = Credential::IdentityToken(Secret::new("s"));
        assert_eq!(answer(token, TIMEOUT), Ok(Some(expected)));
    }

    #[test]
    fn a_helper_may_know_nothing_or_fail_without_being_quoted() {
        let nothing = "echo credentials not found in native keychain; exit 1";
        assert_eq!(answer(nothing, TIMEOUT), Ok(None));
        let failed = answer("echo canary; exit 1", TIMEOUT).unwrap_err();
        assert!(!failed.contains("canary"));
        assert!(answer("echo canary", TIMEOUT).is_err());
    }

    #[test]
    fn a_helper_that_hangs_is_ended() {
        assert!(answer("exec sleep 1000", Duration::ZERO).is_err());
    }
}
