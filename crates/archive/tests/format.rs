//! `docs/format.md` is enough for a second implementation: a reader that was written from it in another
//! language reads what this crate writes, and refuses what this crate refuses.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_archive::Bundle;
use serde_json::Value;
use support::{Random, entries, faults, joined, program, reading, rich};

/// What the second reader says of each file.
fn second_reader(files: &[PathBuf]) -> Option<Vec<Value>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/reader.py");
    let output = program("python3")?
        .arg(script)
        .args(files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), files.len());
    Some(answers)
}

fn written(folder: &Path, bundles: &[Vec<u8>]) -> Vec<PathBuf> {
    let names = (0..).map(|number| folder.join(format!("{number}.tar")));
    let written = bundles.iter().zip(names).map(|(bytes, path)| {
        fs::write(&path, bytes).unwrap();
        path
    });
    written.collect()
}

#[test]
fn a_reader_written_from_the_format_page_reads_a_bundle_and_finds_its_identity() {
    let bytes = rich().bytes();
    let bundle = Bundle::from_reader(Arc::new(bytes.clone()), "b", &reading()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let Some(answers) = second_reader(&written(folder.path(), &[bytes])) else {
        return;
    };
    let answer = &answers[0];
    assert_eq!(
        answer["identity"],
        bundle.identity().to_string(),
        "{answer}"
    );
    let listed = answer["entries"].as_array().unwrap();
    let mut blobs = 0;
    for (digest, size) in bundle.sizes() {
        let location = bundle.store().locate(&digest);
        let expected = serde_json::json!([location.entry, location.offset, size]);
        assert!(listed.contains(&expected), "{expected}");
        blobs += 1;
    }
    // oci-layout, index.json, sealift.json and three folders.
    assert_eq!(listed.len(), blobs + 6);
}

#[test]
fn the_two_readers_agree_on_what_is_a_bundle() {
    let whole = rich().bytes();
    let mut random = Random(7);
    let mut bundles = vec![whole.clone()];
    for _ in 0..300 {
        bundles.push(mutated(&whole, &mut random));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(answers) = second_reader(&written(folder.path(), &bundles)) else {
        return;
    };
    let (mut taken, mut refused) = (0, 0);
    for (number, (bytes, answer)) in bundles.into_iter().zip(answers).enumerate() {
        let faults = faults(bytes);
        assert_eq!(
            faults.is_empty(),
            answer.get("refused").is_none(),
            "bundle {number}: {faults:?}, {answer}"
        );
        *(if faults.is_empty() {
            &mut taken
        } else {
            &mut refused
        }) += 1;
    }
    assert!(
        taken > 10 && refused > 100,
        "{taken} taken, {refused} refused"
    );
}

/// Damage of many kinds, and changes that are no damage.
fn mutated(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut parts = entries(whole);
    let (a, b) = (random.below(parts.len()), random.below(parts.len()));
    match random.below(8) {
        0 => parts.swap(a, b),
        1 => parts.reverse(),
        2 => drop(parts.remove(a)),
        3 => parts.insert(a, parts[b].clone()),
        4 => {
            let at = random.below(parts[a].len());
            parts[a].remove(at);
            parts[a].push(0);
        }
        5 => {
            let mut bytes = whole.to_vec();
            let at = random.below(bytes.len());
            bytes[at] = bytes[at].wrapping_add(1);
            return bytes;
        }
        6 => {
            let mut bytes = whole.to_vec();
            bytes.truncate(random.below(whole.len()));
            return bytes;
        }
        _ => {
            // The record's own text, so that all is well with the tar.
            let mut text = String::from_utf8_lossy(whole).into_owned();
            for (from, to) in [
                ("\"registry\"", "\"layout\"  "),
                ("\"size\": 2", "\"size\": 3"),
                ("newDigest", "newdigest"),
                ("linux", "LINUX"),
            ] {
                if random.below(2) == 0 {
                    text = text.replacen(from, to, 1);
                }
            }
            return text.into_bytes();
        }
    }
    joined(&parts)
}

#[test]
fn other_readers_list_the_same_entries() {
    let bytes = rich().bytes();
    let bundle = Bundle::from_reader(Arc::new(bytes.clone()), "b", &reading()).unwrap();
    let mut ours: Vec<String> = bundle
        .sizes()
        .map(|(digest, size)| format!("{} {size}", digest.blob_path()))
        .collect();
    ours.sort();
    let blobs = |mut lines: Vec<String>| {
        lines.retain(|line| line.starts_with("blobs/") && !line.contains("/ "));
        lines.sort();
        lines
    };
    let mut archive = tar::Archive::new(bytes.as_slice());
    let theirs: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            format!("{} {}", entry.path().unwrap().display(), entry.size())
        })
        .collect();
    assert_eq!(blobs(theirs), ours);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.tar");
    fs::write(&path, &bytes).unwrap();
    let listing = "import sys, tarfile\nfor e in tarfile.open(sys.argv[1]):\n    if e.isfile(): print(e.name, e.size)";
    let Some(mut python) = program("python3") else {
        return;
    };
    let output = python.args(["-c", listing]).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(blobs(text.lines().map(str::to_owned).collect()), ours);
    let Some(mut tar) = program("tar") else {
        return;
    };
    let output = tar.arg("-tf").arg(&path).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let count = String::from_utf8(output.stdout).unwrap().lines().count();
    assert_eq!(count, ours.len() + 6);
}
