//! What commands print, as files in `outputs/` that a reviewer can read. `INSTA_UPDATE=always cargo test -p sealift
//! --test e2e outputs` writes them anew.
//!
//! Hosts and digests are replaced, and progress is omitted: they differ from run to run.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::Stdio;

use insta::Settings;
use sealift_testkit::{ImageMaker, Registry};

use crate::delta;
use crate::support::{Product, Run, WorkDir};

/// A session on one machine: each command with what it printed.
struct Session {
    work_dir: WorkDir,
    source: Registry,
    destination: Registry,
    text: String,
}

impl Session {
    fn new() -> Self {
        let session = Self {
            work_dir: WorkDir::new(),
            source: Registry::start(),
            destination: Registry::start(),
            text: String::new(),
        };
        let product = Product::new(4_000);
        product.put_into(&session.source);
        session
            .work_dir
            .write("images.txt", product.list(&session.source));
        session
    }

    /// Runs a line and adds it to the text.
    fn run(&mut self, line: &str) {
        let given = line
            .replace("registry.corp:5000", &self.destination.host())
            .replace("registry.example.com", &self.source.host());
        let words: Vec<&str> = given.split_whitespace().collect();
        let Run {
            code,
            stdout,
            stderr,
        } = self.work_dir.run(&words);
        writeln!(self.text, "$ sealift {line}").unwrap();
        self.text.push_str(&self.stable(&stdout));
        for line in without_progress(&self.stable(&stderr)) {
            writeln!(self.text, "[stderr] {line}").unwrap();
        }
        if code != Some(0) {
            let code = code.map_or("a signal".to_owned(), |code| code.to_string());
            writeln!(self.text, "[exit code {code}]").unwrap();
        }
        self.text.push('\n');
    }

    /// Runs a `serve` until it has printed its first lines, and adds those to the text.
    fn serve(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut server = self
            .work_dir
            .command(&[&words[..], &["--listen", "127.0.0.1:0", "--quiet"]].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = server.stdout.take().unwrap();
        // All of them are written in one piece.
        let mut piece = vec![0; 4096];
        let read = output.read(&mut piece).unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        let text = String::from_utf8(piece[..read].to_vec()).unwrap();
        let address = text.split([' ', ';']).nth(4).unwrap();
        let text = text.replace(address, "10.0.0.5:5000");
        writeln!(self.text, "$ sealift {line} --listen 10.0.0.5:5000").unwrap();
        self.text
            .push_str(&without_certificate(&self.stable(&text)));
        self.text.push('\n');
    }

    /// `text` without what differs from run to run.
    fn stable(&self, text: &str) -> String {
        let text = text
            .replace(&self.destination.host(), "registry.corp:5000")
            .replace(&self.source.host(), "registry.example.com")
            .replace(
                &self.source.host().replace(':', "-"),
                "registry.example.com",
            )
            .replace(&self.work_dir.folder().display().to_string(), "/work");
        without_digests(&text)
    }

    /// Compares the text with the file of that name.
    fn check(self, name: &str) {
        let mut settings = Settings::clone_current();
        settings.set_snapshot_path("outputs");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}

/// The warnings and the error of a standard error, without the progress before them, which depends on time.
fn without_progress(text: &str) -> impl Iterator<Item = &str> {
    let mut failed = false;
    text.lines().filter(move |line| {
        failed |= line.starts_with("error: ");
        failed || line.starts_with("warning: ")
    })
}

/// Replaces what differs between two certificates.
fn without_certificate(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut last = "";
        let words = line.split(' ').map(|word| {
            let shown = match last {
                "until" => "TIME,",
                "fingerprint" => "FINGERPRINT",
                _ => word,
            };
            last = word;
            shown
        });
        writeln!(out, "{}", words.collect::<Vec<_>>().join(" ")).unwrap();
    }
    out
}

/// Replaces every digest.
fn without_digests(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(rest.len());
        let run = &rest[..end];
        out.push_str(if end == 64 { "DIGEST" } else { run });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[test]
fn a_transfer() {
    let mut session = Session::new();
    session.run("bundle -f images.txt --dry-run");
    session.run("bundle -f images.txt -o product.tar");
    session.run("bundle -f images.txt -o product.tar --quiet");
    session.run("verify product.tar");
    session.run("inspect product.tar");
    session.run("load product.tar registry.corp:5000/mirror --dry-run");
    session.run("load product.tar registry.corp:5000/mirror");
    session.run("load product.tar registry.corp:5000/mirror");
    session.check("transfer");
}

#[test]
fn deltas() {
    let mut session = Session::new();
    for release in 1..=2 {
        let tag = format!("v{release}");
        let list = delta::NAMES.map(|name| {
            delta::image(name, release).put_into(&session.source, name, Some(&tag));
            session.source.reference(name, &tag)
        });
        let list = list.join("\n");
        session.work_dir.write(&format!("{release}.txt"), list);
    }
    session.run("bundle -f 1.txt -o 1.tar --quiet");
    session.run("bundle -f 2.txt --base 1.tar --dry-run");
    session.run("bundle -f 2.txt --base 1.tar -o 2-delta.tar");
    session.run("inspect 2-delta.tar");
    session.run("verify 2-delta.tar");
    session.run("export 2-delta.tar -o 2.tar");
    session.run("load 2-delta.tar registry.corp:5000");
    session.run("load 1.tar registry.corp:5000 --receipt 1.json");
    session.run("load 2-delta.tar registry.corp:5000 --dry-run");
    session.run("load 2-delta.tar registry.corp:5000 --prune-plan");
    session.run("load 2-delta.tar registry.corp:5000 --prune 1.json");
    session.run("load 2-delta.tar registry.corp:5000 --prune-plan --prune 1.json");
    session.run("load 1.tar registry.corp:5000 --prune 1.json");
    session.run("record 1.tar -o 1.record");
    session.run("bundle -f 2.txt --base 1.record --dry-run");
    session.check("deltas");
}

#[test]
fn converting() {
    let mut session = Session::new();
    session.run("bundle -f images.txt -o product.tar --quiet");
    session.run("compact product.tar -o compact.tar");
    session.run("verify compact.tar");
    session.run("export compact.tar -o plain.tar");
    session.check("converting");
}

#[test]
fn files() {
    let mut session = Session::new();
    session.work_dir.write("notes.txt", "to be read first\n");
    session.work_dir.write(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'quay.io/a/b:1'}]}\n",
    );
    session.run("bundle -f images.txt --carry notes.txt -o product.tar --quiet");
    session.run("extract product.tar --to out --dry-run");
    session.run("extract product.tar --to out");
    session.run("extract product.tar --to out");
    session.work_dir.write("out/notes.txt", "other notes");
    session.run("extract product.tar --to out");
    session.run("images -f pod.yaml");
    session.run("rewrite pod.yaml --to registry.corp:5000/mirror --dry-run");
    session.run("rewrite pod.yaml --to registry.corp:5000/mirror");
    session.check("files");
}

