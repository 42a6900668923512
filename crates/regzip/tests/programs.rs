//! Programs that write gzip with somebody else's encoder.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::process::Command;

use regzip::{BusyBox, Encoder, GnuGzip, Options, Strategy, Zlib};
use support::{binary, encoder, program, round_trip, run, text};

fn zlib(level: u8) -> Encoder {
    Encoder::Zlib(Zlib {
        level,
        window_bits: 15,
        mem_level: 8,
        strategy: Strategy::Default,
    })
}

fn content() -> Vec<u8> {
    let mut plain = text(300_000, 51);
    plain.extend(binary(400_000, 52));
    plain.resize(plain.len() + 10_240, 0);
    plain
}

fn check(what: &str, stream: &[u8], plain: &[u8], expected: Encoder) {
    let recipe = round_trip(what, stream, plain, &Options::default());
    assert_eq!(encoder(&recipe), Some(expected), "{what}");
}

#[test]
fn zstd_writes_gzip_with_zlib() {
    let Some(zstd) = program("zstd") else { return };
    let plain = content();
    for level in [1, 3, 6, 9] {
        let arguments = ["-q", "--format=gzip", "-c", &format!("-{level}")];
        check("zstd", &run(&zstd, &arguments, &plain), &plain, zlib(level));
    }
}

#[test]
fn libarchive_writes_gzip_with_zlib() {
    let Some(bsdtar) = program("bsdtar") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), content()).unwrap();
    let tar = |arguments: &[&str]| {
        let mut command = Command::new(&bsdtar);
        command.arg("-cf-").args(arguments);
        let output = command.arg("file").current_dir(&folder).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    // How much it pads depends on whether it compresses.
    let Some(gzip) = program("gzip") else { return };
    for (arguments, level) in [
        (&["-z"][..], 6),
        (&["-z", "--options", "gzip:compression-level=9"], 9),
    ] {
        let stream = tar(arguments);
        let plain = run(&gzip, &["-dc"], &stream);
        check("bsdtar", &stream, &plain, zlib(level));
    }
}

/// Where it looks just like GNU gzip, it is taken for it.
#[test]
fn busybox_writes_an_early_gzip() {
    let Some(busybox) = program("busybox") else {
        return;
    };
    let plain = content();
    let stream = run(&busybox, &["gzip", "-c"], &plain);
    let recipe = round_trip("busybox", &stream, &plain, &Options::default());
    assert!(matches!(
        encoder(&recipe),
        Some(Encoder::GnuGzip(GnuGzip { level: 6 }) | Encoder::BusyBox(BusyBox { level: 6, .. }))
    ));
}

/// Not compulsory: a Java is large, and what it calls is zlib.
#[test]
fn java_writes_gzip_with_zlib() {
    let java = Path::new("/usr/bin/java");
    if !java.is_file() {
        println!("not compared: there is no Java");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("Gzip.java");
    let program = "class Gzip { public static void main(String[] a) throws Exception {
        try (var out = new java.util.zip.GZIPOutputStream(System.out)) {
            System.in.transferTo(out);
        }
    } }";
    std::fs::write(&source, program).unwrap();
    let plain = content();
    let stream = run(java, &[source.to_str().unwrap()], &plain);
    check("Java", &stream, &plain, zlib(6));
}
