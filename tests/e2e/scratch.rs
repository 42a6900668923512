//! Scratch space: every command that rebuilds blobs says before the first one that it has not enough.

use std::process::Stdio;

use sealift_testkit::{Registry, real};

use crate::delta::{second_release, source};
use crate::support::{Run, WorkDir};

/// Runs the program where the folder for temporary data is a file system of `size`.
fn with_scratch(work_dir: &WorkDir, size: &str, arguments: &[&str]) -> Option<Run> {
    const SCRIPT: &str = "mount -t tmpfs -o size=\"$1\" tmpfs scratch && shift && exec \"$@\"";
    let unshare = real::require("unshare")?;
    let scratch = work_dir.path("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    let program = env!("CARGO_BIN_EXE_sealift");
    let output = std::process::Command::new(unshare)
        .args(["--user", "--map-root-user", "--mount"])
        .args(["sh", "-c", SCRIPT, "sh", size, program])
        .args(arguments)
        .current_dir(work_dir.folder())
        .env("TMPDIR", &scratch)
        .env("HOME", work_dir.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(Run::of(output))
}

#[test]
fn too_little_scratch_space_is_known_before_anything_is_written() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["compact", "1.tar", "-o", "compact.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    let destination = Registry::start();
    let host = destination.host();
    let before = work_dir.names();
    let with_base = ["--base", "1.tar"];
    for arguments in [
        &["verify", "compact.tar", "--deep"][..],
        &["verify", "2-delta.tar", with_base[0], with_base[1]],
        &["export", "compact.tar", "-o", "plain.tar"],
        &[
            "export",
            "2-delta.tar",
            "-o",
            "plain.tar",
            "--base",
            "1.tar",
        ],
        &["export", "compact.tar", "-o", "-"],
        &["record", "compact.tar", "-o", "1.record"],
        &["compact", "compact.tar", "-o", "again.tar"],
        &["compact", "compact.tar", "--dry-run"],
        &["serve", "compact.tar", "--listen", "127.0.0.1:0"],
        &["report", "compact.tar", "-o", "page.html"],
        &["report", "2-delta.tar", "--base", "1.tar", "--json"],
        &["diff", "1.tar", "2-delta.tar"],
        &["diff", "compact.tar", "2-delta.tar"],
        &["bundle", "--from", "compact.tar", "-o", "from.tar"],
        &["load", "compact.tar", &host],
        &["load", "compact.tar", &host, "--dry-run"],
        &["load", "2-delta.tar", &host, "--base", "1.tar"],
    ] {
        let Some(run) = with_scratch(&work_dir, "16k", arguments) else {
            return;
        };
        assert_eq!(run.code, Some(1), "{arguments:?} {}", run.said());
        for words in [
            "scratch has 16.3 kB free",
            "of scratch space are needed",
            "free some space",
        ] {
            assert!(run.stderr.contains(words), "{arguments:?} {}", run.stderr);
        }
        assert!(run.stdout.is_empty(), "{arguments:?} {}", run.stdout);
    }
    let after = work_dir
        .names()
        .into_iter()
        .filter(|name| name != "scratch");
    assert_eq!(after.collect::<Vec<_>>(), before);
    assert!(destination.traffic().writes().is_empty());
    // What is not rebuilt needs none.
    for arguments in [
        &["verify", "compact.tar"][..],
        &["verify", "1.tar", "--deep"],
        &["inspect", "2-delta.tar"],
        &["diff", "1.tar", "compact.tar"],
        &["export", "1.tar", "-o", "same.tar"],
    ] {
        let run = with_scratch(&work_dir, "16k", arguments).unwrap();
        assert_eq!(run.code, Some(0), "{arguments:?} {}", run.said());
    }
    // With enough of it, everything works.
    let run = with_scratch(&work_dir, "64m", &["verify", "compact.tar", "--deep"]).unwrap();
    assert_eq!(run.code, Some(0), "{}", run.said());
}

#[test]
fn what_is_certainly_too_little_for_packs_ends_the_command_and_what_may_be_is_a_warning() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    // What packs need is known once the blobs were looked at.
    let pack = ["compact", "1.tar", "-o", "packed.tar"];
    let Some(run) = with_scratch(&work_dir, "16k", &pack) else {
        return;
    };
    assert_eq!(run.code, Some(1), "{}", run.said());
    assert!(
        run.stderr.contains("of scratch space are needed"),
        "{}",
        run.said()
    );
    assert!(!work_dir.path("packed.tar").exists());
    let needed = run.stderr.split("up to ").nth(1);
    let needed = needed.and_then(|rest| rest.split(" kB").next());
    let least: f64 = needed.unwrap().parse().unwrap();
    let size = format!("{:.0}k", least * 2.0);
    let run = with_scratch(&work_dir, &size, &pack).unwrap();
    assert!(
        run.stderr.contains("packing may run out of scratch space"),
        "{}",
        run.said()
    );
}

#[test]
fn the_hint_about_scratch_space_fits_the_error() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["compact", "1.tar", "-o", "compact.tar"]);
    work_dir.write("file", "");
    let destination = Registry::start();
    let host = destination.host();
    for scratch in ["none", "file"] {
        for command in [
            &["verify", "compact.tar", "--deep"][..],
            &["load", "compact.tar", &host],
        ] {
            let run = work_dir.run(&[command, &["--scratch-dir", scratch]].concat());
            assert_eq!(run.code, Some(1), "{command:?}: {}", run.said());
            assert!(
                run.stderr
                    .contains("hint: use --scratch-dir with a folder that exists"),
                "{command:?}: {}",
                run.stderr
            );
            assert!(!run.stderr.contains("free some space"), "{}", run.stderr);
        }
    }
}
