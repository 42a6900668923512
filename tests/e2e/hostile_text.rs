//! Names and messages from bundles, registries and files are shown as text: they forge no line and do nothing
//! to a terminal, whichever command prints them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use sealift_testkit::{Artifact, Fault, ImageMaker, Layer, Registry, Response, Route, When};

use crate::support::{Run, WorkDir};

/// A forged line, a cleared screen, and marks that reverse what follows, in one- and two-byte controls.
const HOSTILE: &str = "x\nwarning: forged\r\nforged\u{1b}[2J\u{202e}y\u{9b}2J\u{2066}\u{200f}z";

/// A registry with `app:v1`: its second platform and the type of its artifact are hostile.
fn registry() -> Registry {
    let registry = Registry::start();
    let image = ImageMaker::new("app")
        .platforms(&["linux/amd64", &format!("linux/arm64/v8:{HOSTILE}")])
        .layer(Layer::gzip("app", 1000))
        .make();
    let artifact = Artifact::new(&format!("application/{HOSTILE}"))
        .subject(&image.root)
        .file("text/plain", "a", "a")
        .make();
    image.put_into(&registry, "app", Some("v1"));
    artifact.put_into(&registry, "app", None);
    registry
}

/// Nothing that `run` printed has a character that a terminal acts on, or a forged line.
fn assert_is_text(run: &Run, what: &str) {
    for (line, text) in [&run.stdout, &run.stderr]
        .into_iter()
        .flat_map(|it| it.lines().enumerate())
    {
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() || "\u{202e}\u{2066}\u{200f}".contains(c)),
            "{what}, line {line}: {text:?}"
        );
        assert!(
            !text.starts_with("warning: forged") && !text.starts_with("forged"),
            "{what}: {text}"
        );
    }
}

/// Runs a command with `--json`, which prints the hostile text as a value, but not its characters.
fn json(work_dir: &WorkDir, arguments: &[&str]) {
    let run = run(work_dir, 0, arguments);
    let shown = r"x\nwarning: forged\r\nforged\u001b[2J\u202ey\u009b2J\u2066\u200fz";
    assert!(run.stdout.contains(shown), "{arguments:?}\n{}", run.said());
}

/// Runs a command, which prints text only and ends with `code`.
fn run(work_dir: &WorkDir, code: i32, arguments: &[&str]) -> Run {
    let run = work_dir.run(arguments);
    assert_eq!(run.code, Some(code), "{arguments:?}\n{}", run.said());
    assert_is_text(&run, &format!("{arguments:?}"));
    run
}

/// The same, and the hostile text is among what it prints, written out.
fn shows(work_dir: &WorkDir, code: i32, arguments: &[&str]) {
    let run = run(work_dir, code, arguments);
    assert!(
        run.said()
            .contains(r"x\nwarning: forged\r\nforged\u{1b}[2J\u{202e}y\u{9b}2J"),
        "{arguments:?}\n{}",
        run.said()
    );
}

#[test]
fn names_in_a_bundle_are_shown_as_text_by_every_command() {
    let (work_dir, source, destination) = (WorkDir::new(), registry(), Registry::start());
    let (image, to) = (source.reference("app", "v1"), destination.host());
    work_dir.write("a.yaml", format!("image: {image}\n"));
    shows(
        &work_dir,
        0,
        &["bundle", &image, "-o", "b.tar", "--dry-run"],
    );
    run(
        &work_dir,
        0,
        &["bundle", &image, "--carry", "a.yaml", "-o", "b.tar"],
    );
    shows(&work_dir, 0, &["inspect", "b.tar"]);
    json(&work_dir, &["inspect", "--json", "b.tar"]);
    json(&work_dir, &["report", "--json", "b.tar"]);
    run(&work_dir, 0, &["verify", "b.tar"]);
    run(&work_dir, 0, &["compact", "b.tar", "-o", "c.tar"]);
    run(&work_dir, 0, &["export", "c.tar", "-o", "p.tar"]);
    run(&work_dir, 0, &["load", "b.tar", &to, "--dry-run"]);
    run(&work_dir, 0, &["load", "b.tar", &to]);
    run(&work_dir, 0, &["check", "b.tar", &to]);
    run(&work_dir, 0, &["diff", "b.tar", "c.tar"]);
    run(&work_dir, 0, &["report", "b.tar", "-o", "report.html"]);
    run(&work_dir, 0, &["inspect", "--config", "b.tar"]);
    run(&work_dir, 0, &["record", "b.tar", "-o", "b.record"]);
    run(&work_dir, 0, &["extract", "b.tar", "--to", "out"]);
    run(
        &work_dir,
        0,
        &["mirror", "containerd", "b.tar", &to, "--naming", "host"],
    );
    run(
        &work_dir,
        0,
        &[
            "rewrite",
            "a.yaml",
            "--to",
            &to,
            "--pin",
            "b.tar",
            "--dry-run",
        ],
    );
    shows(
        &work_dir,
        1,
        &["bundle", &image, "--platform", "linux/s390x", "-o", "n.tar"],
    );
}

