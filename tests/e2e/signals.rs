//! The first signal ends every command within two seconds, whatever it waits for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealift_testkit::{Fault, Registry, Route, When};

use crate::support::{Product, WorkDir, work_dir_with_bundle};

/// Two seconds are promised; one more is for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(3);
/// How long a command may take to get to where it waits.
const START: Duration = Duration::from_secs(60);

fn fifo(work_dir: &WorkDir, name: &str) {
    let made = Command::new("mkfifo").arg(work_dir.path(name)).status();
    assert!(made.unwrap().success());
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([name, &pid]).status();
    assert!(sent.unwrap().success());
}

/// A command whose input never ends and whose output nobody reads.
fn start(work_dir: &WorkDir, arguments: &[&str]) -> Child {
    work_dir
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until `child` handles SIGTERM and `is_waiting`, or has ended.
fn wait_until(child: &mut Child, is_waiting: &dyn Fn() -> bool) {
    let start = Instant::now();
    loop {
        assert!(
            start.elapsed() < START,
            "the command does not get to where it waits"
        );
        if child.try_wait().unwrap().is_some() {
            return;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        if caught.is_some_and(|set| set >> 14 & 1 == 1) && is_waiting() {
            // It may still be on its way into the call that waits.
            thread::sleep(Duration::from_millis(200));
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The exit code of a command that is sent `name`; it must end in time.
fn ended_by(mut child: Child, name: &str, arguments: &[&str]) -> i32 {
    if child.try_wait().unwrap().is_none() {
        signal(&child, name);
    }
    let sent = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status
                .code()
                .unwrap_or_else(|| panic!("{arguments:?}: {status}"));
        }
        if sent.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{arguments:?} goes on after {name}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs all of `commands` at once; each ends in time, with 130 unless it has refused its arguments.
fn all_end(work_dir: &WorkDir, commands: &[&[&str]]) {
    thread::scope(|scope| {
        for (at, arguments) in commands.iter().enumerate() {
            scope.spawn(move || {
                let mut child = start(work_dir, arguments);
                wait_until(&mut child, &|| true);
                let name = if at % 2 == 0 { "-TERM" } else { "-INT" };
                let code = ended_by(child, name, arguments);
                assert!(matches!(code, 1 | 2 | 5 | 130), "{arguments:?}: {code}");
            });
        }
    });
}

#[test]
fn a_command_that_waits_for_a_pipe_ends() {
    let (work_dir, _) = work_dir_with_bundle();
    fifo(&work_dir, "fifo");
    work_dir.write("a.yaml", "image: quay.io/a/b:1\n");
    let image = "127.0.0.1:1/a:1";
    let login = ["--username", "me", "--password-stdin"];
    all_end(
        &work_dir,
        &[
            &["images", "-f", "fifo"],
            &["images", "-f", "-"],
            &[
                "images",
                "--product",
                "calico@3.32",
                "--product-data",
                "fifo",
            ],
            &["bundle", "-f", "fifo", "-o", "x.tar"],
            &["bundle", image, "-o", "fifo"],
            &["bundle", image, "-o", "x.tar", "--authfile", "fifo"],
            &["bundle", image, "-o", "x.tar", "--ca-file", "fifo"],
            &["bundle", image, "-o", "x.tar", login[0], login[1], login[2]],
            &["bundle", "--carry", "fifo", "-o", "x.tar"],
            &["bundle", "--from", "fifo", "-o", "x.tar"],
            &["verify", "fifo"],
            &["inspect", "fifo"],
            &["compact", "fifo", "-o", "x.tar"],
            &["compact", "product.tar", "-o", "fifo"],
            &["export", "fifo", "-o", "x.tar"],
            &["export", "product.tar", "-o", "fifo"],
            &["load", "fifo", "127.0.0.1:1"],
            &["load", "product.tar", "127.0.0.1:1", "--receipt", "fifo"],
            &["load", "product.tar", "127.0.0.1:1", "--authfile", "fifo"],
            &[
                "load",
                "product.tar",
                "127.0.0.1:1",
                login[0],
                login[1],
                login[2],
            ],
            &["extract", "fifo", "--to", "out"],
            &["serve", "fifo"],
            &["rewrite", "fifo", "--to", "r.corp"],
            &["rewrite", "-", "--to", "r.corp"],
            &["rewrite", "a.yaml", "--receipt", "fifo"],
            &["rewrite", "a.yaml", "--to", "r.corp", "--pin", "fifo"],
            &["mirror", "k3s", "fifo", "r.corp"],
            &["product", "calico", "fifo", "r.corp", "--out-dir", "out"],
            &["product", "list", "--product-data", "fifo"],
        ],
    );
    assert_eq!(
        work_dir.names(),
        ["a.yaml", "fifo", "images.txt", "product.tar"]
    );
}

#[test]
fn a_command_whose_output_nobody_reads_ends() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(400_000), Registry::start());
    product.put_into(&source);
    let image = source.reference("product/node", "v1");
    work_dir.ok(&["bundle", &image, "-o", "b.tar", "--quiet"]);
    let documents: Vec<String> = (0..20_000)
        .map(|number| format!("image: quay.io/a/b{number}:1\n"))
        .collect();
    work_dir.write("b.yaml", documents.join("---\n"));
    all_end(
        &work_dir,
        &[
            &["bundle", &image, "-o", "-"],
            &["export", "b.tar", "-o", "-"],
            &["rewrite", "b.yaml", "--to", "r.corp", "--dry-run"],
        ],
    );
}

#[test]
fn a_command_that_waits_for_a_registry_ends() {
    let (work_dir, product) = work_dir_with_bundle();
    let fault = |method: &str, route, fault: Fault| (When::new(method, route).always(), fault);
    let on_source = [
        fault("GET", Route::Manifest, Fault::Stall),
        fault("HEAD", Route::Manifest, Fault::Stall),
        fault("GET", Route::Blob, Fault::Stall),
        fault(
            "GET",
            Route::Blob,
            Fault::Trickle(1, Duration::from_millis(400)),
        ),
        fault("GET", Route::Referrers, Fault::Stall),
        (When::any().always(), Fault::too_many("100")),
    ];
    let on_destination = [
        fault("HEAD", Route::Manifest, Fault::Stall),
        fault("POST", Route::Uploads, Fault::Stall),
        fault("PUT", Route::Session, Fault::NeverRead),
        fault("PUT", Route::Session, Fault::Stall),
        fault("PUT", Route::Manifest, Fault::Stall),
        fault("GET", Route::Manifest, Fault::Stall),
        (When::any().always(), Fault::too_many("100")),
    ];
    thread::scope(|scope| {
        for (at, (when, fault)) in on_source.into_iter().enumerate() {
            let (work_dir, product) = (&work_dir, &product);
            scope.spawn(move || {
                let source = Registry::start();
                product.put_into(&source);
                source.script(when, fault);
                let image = source.reference("product/node", "v1");
                let output = format!("{at}.tar");
                ends_while_waiting(work_dir, &source, &["bundle", &image, "-o", &output]);
                assert!(!work_dir.path(&output).exists());
            });
        }
        for (when, fault) in on_destination {
            let work_dir = &work_dir;
            scope.spawn(move || {
                let destination = Registry::start();
                destination.script(when, fault);
                ends_while_waiting(
                    work_dir,
                    &destination,
                    &["load", "product.tar", &destination.host()],
                );
            });
        }
        scope.spawn(|| {
            let destination = Registry::start();
            destination.script(When::any().always(), Fault::Stall);
            let check = ["check", "product.tar", &destination.host()];
            ends_while_waiting(&work_dir, &destination, &check);
        });
    });
}

/// What a command that is interrupted prints.
fn printed_when_interrupted(mut child: Child, arguments: &[&str]) -> String {
    let mut stderr = child.stderr.take().unwrap();
    assert_eq!(ended_by(child, "-TERM", arguments), 130, "{arguments:?}");
    let mut printed = String::new();
    stderr.read_to_string(&mut printed).unwrap();
    printed
}

#[test]
fn an_interrupted_command_says_what_it_kept() {
    let (work_dir, _) = work_dir_with_bundle();
    fifo(&work_dir, "fifo");
    let starts_again = "run the same command again: it starts from the beginning";
    let resumes = "run the same command again: it resumes";
    let load = ["load", "product.tar", "127.0.0.1:1", "--authfile", "fifo"];
    let commands: &[(&[&str], &str)] = &[
        (&["bundle", "-f", "fifo", "-o", "x.tar"], resumes),
        (&["bundle", "-f", "fifo", "-o", "-"], starts_again),
        (&["bundle", "-f", "fifo", "--dry-run"], starts_again),
        (&load, resumes),
        (&[&load[..], &["--dry-run"]].concat(), starts_again),
        (&["images", "-f", "fifo"], starts_again),
    ];
    thread::scope(|scope| {
        for (arguments, hint) in commands {
            let work_dir = &work_dir;
            scope.spawn(move || {
                let mut child = start(work_dir, arguments);
                wait_until(&mut child, &|| true);
                let printed = printed_when_interrupted(child, arguments);
                let expected = format!("error: interrupted\nhint: {hint}\n");
                assert!(printed.ends_with(&expected), "{arguments:?}\n{printed}");
            });
        }
    });
}

#[test]
fn an_interrupted_dry_run_that_stops_by_itself_says_that_it_kept_nothing() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(100_000), Registry::start());
    product.put_into(&source);
    source.script(When::new("GET", Route::Manifest).always(), Fault::Stall);
    let image = source.reference("product/node", "v1");
    let arguments = ["bundle", &image, "--dry-run"];
    let mut child = start(&work_dir, &arguments);
    wait_until(&mut child, &|| source.connections() > 0);
    let printed = printed_when_interrupted(child, &arguments);
    assert!(
        printed.contains("it starts from the beginning"),
        "{printed}"
    );
}

/// The command is sent a signal once `registry` has been asked for something and nothing moves any more.
fn ends_while_waiting(work_dir: &WorkDir, registry: &Registry, arguments: &[&str]) {
    let mut child = start(work_dir, arguments);
    let requests = || (registry.connections(), registry.traffic().0.len());
    let is_waiting = || {
        let before = requests();
        thread::sleep(Duration::from_millis(300));
        before.0 > 0 && requests() == before
    };
    wait_until(&mut child, &is_waiting);
    assert!(
        child.try_wait().unwrap().is_none(),
        "{arguments:?} does not wait"
    );
    let printed = printed_when_interrupted(child, arguments);
    assert!(
        printed.contains("error: interrupted"),
        "{arguments:?}\n{printed}"
    );
}

#[test]
fn a_served_bundle_ends_while_a_client_does_not_read() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let product = Product::new(8_000_000);
    product.put_into(&source);
    work_dir.ok(&[
        "bundle",
        &source.reference("product/node", "v1"),
        "-o",
        "b.tar",
        "--quiet",
    ]);
    let mut server = start(&work_dir, &["serve", "b.tar", "--listen", "127.0.0.1:0"]);
    let mut said = Vec::new();
    while !said.ends_with(b"\n") {
        let mut byte = [0];
        server
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut byte)
            .unwrap();
        said.push(byte[0]);
    }
    let said = String::from_utf8(said).unwrap();
    let address = said
        .split("on ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap();
    let (digest, _) = product.names[0]
        .1
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    write!(
        client,
        "GET /v2/product/node/blobs/{digest} HTTP/1.1\r\nhost: a\r\n\r\n"
    )
    .unwrap();
    let mut first = [0; 12];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert_eq!(ended_by(server, "-INT", &["serve"]), 0);
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let work_dir = WorkDir::new();
    fifo(&work_dir, "fifo");
    let program = env!("CARGO_BIN_EXE_sealift");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" images -f fifo", program])
        .current_dir(work_dir.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(&mut child, &|| true);
    signal(&child, "-HUP");
    thread::sleep(Duration::from_millis(100));
    fs::write(work_dir.path("fifo"), "quay.io/a/b:1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"quay.io/a/b:1\n", "{}", output.status);
}

#[test]
fn an_interruption_is_no_failure_of_the_blobs_under_way() {
    let (work_dir, _) = work_dir_with_bundle();
    let destination = Registry::start();
    let slow = When::new("PUT", Route::Session).always();
    destination.script(slow, Fault::Delay(Duration::from_secs(20)));
    let arguments = ["load", "product.tar", &destination.host()];
    let mut child = start(&work_dir, &arguments);
    wait_until(&mut child, &|| {
        destination.traffic().count("PUT", Route::Session) > 1
    });
    let mut stderr = child.stderr.take().unwrap();
    assert_eq!(ended_by(child, "-INT", &arguments), 130);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains("interrupted"), "{said}");
    assert!(!said.contains("failed"), "{said}");
}
