//! Delta bundles against registries: the old bytes come from the destination, whatever it is and whatever became of it.

use std::fs;
use std::path::{Path, PathBuf};

use sealift_oci::Digest;
use sealift_testkit::Registry;
use sealift_testkit::real::{RealRegistry, Skopeo};

use crate::delta::{NAMES, image, second_release, source};
use crate::support::{WorkDir, identity};

/// A folder with `1.tar` and `2-delta.tar`.
fn two_releases() -> WorkDir {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    work_dir
}

/// distribution 2.8 and 3, as far as they are installed.
fn registries() -> impl Iterator<Item = RealRegistry> {
    let all = [RealRegistry::distribution2(), RealRegistry::distribution3()];
    all.into_iter().flatten()
}

/// skopeo fetches both images of a release, checks every digest, and finds the publisher's index.
fn assert_served(skopeo: &Skopeo, host: &str, release: u32) {
    for name in NAMES {
        let there = format!("docker://{host}/{name}:v{release}");
        let folder = tempfile::tempdir().unwrap();
        skopeo.copy(&there, &format!("dir:{}", folder.path().display()));
        let served = Digest::sha256(&skopeo.raw_manifest(&there));
        assert_eq!(served, image(name, release).digest(), "{there}");
    }
}

/// Every file below `folder`, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Where distribution stores a blob.
fn stored(registry: &RealRegistry, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    let blobs = registry.storage().join("docker/registry/v2/blobs/sha256");
    blobs.join(&hex[..2]).join(&hex)
}

#[test]
fn real_registries_give_the_old_bytes_and_get_the_publishers_digests() {
    let Some(skopeo) = Skopeo::find() else { return };
    let work_dir = two_releases();
    for registry in registries() {
        let host = format!("{}/mirror", registry.host());
        work_dir.ok(&["load", "1.tar", &host]);
        let plan = work_dir.json(&["load", "2-delta.tar", &host, "--dry-run", "--json"]);
        assert!(plan["totals"]["baseBlobs"].as_u64() > Some(0), "{plan}");
        work_dir.ok(&["load", "2-delta.tar", &host]);
        for release in [1, 2] {
            assert_served(&skopeo, &host, release);
        }
    }
}

#[test]
fn a_real_registry_that_lost_half_of_the_base_is_named_with_what_it_lost() {
    let Some(skopeo) = Skopeo::find() else { return };
    let work_dir = two_releases();
    let base = identity(&work_dir.ok(&["inspect", "1.tar"]));
    let lost = image("product/node", 1);
    for registry in registries() {
        let host = registry.host();
        work_dir.ok(&["load", "1.tar", &host]);
        for digest in lost.blobs.keys() {
            fs::remove_dir_all(stored(&registry, digest)).unwrap();
        }
        let before = files(&registry.storage());
        for more in [&["--dry-run"][..], &[]] {
            let run = work_dir.run(&[&["load", "2-delta.tar", &host][..], more].concat());
            assert_eq!(run.code, Some(1), "{}", run.said());
            let named = lost.blobs.keys().any(|digest| {
                let digest = digest.to_string();
                run.stderr.contains(&digest)
            });
            assert!(named, "{}", run.stderr);
            for words in [&base, "product/node:v1", "--base"] {
                assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
            }
        }
        assert_eq!(files(&registry.storage()), before);
        // The file has what the registry lost.
        work_dir.ok(&["load", "2-delta.tar", &host, "--base", "1.tar"]);
        assert_served(&skopeo, &host, 2);
    }
}

#[test]
fn a_registry_that_serves_other_bytes_of_the_base_gets_no_tag() {
    let work_dir = two_releases();
    let destination = Registry::start();
    let host = destination.host();
    work_dir.ok(&["load", "1.tar", &host]);
    let mut changed = Vec::new();
    for name in NAMES {
        let new = image(name, 2).blobs;
        let old = image(name, 1).blobs.into_iter();
        for (digest, bytes) in old.filter(|(digest, _)| !new.contains_key(digest)) {
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            destination.put_blob_as(name, digest, bytes);
            changed.push(digest.to_string());
        }
    }
    let run = work_dir.run(&["load", "2-delta.tar", &host]);
    assert_eq!(run.code, Some(4), "{}", run.said());
    let named = changed.iter().any(|digest| run.stderr.contains(digest));
    assert!(named && run.stderr.contains(&host), "{}", run.stderr);
    assert!(run.stderr.contains("--base"), "{}", run.stderr);
    for name in NAMES {
        assert_eq!(destination.tags(name), ["v1"]);
    }
    // The bundle itself is intact: with the file as base it is loaded.
    work_dir.ok(&["load", "2-delta.tar", &host, "--base", "1.tar"]);
    for name in NAMES {
        image(name, 2).assert_in(&destination, name, Some("v2"));
    }
}