#[test]
fn what_a_registry_says_is_shown_as_text() {
    let (work_dir, source, destination) = (WorkDir::new(), registry(), Registry::start());
    let image = source.reference("app", "v1");
    run(&work_dir, 0, &["bundle", &image, "-o", "b.tar"]);
    let host = destination.host();
    let refusals = [
        Fault::error(403, "DENIED", HOSTILE),
        Fault::error(400, HOSTILE, HOSTILE),
        Fault::Answer(Response::new(418).body("text/plain", HOSTILE)),
    ];
    for refusal in refusals {
        for (registry, arguments) in [
            (&source, ["bundle", &image, "-o", "n.tar", "--retries=0"]),
            (
                &destination,
                ["load", "b.tar", &host, "--deep", "--retries=0"],
            ),
            (
                &destination,
                ["check", "b.tar", &host, "--quiet", "--retries=0"],
            ),
        ] {
            registry.clear_script();
            registry.script(When::any().always(), refusal.clone());
            run(&work_dir, 1, &arguments);
            registry.clear_script();
        }
    }
    // A retry is printed while the work goes on.
    destination.script(
        When::new("PUT", Route::Manifest),
        Fault::error(503, "UNAVAILABLE", HOSTILE),
    );
    shows(&work_dir, 0, &["load", "b.tar", &destination.host()]);
}

#[test]
fn names_in_archives_and_files_are_shown_as_text() {
    let work_dir = WorkDir::new();
    let mut tar = [0; 1024];
    let name = HOSTILE.as_bytes();
    tar[..name.len()].copy_from_slice(name);
    tar[257..262].copy_from_slice(b"ustar");
    work_dir.write("bad.tar", tar);
    for arguments in [
        ["verify", "bad.tar"].as_slice(),
        &["inspect", "bad.tar"],
        &["load", "bad.tar", "127.0.0.1:1"],
        &["extract", "bad.tar", "--to", "out"],
        &["serve", "bad.tar"],
        &["compact", "bad.tar", "-o", "n.tar"],
        &["export", "bad.tar", "-o", "n.tar"],
        &["mirror", "k3s", "bad.tar", "r.corp"],
        &["product", "calico", "bad.tar", "r.corp", "--out-dir", "n"],
    ] {
        run(&work_dir, 4, arguments);
    }
    work_dir.write(
        "list.yaml",
        format!("image: \"{}\"\n", HOSTILE.escape_default()),
    );
    work_dir.run(&["images", "-f", "list.yaml"]);
    fs::create_dir(work_dir.path("layout")).unwrap();
    work_dir.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "annotations": {"org.opencontainers.image.ref.name": HOSTILE},
    }]});
    work_dir.write("layout/index.json", index.to_string());
    let from = work_dir.run(&["bundle", "--from", "layout", "-o", "n.tar"]);
    assert_ne!(from.code, Some(0));
    assert_is_text(&from, "a layout");
}

#[test]
fn a_difference_keeps_its_lines_and_nothing_else_that_acts() {
    let work_dir = WorkDir::new();
    work_dir.write("a.yaml", "# \u{202e}\u{1b}[2J\nimage: quay.io/a/b:1\n");
    let shown = run(
        &work_dir,
        0,
        &["rewrite", "a.yaml", "--to", "r.corp", "--dry-run"],
    );
    assert!(
        shown
            .stdout
            .contains("\n # \\u{202e}\\u{1b}[2J\n-image: quay.io/a/b:1\n"),
        "{}",
        shown.stdout
    );
    // Names of files are one line, also in the heading of a difference.
    let name = format!("{}.yaml", HOSTILE.replace('/', ""));
    work_dir.write(&name, "image: quay.io/a/b:1\n");
    shows(
        &work_dir,
        0,
        &["rewrite", &name, "--to", "r.corp", "--dry-run"],
    );
    shows(
        &work_dir,
        0,
        &["rewrite", &name, "--to", "r.corp", "--out-dir", "out"],
    );
    shows(&work_dir, 2, &["images", "-f", &format!("absent {name}")]);
}

#[test]
fn what_clients_send_to_a_served_bundle_is_printed_as_text() {
    let (work_dir, source) = (WorkDir::new(), registry());
    run(
        &work_dir,
        0,
        &["bundle", &source.reference("app", "v1"), "-o", "b.tar"],
    );
    let mut server = work_dir
        .command(&["serve", "b.tar", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    stdout.read_line(&mut said).unwrap();
    let address = said
        .split("on ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap();
    for path in [
        "/v2/%1b%5b2J%0aforged/tags/list",
        "/v2/app/manifests/\u{202e}",
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
    server.kill().unwrap();
    let output = server.wait_with_output().unwrap();
    let run = Run {
        code: None,
        stdout: said,
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_is_text(&run, "serve");
}
