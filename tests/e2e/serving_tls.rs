//! `serve` with TLS, passwords and an access log, and other people's clients that use them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use rcgen::{CertificateParams, KeyPair};
use sealift_testkit::Registry;
use sealift_testkit::real::{Podman, Skopeo, require};

use crate::serving::{Served, bundle, served_with};
use crate::support::WorkDir;

/// anna with the password `secret`, as `htpasswd -B` writes it.
const USERS: &str = "anna:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A certificate for 127.0.0.1 and its key, as PEM.
fn certificate(expired: bool) -> (String, String) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    if expired {
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A server with TLS and a password, which writes an access log. Its certificate is `certs/ca.crt`.
fn locked() -> Served {
    let work_dir = WorkDir::new();
    work_dir.write("users", USERS);
    fs::create_dir(work_dir.path("certs")).unwrap();
    let options = [
        "--tls-self-signed",
        "--tls-cert-out",
        "certs/ca.crt",
        "--htpasswd",
        "users",
        "--access-log",
        "access.log",
    ];
    served_with(work_dir, &options, 5)
}

/// The lines of the access log, once there are `count`.
fn log_lines(served: &Served, count: usize) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(served.work_dir.path("access.log")).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count || Instant::now() > until {
            return lines;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a server answers to a request over a bare socket.
fn plain(host: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let head = format!("GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn basic(login: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(login);
    format!("Authorization: Basic {encoded}\r\n")
}

#[test]
fn what_is_printed_says_how_clients_trust_the_certificate() {
    let served = locked();
    let [first, identity, users, certificate, trust] = &served.printed[..] else {
        panic!("{:?}", served.printed)
    };
    assert!(
        first.ends_with(" with TLS; press Ctrl-C to stop"),
        "{first}"
    );
    assert!(identity.starts_with("identity sha256:"), "{identity}");
    assert_eq!(users, "a password is required (1 user)");
    assert!(
        trust.contains("certs/ca.crt") && trust.contains(&served.host),
        "{trust}"
    );
    let Some(openssl) = require("openssl") else {
        return;
    };
    let output = Command::new(openssl)
        .args([
            "x509",
            "-noout",
            "-fingerprint",
            "-sha256",
            "-ext",
            "subjectAltName",
            "-in",
        ])
        .arg(served.work_dir.path("certs/ca.crt"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("IP Address:127.0.0.1"), "{text}");
    let fingerprint = text.lines().find_map(|line| line.split_once("ingerprint="));
    assert!(
        certificate.ends_with(fingerprint.unwrap().1),
        "{certificate} {text}"
    );
}

#[test]
fn skopeo_copies_over_tls_with_a_password() {
    let Some(skopeo) = Skopeo::find() else { return };
    let (served, destination) = (locked(), Registry::start());
    let copy = |login: &str, certs: &str| {
        let output = skopeo.run(&[
            "--insecure-policy",
            "copy",
            "-q",
            "--all",
            "--preserve-digests",
            "--src-cert-dir",
            certs,
            "--src-creds",
            login,
            "--dest-tls-verify=false",
            &format!("docker://{}/team/app:v1", served.host),
            &format!("docker://{}/app:v1", destination.host()),
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let certs = served.work_dir.path("certs").display().to_string();
    let (copied, said) = copy("anna:wrong", &certs);
    assert!(!copied && said.contains("nauthorized"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let (copied, said) = copy("anna:secret", &empty.path().display().to_string());
    assert!(!copied && said.contains("certificate"), "{said}");
    assert_eq!(destination.tagged("app", "v1"), None);
    let (copied, said) = copy("anna:secret", &certs);
    assert!(copied, "{said}");
    assert_eq!(destination.tagged("app", "v1"), Some(served.image.digest()));
}

#[test]
fn podman_pulls_over_tls_with_a_password() {
    let Some(podman) = Podman::find() else { return };
    let served = locked();
    let certs = served.work_dir.path("certs").display().to_string();
    let image = format!("{}/team/app:v1", served.host);
    let pull = |login: &str| {
        let command = ["pull", "--quiet", "--cert-dir", &certs, "--creds", login];
        podman.run(&[&command[..], &[&image]].concat())
    };
    assert!(!pull("anna:wrong").status.success());
    let output = pull("anna:secret");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn crane_reads_over_tls_with_a_password() {
    let Some(crane) = require("crane") else {
        return;
    };
    let served = locked();
    let digest = |login: &str| {
        let auth = base64::engine::general_purpose::STANDARD.encode(login);
        let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, served.host);
        served.work_dir.write("config.json", config);
        Command::new(&crane)
            .args(["digest", &format!("{}/team/app:v1", served.host)])
            .env("DOCKER_CONFIG", served.work_dir.folder())
            .env("SSL_CERT_FILE", served.work_dir.path("certs/ca.crt"))
            .output()
            .unwrap()
    };
    assert!(!digest("anna:wrong").status.success());
    let output = digest("anna:secret");
    let (found, said) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    let expected = served.image.digest().to_string();
    assert_eq!(String::from_utf8_lossy(&found).trim(), expected, "{said}");
}

/// Pulls an image into `again.tar`, trusting a certificate.
fn pull<'a>(image: &'a str, certificate: &'a str) -> [&'a str; 7] {
    let output = "again.tar";
    [
        "bundle",
        image,
        "-o",
        output,
        "--quiet",
        "--ca-file",
        certificate,
    ]
}

#[test]
fn sealift_pulls_over_tls_with_a_password() {
    let served = locked();
    let image = format!("{}/team/app:v1", served.host);
    let login = ["--username", "anna", "--password-stdin", "--retries", "0"];
    let command = [&pull(&image, "certs/ca.crt")[..], &login].concat();
    let refused = served.work_dir.run_with_input(&command, b"wrong\n");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    assert!(!served.work_dir.path("again.tar").exists());
    let run = served.work_dir.run_with_input(&command, b"secret\n");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let inspection = served.work_dir.json(&["inspect", "--json", "again.tar"]);
    assert_eq!(
        inspection["images"][0]["digest"],
        served.image.digest().to_string()
    );
}

#[test]
fn a_request_in_plain_http_is_answered_by_a_server_with_tls() {
    let served = locked();
    let begun = Instant::now();
    let answer = plain(&served.host, &basic("anna:secret"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("HTTPS"), "{answer}");
    // And the log has it, without the password.
    let lines = log_lines(&served, 1);
    assert!(lines[0].contains(" - GET /v2/ 400 "), "{lines:?}");
}

#[test]
fn a_client_that_sends_nothing_does_not_keep_others_waiting() {
    let served = locked();
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(&served.host).unwrap())
        .collect();
    let answer = plain(&served.host, "");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // They are disconnected in the end.
    for mut stream in silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

#[test]
fn without_a_password_nothing_is_served() {
    let work_dir = WorkDir::new();
    work_dir.write("users", USERS);
    let served = served_with(
        work_dir,
        &["--htpasswd", "users", "--access-log", "access.log"],
        3,
    );
    for headers in [
        String::new(),
        basic("anna:wrong"),
        basic("carl:secret"),
        basic("anna"),
        "Authorization: Bearer secret\r\n".to_owned(),
        "Authorization: Basic !!!\r\n".to_owned(),
    ] {
        let answer = plain(&served.host, &headers);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{headers}{answer}");
        let challenge = "www-authenticate: Basic realm=\"sealift\"\r\n";
        assert!(
            answer.to_lowercase().contains(&challenge.to_lowercase()),
            "{answer}"
        );
        assert!(answer.contains("UNAUTHORIZED"), "{answer}");
    }
    for _ in 0..2 {
        let answer = plain(&served.host, &basic("anna:secret"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let lines = log_lines(&served, 8);
    assert_eq!(lines.len(), 8, "{lines:?}");
    for (at, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let [time, client, user, method, path, status, bytes, duration] = words[..] else {
            panic!("{line}")
        };
        assert!(time.ends_with('Z') && time.len() == 24, "{line}");
        assert!(client.starts_with("127.0.0.1:"), "{line}");
        let (expected, code) = if at < 6 {
            ("-", "401")
        } else {
            ("anna", "200")
        };
        assert_eq!((user, status), (expected, code), "{line}");
        assert_eq!((method, path), ("GET", "/v2/"));
        assert!(
            bytes.parse::<u64>().unwrap() > 0 && duration.ends_with('s'),
            "{line}"
        );
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn clients_that_leave_do_not_pile_up_password_checks() {
    let work_dir = WorkDir::new();
    // A hash that takes a quarter of a second to check.
    work_dir.write(
        "users",
        "anna:$2y$12$abcdefghijklmnopqrstuuT1Iwu6o8Wx7BoOyIMHfgVJq6JO/IJhW\n",
    );
    let served = served_with(work_dir, &["--htpasswd", "users"], 3);
    for number in 0..200 {
        let mut stream = TcpStream::connect(&served.host).unwrap();
        let login = basic(&format!("anna:{number}"));
        let head = format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{login}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let begun = Instant::now();
    let answer = plain(&served.host, &basic("anna:secret"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(15), "{waited:?}");
}

#[test]
fn an_access_log_counts_what_was_sent_and_goes_on_after_a_restart() {
    let work_dir = WorkDir::new();
    let options = ["--access-log", "access.log"];
    let served = served_with(work_dir, &options, 2);
    let layer = served
        .image
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len());
    let (digest, bytes) = layer.unwrap();
    let mut stream = TcpStream::connect(&served.host).unwrap();
    let path = format!("/v2/team/app/blobs/{digest}");
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let lines = log_lines(&served, 1);
    let expected = format!(" GET {path} 200 {} ", bytes.len());
    assert!(lines[0].contains(&expected), "{lines:?}");
    served.work_dir.write("access.log", "an earlier line\n");
    let _ = plain(&served.host, "");
    let lines = log_lines(&served, 2);
    assert_eq!(lines[0], "an earlier line");
    assert!(lines[1].contains(" GET /v2/ 200 "), "{lines:?}");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let served = served_with(WorkDir::new(), &[], 2);
    let answer = plain(&served.host, &format!("X: {}\r\n", "x".repeat(200_000)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn what_cannot_be_served_with_is_refused_before_listening() {
    let work_dir = WorkDir::new();
    bundle(&work_dir);
    work_dir.write("users", USERS);
    work_dir.write("plain", "anna:secret\n");
    let (expired, expired_key) = certificate(true);
    work_dir.write("expired.crt", expired);
    work_dir.write("expired.key", expired_key);
    let (own, _) = certificate(false);
    work_dir.write("tls.crt", own);
    work_dir.write("there.crt", "something else");
    let serve = |options: &[&str]| {
        let command = ["serve", "app.tar", "--listen", "127.0.0.1:0"];
        work_dir.run(&[&command, options].concat())
    };
    for (options, expected) in [
        (
            &["--tls-cert", "expired.crt", "--tls-key", "expired.key"][..],
            "error: the certificate in expired.crt expired at 2020-",
        ),
        (
            &["--tls-cert", "tls.crt", "--tls-key", "expired.key"],
            "error: the private key in expired.key does not belong to the certificate in tls.crt",
        ),
        (
            &["--tls-cert", "tls.crt", "--tls-key", "users"],
            "error: users contains no private key in PEM form",
        ),
        (
            &["--tls-cert", "users", "--tls-key", "expired.key"],
            "error: users contains no certificate in PEM form",
        ),
        (
            &["--tls-cert", "missing.crt", "--tls-key", "expired.key"],
            "error: cannot read missing.crt: ",
        ),
        (&["--tls-cert", "expired.crt"], "--tls-key <FILE>"),
        (&["--tls-key", "expired.key"], "--tls-cert <FILE>"),
        (&["--tls-name", "a.corp"], "--tls-self-signed"),
        (
            &["--tls-self-signed", "--tls-name", "a b"],
            "error: \"a b\" is not a host name or an IP address",
        ),
        (
            &["--htpasswd", "plain"],
            "error: plain, line 1: the password of anna is not a bcrypt hash",
        ),
        (&["--htpasswd", "missing"], "error: cannot read missing: "),
        (
            &["--access-log", "no/such/folder.log"],
            "error: cannot open the access log no/such/folder.log: ",
        ),
    ] {
        let run = serve(options);
        assert_eq!(run.code, Some(2), "{options:?} {}", run.stderr);
        assert!(run.stderr.contains(expected), "{options:?} {}", run.stderr);
        assert_eq!(run.stdout, "", "{options:?}");
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    let run = serve(&["--tls-self-signed", "--tls-cert-out", "there.crt"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert_eq!(work_dir.read("there.crt"), b"something else");
    let run = work_dir.run(&[
        "serve",
        "app.tar",
        "--listen",
        "0.0.0.0:0",
        "--tls-self-signed",
    ]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
}

#[test]
fn a_line_for_a_user_is_made_from_a_password_on_standard_input() {
    let work_dir = WorkDir::new();
    let run = work_dir.run_with_input(&["htpasswd", "bob"], b"pa ss\r\nmore");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.starts_with("bob:$2y$10$"), "{}", run.stdout);
    assert!(!run.said().contains("pa ss"), "{}", run.said());
    work_dir.write("users", format!("{USERS}{}", run.stdout));
    let served = served_with(work_dir, &["--htpasswd", "users"], 3);
    assert_eq!(served.printed[2], "a password is required (2 users)");
    for (login, status) in [
        ("bob:pa ss", "200"),
        ("bob:pa", "401"),
        ("anna:secret", "200"),
    ] {
        let answer = plain(&served.host, &basic(login));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let long = "x".repeat(73);
    for (user, password) in [("a:b", "secret"), ("anna", ""), ("anna", &long)] {
        let input = format!("{password}\n");
        let run = served
            .work_dir
            .run_with_input(&["htpasswd", user], input.as_bytes());
        assert_eq!(run.code, Some(2), "{}", run.said());
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_given_certificate_is_used() {
    let work_dir = WorkDir::new();
    let (own, key) = certificate(false);
    work_dir.write("tls.crt", own);
    work_dir.write("tls.key", key);
    let options = ["--tls-cert", "tls.crt", "--tls-key", "tls.key"];
    let served = served_with(work_dir, &options, 2);
    let image = format!("{}/team/app:v1", served.host);
    served.work_dir.ok(&pull(&image, "tls.crt"));
}
