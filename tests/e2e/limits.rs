//! What the system refuses is reported as that: the error names the file, nothing looks complete, and no
//! bundle is called corrupt because of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sealift_testkit::{Registry, real};

use crate::support::{Product, Run, WorkDir};

/// Runs the program where no file may become larger than `blocks` of 512 bytes.
fn run_limited(work_dir: &WorkDir, blocks: u32, arguments: &[&str]) -> Run {
    let program = env!("CARGO_BIN_EXE_sealift");
    let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, program])
        .args(arguments)
        .current_dir(work_dir.folder())
        .env("HOME", work_dir.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run::of(output)
}

/// A folder with a plain and a compact bundle of one image and a folder of two files.
fn bundles() -> (WorkDir, Registry) {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    Product::new(100_000).put_into(&source);
    fs::create_dir(work_dir.path("files")).unwrap();
    for name in ["files/a", "files/b"] {
        work_dir.write(name, sealift_testkit::filler(name, 20_000));
    }
    work_dir.write("a.yaml", "image: quay.io/a/b:1\n");
    let image = source.reference("product/node", "v1");
    work_dir.ok(&[
        "bundle", &image, "--carry", "files", "-o", "p.tar", "--quiet",
    ]);
    work_dir.ok(&["compact", "p.tar", "-o", "c.tar", "--quiet"]);
    (work_dir, source)
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_of_the_file() {
    let (work_dir, source) = bundles();
    let image = source.reference("product/node", "v1");
    let (destination, other) = (Registry::start(), Registry::start());
    let before = work_dir.names();
    for (blocks, arguments) in [
        (8, ["bundle", &image, "-o", "x.tar"].as_slice()),
        (
            8,
            &["bundle", &image, "-o", "x.tar", "--profile", "compact"],
        ),
        (8, &["compact", "p.tar", "-o", "x.tar"]),
        (8, &["export", "c.tar", "-o", "x.tar"]),
        (8, &["export", "p.tar", "-o", "x.tar"]),
        (8, &["extract", "p.tar", "--to", "out"]),
        (
            0,
            &["rewrite", "a.yaml", "--to", "r.corp", "--out-dir", "out"],
        ),
        (0, &["rewrite", "a.yaml", "--to", "r.corp"]),
        (
            0,
            &[
                "mirror",
                "containerd",
                "p.tar",
                "r.corp",
                "--naming",
                "host",
                "--out-dir",
                "out",
            ],
        ),
        (
            0,
            &[
                "load",
                "p.tar",
                &destination.host(),
                "--receipt",
                "receipt.json",
            ],
        ),
        (8, &["load", "c.tar", &other.host()]),
        (8, &["verify", "--deep", "c.tar"]),
    ] {
        let run = run_limited(&work_dir, blocks, arguments);
        assert_is_refused(&work_dir, &run, arguments);
        assert_no_file_below(&work_dir.path("out"));
    }
    // A receipt that cannot be written is found out before anything is sent.
    assert!(destination.traffic().writes().is_empty());
    assert_eq!(work_dir.read("a.yaml"), b"image: quay.io/a/b:1\n");
    // What is left is what the next run resumes, and only that.
    for profile in ["plain", "compact"] {
        work_dir.ok(&[
            "bundle",
            &image,
            "-o",
            "x.tar",
            "--profile",
            profile,
            "--quiet",
        ]);
        work_dir.ok(&["verify", "x.tar", "--quiet"]);
        fs::remove_file(work_dir.path("x.tar")).unwrap();
    }
    let left = work_dir
        .names()
        .into_iter()
        .filter(|name| !before.contains(name));
    assert_eq!(left.collect::<Vec<_>>(), ["out"]);
}

/// The run failed because of the limit, says so, and left nothing that looks complete.
fn assert_is_refused(work_dir: &WorkDir, run: &Run, arguments: &[&str]) {
    assert_eq!(run.code, Some(1), "{arguments:?}\n{}", run.said());
    assert!(
        run.stderr.contains("File too large"),
        "{arguments:?}\n{}",
        run.said()
    );
    assert!(
        !run.said().contains("corrupt"),
        "{arguments:?}\n{}",
        run.said()
    );
    for name in ["x.tar", "receipt.json", "out/files", "out/a.yaml"] {
        assert!(!work_dir.path(name).exists(), "{arguments:?} left {name}");
    }
}

/// Folders may have been created before it was known that nothing can be written to them.
fn assert_no_file_below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        assert!(path.is_dir(), "{} was left", path.display());
        assert_no_file_below(&path);
    }
}

#[test]
fn many_small_files_are_extracted_with_few_waits_for_the_disk() {
    let Some(strace) = real::require("strace") else {
        return;
    };
    let work_dir = WorkDir::new();
    fs::create_dir(work_dir.path("many")).unwrap();
    for number in 0..500 {
        work_dir.write(&format!("many/{number}"), number.to_string());
    }
    work_dir.ok(&["bundle", "--carry", "many", "-o", "b.tar", "--quiet"]);
    let traced = Command::new(strace)
        .args([
            "-f",
            "-o",
            "trace.txt",
            "-e",
            "trace=fsync,fdatasync,syncfs,sync",
        ])
        .args([
            env!("CARGO_BIN_EXE_sealift"),
            "extract",
            "b.tar",
            "--to",
            "out",
        ])
        .current_dir(work_dir.folder())
        .output()
        .unwrap();
    assert!(
        traced.status.success(),
        "{}",
        String::from_utf8_lossy(&traced.stderr)
    );
    assert_eq!(
        fs::read_dir(work_dir.path("out/many")).unwrap().count(),
        500
    );
    let trace = String::from_utf8(work_dir.read("trace.txt")).unwrap();
    let waits = trace.lines().filter(|line| line.contains("sync")).count();
    assert!((1..=4).contains(&waits), "{trace}");
}
