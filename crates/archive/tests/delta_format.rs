//! `docs/format.md` and `docs/format-packs.md` are enough for a second implementation of compact and delta bundles: a
//! reader that was written from them in another language finds what comes from where, and refuses what this crate
//! refuses.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sealift_archive::Delta;
use sealift_oci::Digest;
use sealift_pipeline::Cancel;
use serde_json::{Value, json};
use support::packing::Folder;
use support::releases::{delta, delta_of, opened, release, stays};
use support::{program, reading, verified};

/// What the second reader says of `bundle`, with `bases`; nothing where a program that it needs is not installed.
fn second_reader(bundle: &[u8], bases: &[&[u8]]) -> Option<Value> {
    program("zstd")?;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: String, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let mut arguments = vec![file("bundle.tar".to_owned(), bundle)];
    for (number, bytes) in bases.iter().enumerate() {
        let path = file(format!("{number}.tar"), bytes);
        arguments.push(format!("--base={path}"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/delta.py");
    let mut command = program("python3")?;
    let output = command.arg(script).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The blobs that `delta` needs, each with the base that has it, as far as `wanted`.
fn needed(delta: &Delta, wanted: impl Fn(&Digest) -> bool) -> BTreeMap<String, String> {
    let needed = delta.needed().iter().filter(|(digest, _)| wanted(digest));
    needed
        .map(|(digest, blob)| (digest.to_string(), blob.base.to_string()))
        .collect()
}

#[test]
fn it_finds_what_comes_from_where_and_reads_the_packs_down_to_their_streams() {
    let bytes = delta_of(1, 2);
    let bundle = opened(bytes.clone(), &reading()).unwrap();
    let known = bundle.delta().unwrap();
    let base = release(1).bundle().identity().to_string();
    let Some(read) = second_reader(&bytes, &[&release(1).bytes()]) else {
        return;
    };
    assert_eq!(read["identity"], bundle.identity().to_string(), "{read}");
    assert_eq!(read["bases"], json!([base]));
    assert_eq!(read["chain"], 1);
    let left_out = known.left_out();
    let expected = needed(known, |digest| left_out.contains_key(digest));
    assert_eq!(read["leftOut"], json!(expected));
    assert_eq!(read["compared"], left_out.len());
    let of_packs: BTreeMap<String, String> =
        serde_json::from_value(read["needed"].clone()).unwrap();
    let both: BTreeMap<String, String> = expected.into_iter().chain(of_packs.clone()).collect();
    assert_eq!(both, needed(known, |_| true));
    assert!(!of_packs.is_empty());
    for (digest, _) in bundle
        .sizes()
        .filter(|(digest, _)| !bundle.is_manifest(digest))
    {
        let place = read["blobs"][digest.to_string()].as_str().unwrap();
        let entry = bundle.store().locate(&digest).entry;
        match place.split_once(':') {
            Some((_, hex)) if !place.starts_with("base ") => {
                assert!(entry.contains(hex), "{entry}");
            }
            Some(_) => assert_eq!(place, format!("base {base}")),
            None => assert_eq!((place, entry), ("kept", digest.blob_path())),
        }
    }
    assert_eq!(read["unreadPacks"], 0);
    let packs = read["packs"].as_array().unwrap();
    let sum = |field: &str| -> u64 { packs.iter().map(|pack| pack[field].as_u64().unwrap()).sum() };
    assert!(sum("objects") > 0 && sum("related") > 0, "{read}");
}

#[test]
fn without_the_base_or_with_another_one_it_says_what_is_absent() {
    let bytes = delta_of(1, 2);
    for bases in [vec![], vec![release(3).bytes()]] {
        let given: Vec<&[u8]> = bases.iter().map(Vec::as_slice).collect();
        let Some(read) = second_reader(&bytes, &given) else {
            return;
        };
        // The layer that never changes is in every release.
        let absent = if bases.is_empty() {
            json!([stays()])
        } else {
            json!([])
        };
        assert_eq!(read["absent"], absent, "{read}");
        assert_eq!(read["unreadPacks"], 1);
    }
}

#[test]
fn it_follows_a_chain_and_refuses_a_circle() {
    let second = delta_of(1, 2);
    let third = delta_of(2, 3);
    let first = release(1).bytes();
    let Some(read) = second_reader(&third, &[&second, &first]) else {
        return;
    };
    assert_eq!(read["chain"], 2, "{read}");
    assert_eq!(read["bases"], json!([release(2).bundle().identity()]));
    assert_eq!(read["absent"], json!([]));
    let read = second_reader(&second, &[&delta_of(2, 1), &second]).unwrap();
    let refused = read["refused"].as_str().unwrap();
    assert!(refused.contains("circle"), "{read}");
}

#[test]
fn it_reads_a_compact_bundle() {
    let folder = Folder::new();
    let packed = folder.compact(&release(2).bundle(), &folder.options(), &Cancel::new(), 2);
    let (bytes, report) = packed.unwrap();
    let Some(read) = second_reader(&bytes, &[]) else {
        return;
    };
    assert_eq!(read["identity"], release(2).bundle().identity().to_string());
    assert_eq!(read["chain"], 0);
    assert_eq!(read["leftOut"], json!({}));
    assert_eq!(read["packs"].as_array().unwrap().len() as u64, report.packs);
}

#[test]
fn the_two_readers_refuse_the_same_damage() {
    let (bytes, _) = delta(&release(2).bundle(), release(1).bundle());
    let base = release(1).bytes();
    for at in (700..bytes.len()).step_by(bytes.len() / 24) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        let Some(read) = second_reader(&damaged, &[&base]) else {
            return;
        };
        let taken = opened(damaged, &reading())
            .is_ok_and(|bundle| verified(&bundle, false).problems.is_empty());
        assert_eq!(taken, read.get("refused").is_none(), "byte {at}: {read}");
    }
}
