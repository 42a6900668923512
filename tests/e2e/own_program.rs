//! The program in its own bundle, and the checksums of files: what helps where nothing but the system's usual
//! tools is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealift_testkit::Registry;
use sealift_testkit::real::{require, run_ok};

use crate::support::{Product, WorkDir, identity};

/// A working folder with a list of images and the registry that has them.
fn listed() -> (WorkDir, Registry) {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let product = Product::new(4_000);
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    (work_dir, source)
}

/// The command in `text` that gets the program out of a bundle.
fn tar_command(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("tar "));
    line.unwrap_or_else(|| panic!("no command in {text}"))
        .trim()
        .to_owned()
}

/// Runs a line in a folder without sealift in its path.
fn shell(folder: &Path, line: &str) -> String {
    let output = Command::new("/bin/sh")
        .args(["-ec", line])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_printed_command_gets_the_program_out_of_every_profile() {
    let (work_dir, _source) = listed();
    let build = ["bundle", "-f", "images.txt", "--with-sealift", "-o"];
    let plan = work_dir.ok(&[build.as_slice(), &["plain.tar", "--dry-run"]].concat());
    let plain = work_dir.ok(&[build.as_slice(), &["plain.tar"]].concat());
    assert_eq!(tar_command(&plan), tar_command(&plain));
    work_dir.ok(&["compact", "plain.tar", "-o", "compact.tar"]);
    let own = fs::read(env!("CARGO_BIN_EXE_sealift")).unwrap();
    for name in ["plain.tar", "compact.tar"] {
        let command = tar_command(&work_dir.ok(&["inspect", name]));
        assert!(command.contains(name), "{command}");
        let elsewhere = WorkDir::new();
        fs::hard_link(work_dir.path(name), elsewhere.path(name))
            .or_else(|_| fs::copy(work_dir.path(name), elsewhere.path(name)).map(drop))
            .unwrap();
        shell(elsewhere.folder(), &command);
        assert!(elsewhere.read("sealift") == own, "{name}");
        let version = shell(elsewhere.folder(), "./sealift --version");
        assert_eq!(
            version.trim(),
            concat!("sealift ", env!("CARGO_PKG_VERSION"))
        );
        shell(
            elsewhere.folder(),
            &format!("./sealift verify {name} --quiet"),
        );
    }
}

#[test]
fn the_program_is_an_ordinary_file_for_a_reader_that_has_one() {
    let (work_dir, _source) = listed();
    work_dir.ok(&[
        "bundle",
        "-f",
        "images.txt",
        "--with-sealift",
        "-o",
        "a.tar",
        "--quiet",
    ]);
    let inspection = work_dir.json(&["inspect", "a.tar", "--json"]);
    let program = &inspection["programs"][0];
    assert_eq!(program["name"], "sealift");
    let reference = program["reference"].as_str().unwrap();
    let version = concat!("/sealift/program:", env!("CARGO_PKG_VERSION"), "-linux-");
    assert!(reference.contains(version), "{reference}");
    work_dir.ok(&["extract", "a.tar", "sealift", "--to", "out"]);
    let version = shell(&work_dir.path("out"), "./sealift --version");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let destination = Registry::start();
    work_dir.ok(&["load", "a.tar", &destination.host()]);
    let (_, tag) = reference.rsplit_once(':').unwrap();
    assert!(destination.tagged("sealift/program", tag).is_some());
}

#[test]
fn the_checksum_is_what_sha256sum_prints() {
    let Some(sha256sum) = require("sha256sum") else {
        return;
    };
    let (work_dir, _source) = listed();
    let build = ["bundle", "-f", "images.txt", "-o", "a.tar", "--checksums"];
    let built = work_dir.ok(&build);
    let path = work_dir.path("a.tar");
    let printed = run_ok(&sha256sum, &[path.to_str().unwrap()]);
    let sum = printed.split_whitespace().next().unwrap();
    assert!(built.contains(&format!("sha256   {sum}")), "{built}");
    assert_ne!(identity(&built), format!("sha256:{sum}"));
    shell(work_dir.folder(), "sha256sum -c SHA256SUMS");
    let verified = work_dir.json(&["verify", "a.tar", "--json"]);
    assert_eq!(verified["sha256"], sum);
    // The same command again has nothing to do and nothing to refuse.
    work_dir.ok(&build);
    work_dir.ok(&[
        "bundle",
        "-f",
        "images.txt",
        "-o",
        "a.tar",
        "--checksums",
        "--force",
    ]);
}

#[test]
fn a_file_of_other_checksums_is_not_replaced() {
    let (work_dir, _source) = listed();
    work_dir.write("SHA256SUMS", "of something else\n");
    let build = ["bundle", "-f", "images.txt", "-o", "a.tar", "--checksums"];
    let refused = work_dir.run(&build);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("SHA256SUMS exists"),
        "{}",
        refused.stderr
    );
    let refused = work_dir.run(&[&build[..], &["--force"]].concat());
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_eq!(work_dir.read("SHA256SUMS"), b"of something else\n");
    assert_eq!(work_dir.names(), ["SHA256SUMS", "images.txt"]);
    let stream = work_dir.run(&["bundle", "-f", "images.txt", "-o", "-", "--checksums"]);
    assert_eq!(stream.code, Some(2), "{}", stream.stderr);
}

#[test]
fn the_checksums_of_other_bundles_stay() {
    let (work_dir, _source) = listed();
    let build = ["bundle", "-f", "images.txt", "--checksums", "-o"];
    work_dir.ok(&[&build[..], &["a.tar"]].concat());
    let first = String::from_utf8(work_dir.read("SHA256SUMS")).unwrap();
    work_dir.ok(&[&build[..], &["b.tar"]].concat());
    work_dir.ok(&[&build[..], &["c.tar", "--force"]].concat());
    work_dir.ok(&[&build[..], &["a.tar", "--force"]].concat());
    let sums = String::from_utf8(work_dir.read("SHA256SUMS")).unwrap();
    let names = ["b.tar", "c.tar", "a.tar"];
    let lines: Vec<String> = names
        .map(|name| first.replace("a.tar", name).trim_end().to_owned())
        .into();
    assert_eq!(sums.lines().collect::<Vec<_>>(), lines);
}
