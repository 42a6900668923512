//! The registry client, from arguments and environment.

use std::io::BufRead;
use std::sync::Arc;

use sealift_pipeline::{Cancel, Observer, RateLimit};
use sealift_registry::{Client, ClientOptions, Credential, Keychain, RetryPolicy, Secret};

use crate::args::TransportArgs;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// No password is longer.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

/// A client for a run that talks to `registries`.
pub(crate) fn client(
    args: &TransportArgs,
    registries: &[&str],
    observer: Arc<dyn Observer>,
    cancel: &Cancel,
) -> Result<Client, Failure> {
    let environment = Environment::read();
    let cert_dir = args.cert_dir.iter().cloned();
    Ok(Client::new(ClientOptions {
        keychain: keychain(args, registries, &environment)?,
        plain_http: args.plain_http.clone(),
        insecure: args.insecure.clone(),
        ca_file: args.ca_file.clone(),
        certificate_folders: cert_dir.chain(environment.certificate_folders).collect(),
        token_hosts: args.token_host.clone(),
        https_proxy: environment.https_proxy,
        http_proxy: environment.http_proxy,
        no_proxy: environment.no_proxy,
        retry: RetryPolicy {
            retries: args.retries,
            ..RetryPolicy::default()
        },
        connections: usize::from(args.connections),
        rate: args.limit_rate.map(RateLimit::new),
        cancel: cancel.clone(),
        observer,
        ..ClientOptions::default()
    }))
}

fn keychain(
    args: &TransportArgs,
    registries: &[&str],
    environment: &Environment,
) -> Result<Keychain, Failure> {
    let files = match &args.authfile {
        Some(file) if !file.exists() => {
            let message = format!("the credentials file {} does not exist", file.display());
            return Err(Failure::message(Exit::Usage, message));
        }
        Some(file) => std::slice::from_ref(file),
        None => &environment.auth_files,
    };
    let keychain =
        Keychain::from_files(files).map_err(|error| Failure::new(Exit::Failed, &error))?;
    let Some(username) = &args.username else {
        return Ok(keychain);
    };
    let host = login_host(args.login_host.as_deref(), registries)?;
    let credential = Credential::Password {
        username: username.clone(),
        password: password(std::io::stdin().lock())?,
    };
    Ok(keychain.with(Some(host), credential))
}

/// The one registry that `--username` is for: credentials go to no other.
fn login_host(named: Option<&str>, registries: &[&str]) -> Result<String, Failure> {
    match (named, registries) {
        (Some(host), _) => Ok(host.to_owned()),
        (None, [host]) => Ok((*host).to_owned()),
        (None, _) => Err(Failure::message(
            Exit::Usage,
            format!(
                "--username is for one registry, and this run uses {}",
                registries.len()
            ),
        )
        .hint("use --login-host HOST to select one, and log in to the others beforehand")),
    }
}

/// The password for `--username`.
fn password(input: impl BufRead) -> Result<Secret, Failure> {
    let line = password_line(input)?.ok_or_else(|| {
        let message = "--password-stdin was given, but standard input has no password";
        Failure::message(Exit::Usage, message)
    })?;
    Ok(Secret::new(line))
}

/// The first line of `input`; `None` if it is empty.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn password_line(input: impl BufRead) -> Result<Option<String>, Failure> {
    let mut line = String::new();
    input
        .take(MAX_PASSWORD_BYTES)
        .read_line(&mut line)
        .map_err(|_| {
            Failure::message(Exit::Usage, "cannot read the password from standard input")
        })?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok((!password.is_empty()).then(|| password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_for_one_registry() {
        assert_eq!(login_host(None, &["r.corp"]).unwrap(), "r.corp");
        assert_eq!(
            login_host(Some("q.corp"), &["r.corp", "q.corp"]).unwrap(),
            "q.corp"
        );
        assert_eq!(
            login_host(None, &["r.corp", "q.corp"]).unwrap_err().exit(),
            Exit::Usage
        );
    }

    #[test]
    fn the_password_is_the_first_line() {
        assert_eq!(
            password(&b"pa ss\r\nrest"[..]).unwrap(),
            Secret::new("pa ss")
        );
        assert!(password(&b"\n"[..]).is_err());
    }
}