#[test]
fn conflicts() {
    let mut session = Session::new();
    session.run("bundle -f images.txt -o product.tar --quiet");
    let other = ImageMaker::new("other").make();
    other.put_into(&session.destination, "mirror/product/node", Some("v1"));
    session.run("load product.tar registry.corp:5000/mirror --dry-run");
    session.run("load product.tar registry.corp:5000/mirror");
    session.run("load product.tar registry.corp:5000/mirror --overwrite");
    session.run("check product.tar registry.corp:5000/mirror");
    other.put_into(&session.destination, "mirror/product/node", Some("v1"));
    session.run("check product.tar registry.corp:5000/mirror");
    session.check("conflicts");
}

#[test]
fn incomplete() {
    let mut session = Session::new();
    let missing = session.source.reference("product/none", "v1");
    let list = session.work_dir.read("images.txt");
    let list = format!("{}\n{missing}\n", String::from_utf8(list).unwrap());
    session.work_dir.write("images.txt", list);
    session.run("bundle -f images.txt --keep-going --dry-run");
    session.run("bundle -f images.txt --keep-going -o product.tar");
    session.check("incomplete");
}

#[test]
fn looking() {
    let mut session = Session::new();
    session.work_dir.write("notes.txt", "to be read first\n");
    session.run("bundle -f images.txt -o old.tar --quiet");
    let newer = ImageMaker::new("node-2").make();
    newer.put_into(&session.source, "product/node", Some("v1"));
    session.run("bundle -f images.txt --carry notes.txt -o new.tar --quiet");
    session.run("inspect --config new.tar");
    session.run("diff old.tar new.tar");
    session.run("report new.tar -o report.html");
    session.run("record new.tar -o new.record");
    session.check("looking");
}

#[test]
fn products() {
    let mut session = Session::new();
    session.run("product list");
    session.run("product list cert-manager@v1.21.1");
    session.check("products");
}

#[test]
fn serving() {
    let mut session = Session::new();
    let hash = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
    session.work_dir.write("users", format!("anna:{hash}\n"));
    session.run("bundle -f images.txt -o product.tar --quiet");
    session.serve("serve product.tar");
    session.serve("serve product.tar --tls-self-signed --tls-cert-out ca.crt --htpasswd users");
    for runtime in ["containerd", "registries-conf", "k3s", "openshift"] {
        session.run(&format!(
            "mirror {runtime} product.tar registry.corp:5000/mirror --naming host"
        ));
    }
    session.check("serving");
}

#[test]
fn errors() {
    let mut session = Session::new();
    session.run("bundel -f images.txt");
    session.run("bundle -f images.txt --outputt product.tar");
    session.run("bundle -f images.txt");
    session.run("bundle -f missing.txt -o product.tar");
    session.run("bundle registry.example.com/product/none:v1 -o product.tar");
    session.run("bundle -f images.txt --platform linux/amd46 -o product.tar");
    session.run("images --product calicoo@v3.32.1");
    session.run("images --product calico@v3.32.1 --with window");
    session.run("images --product calico@v9.9.9");
    session.run("verify missing.tar");
    session.run("verify images.txt");
    session.check("errors");
}
