//! Layers that the tools of the container world wrote, met and rebuilt.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use regzip::{Analysis, Encoder, Go, Klauspost, Options, Pgzip, Pigz, Recipe};
use sealift_testkit::layers::{LayerMaker, archive};
use support::{Random, binary, go_writer, run, text};

/// Bytes that a recipe may have besides a thousandth of the content.
const CONSTANT: usize = 64;
/// Bytes for each further member, where a stream has many: its length and its checksum.
const MEMBER: usize = 8;

/// A root file system of some MB: a real program, others like one, text, noise, zeros, and many small files.
fn root_file_system(folder: &Path) {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    put("usr/bin/program", &program[..program.len().min(2_000_000)]);
    put("usr/lib/library.so", &binary(1_300_000, 61));
    put("usr/share/doc/text", &text(900_000, 62));
    put("var/lib/noise", &Random(63).bytes(150_000));
    put("var/lib/zeros", &vec![0; 400_000]);
    let mut random = Random(64);
    for i in 0..300 {
        let len = random.next() as usize % 3000;
        put(
            &format!("etc/part{}/file{i}.conf", i % 17),
            &text(len, u64::from(random.next())),
        );
    }
}

/// Whether pgzip wrote it at its default level, with blocks of one of these sizes.
fn is_pgzip(encoder: Encoder, sizes: &[u32]) -> bool {
    matches!(encoder, Encoder::Pgzip(Pgzip { level: 5, block_size, .. }) if sizes.contains(&block_size))
}

/// Whether Go's library of either generation wrote it, at this level.
fn is_go(encoder: Encoder, wanted: i8) -> bool {
    matches!(
        encoder,
        Encoder::Go(Go { level }) | Encoder::Klauspost(Klauspost { level, .. }) if level == wanted
    )
}

fn expected(made_by: &str, encoder: Encoder) -> bool {
    match made_by {
        "crane append" | "Go estargz 1" => is_go(encoder, 1),
        "crane flatten" | "Go estargz 9" => is_go(encoder, 9),
        "Go builder 6" => is_go(encoder, 6),
        "pigz --best --no-time" => matches!(encoder, Encoder::Pigz(Pigz { level: 9, .. })),
        // It asks for 256 KiB up to version 0.4, for 1 MiB since.
        "umoci insert" | "umoci repack" => is_pgzip(encoder, &[1 << 18, 1 << 20]),
        _ => is_pgzip(encoder, &[1 << 20]),
    }
}

/// The recipe of a layer, whose size is in order and which gives the layer again.
fn proved(made_by: &str, layer: &[u8]) -> Recipe {
    let recipe = match regzip::analyse(Cursor::new(layer), &Options::default()).unwrap() {
        Analysis::Recipe(recipe) => recipe,
        other => panic!("{made_by}: {other:?}"),
    };
    let bytes = recipe.to_bytes();
    let recipe = Recipe::from_bytes(&bytes).unwrap();
    let mut plain = Vec::new();
    regzip::open(&recipe, layer, &mut plain).unwrap();
    let limit = plain.len() / 1000 + CONSTANT + MEMBER * (recipe.members() - 1);
    assert!(
        bytes.len() <= limit,
        "{made_by}: recipe of {} bytes",
        bytes.len()
    );
    for threads in [0, 2] {
        let mut again = Vec::new();
        regzip::rebuild_with(
            &recipe,
            plain.as_slice(),
            &mut again,
            &support::workers(threads),
        )
        .unwrap();
        assert!(again == layer, "{made_by}: {threads} threads: it differs");
    }
    recipe
}

fn check(made_by: &str, layer: &[u8]) {
    let recipe = proved(made_by, layer);
    let mut encoders: Vec<Encoder> = recipe.encoders().flatten().collect();
    encoders.dedup();
    println!(
        "{made_by}: {} bytes, {} member(s), recipe {} bytes: {}",
        layer.len(),
        recipe.members(),
        recipe.to_bytes().len(),
        encoders[0]
    );
    assert!(
        recipe.members() > 1 || recipe.checkpoints() > 0,
        "{made_by}: no checkpoints"
    );
    // The members of a stream with many may be too small to tell levels apart, and its last is empty.
    assert!(
        encoders.iter().any(|&encoder| expected(made_by, encoder)),
        "{made_by}: {encoders:?}"
    );
}

/// Buildah, podman, skopeo, umoci and crane, pushing to docker-registry or writing layouts, and pigz.
#[test]
fn layers_of_container_tools() {
    let folder = tempfile::tempdir().unwrap();
    root_file_system(folder.path());
    let Some(maker) = LayerMaker::new(folder.path()) else {
        return;
    };
    let layers = maker.all();
    for layer in &layers {
        check(layer.made_by, &layer.bytes);
    }
}

/// Builders that write with Go's library, and layers of one gzip member for each file.
#[test]
fn layers_of_builders_in_go() {
    let Some(writer) = go_writer("layer") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    root_file_system(folder.path());
    let archive = archive(folder.path());
    for (kind, level) in [("builder", "6"), ("estargz", "1"), ("estargz", "9")] {
        let layer = run(&writer, &[kind, level], &archive);
        check(&format!("Go {kind} {level}"), &layer);
    }
}
