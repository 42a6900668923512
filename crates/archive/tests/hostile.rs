//! Bundles that somebody made in order to do harm, or that were damaged on the way.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;

use ::tar::{EntryType, Header};
use sealift_archive::{Bundle, LocalError, LocalImages, open_local};
use sealift_oci::{Descriptor, Digest, media_type};
use support::packing::tar;
use support::{
    Content, Random, entries, faults, image_entry, joined, plain, reading, rich, verified,
};

/// The message that a bundle is refused with when it is opened.
fn refusal(bytes: Vec<u8>) -> String {
    match Bundle::from_reader(Arc::new(bytes), "b.tar", &reading()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

/// One entry, written as tars in general are.
fn entry(name: &[u8], kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn entries_that_no_bundle_has_are_refused_and_shown_without_their_tricks() {
    let parts = entries(&rich().bytes());
    let blob = format!("blobs/sha256/{}", "0".repeat(64));
    let upper = format!("blobs/sha256/{}", "A".repeat(64));
    let cases: [(&[u8], EntryType, &str); 20] = [
        (b"../escaped", EntryType::Regular, ""),
        (b"/etc/passwd", EntryType::Regular, ""),
        (b"a\nb", EntryType::Regular, ""),
        (b"a\x1b[2Jb", EntryType::Regular, ""),
        (b"\xff\xfe", EntryType::Regular, ""),
        (b"blobs\\sha256\\0", EntryType::Regular, ""),
        (b"C:\\x", EntryType::Regular, ""),
        (b"", EntryType::Regular, ""),
        (b"manifest.json", EntryType::Regular, ""),
        (b"./index.json", EntryType::Regular, ""),
        (b"blobs/md5/00", EntryType::Regular, ""),
        (b"other/", EntryType::Directory, ""),
        (upper.as_bytes(), EntryType::Regular, ""),
        (blob.as_bytes(), EntryType::Symlink, "/etc/passwd"),
        (blob.as_bytes(), EntryType::Link, "index.json"),
        (blob.as_bytes(), EntryType::Fifo, ""),
        (blob.as_bytes(), EntryType::Char, ""),
        (blob.as_bytes(), EntryType::GNUSparse, ""),
        (blob.as_bytes(), EntryType::XHeader, ""),
        (blob.as_bytes(), EntryType::XGlobalHeader, ""),
    ];
    for (name, kind, link) in cases {
        for at in [0, parts.len()] {
            let mut parts = parts.clone();
            parts.insert(at, entry(name, kind, link, b""));
            let message = refusal(joined(&parts));
            assert!(!message.contains(['\n', '\u{1b}']), "{message:?}");
            assert!(message.contains("at byte"), "{message}");
        }
    }
}

#[test]
fn a_tar_that_lies_about_itself_is_refused() {
    let whole = rich().bytes();
    let parts = entries(&whole);
    for at in 0..parts.len() {
        let mut twice = parts.clone();
        twice.push(parts[at].clone());
        assert!(refusal(joined(&twice)).contains("twice"), "entry {at}");
        let mut missing = parts.clone();
        missing.remove(at);
        // Directories are for other programs' sake; all else has to be there.
        let directory = parts[at].get(156) == Some(&b'5');
        assert_eq!(faults(joined(&missing)).is_empty(), directory, "entry {at}");
    }
    let size = |text: &[u8]| {
        let mut bytes = whole.clone();
        bytes[124..124 + text.len()].copy_from_slice(text);
        let mut header = Header::from_byte_slice(&bytes[..512]).clone();
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        refusal(bytes)
    };
    for text in [
        &b"77777777777\0"[..],
        b"0000000003x\0",
        b"00000000037\0",
        b"        36 \0",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(size(text).contains("byte"), "{text:?}");
    }
    assert!(!faults([whole.clone(), whole.clone()].concat()).is_empty());
    let long = entry(b"././@LongLink", EntryType::GNULongName, "", &[b'a'; 4096]);
    assert!(refusal(joined(&[long])).contains("longer than any"));
    assert!(refusal([&b"\x1f\x8b\x08"[..], &whole].concat()).contains("byte 0"));
}

#[test]
fn every_truncation_at_a_block_is_found_with_its_place() {
    let whole = rich().bytes();
    for length in (0..whole.len()).step_by(512) {
        let message = refusal(whole[..length].to_vec());
        assert!(message.contains("byte"), "{length}: {message}");
    }
}

/// A bundle with one image whose manifest is `bytes`, and nothing else.
fn with_manifest(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut content = Content::empty();
    let descriptor = plain(kind, bytes);
    content.manifest(descriptor.clone(), bytes.to_vec());
    let entry = image_entry("r.io/a:1", descriptor);
    content.record.images.push(entry);
    content.bytes()
}

#[test]
fn manifests_that_lie_or_are_none_are_refused_when_the_bundle_is_opened() {
    let absent = Descriptor::of(media_type::OCI_LAYER, b"absent");
    let config = serde_json::json!(Descriptor::of(media_type::OCI_CONFIG, b"{}"));
    let image = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": config, "layers": [],
        });
        edit(&mut manifest);
        manifest.to_string().into_bytes()
    };
    let good = image(&|_| {});
    let cases: Vec<Vec<u8>> = vec![
        b"not json".to_vec(),
        [b"\xef\xbb\xbf", good.as_slice()].concat(),
        [good.as_slice(), b"{}"].concat(),
        b"[".repeat(1_000_000),
        b"{\"a\":".repeat(500_000),
        vec![b' '; 5 << 20],
        good.clone(),
        image(&|m| m["layers"] = serde_json::json!([absent])),
        image(&|m| m["manifests"] = serde_json::json!([])),
        image(&|m| m["mediaType"] = media_type::DOCKER_MANIFEST.into()),
        image(&|m| m["schemaVersion"] = 1.into()),
        image(&|m| m["schemaVersion"] = "2".into()),
        image(&|m| m["config"]["digest"] = "sha256:../../etc/passwd".into()),
        image(&|m| m["config"]["digest"] = "md5:00".into()),
        image(&|m| m["config"]["size"] = (-1).into()),
        image(&|m| drop(m["config"].as_object_mut().unwrap().remove("size"))),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let message = refusal(with_manifest(media_type::OCI_MANIFEST, bytes));
        assert!(message.len() < 700, "case {number}: {message}");
    }
}

#[test]
fn indexes_are_nested_eight_deep_and_no_deeper() {
    for (depth, taken) in [(8, true), (10, false)] {
        let mut content = Content::empty();
        let mut child = content.image(b"{}", &[b"x"], None);
        for _ in 0..depth {
            let index = serde_json::json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_INDEX,
                "manifests": [Descriptor::from(&child)],
            });
            let index = index.to_string().into_bytes();
            child = plain(media_type::OCI_INDEX, &index);
            content.manifest(child.clone(), index);
        }
        content.record.images.push(image_entry("r.io/a:1", child));
        assert_eq!(faults(content.bytes()).is_empty(), taken, "{depth}");
    }
}

/// A bundle of one index with `children` images, under as many names as given.
fn one_index(children: usize, names: usize) -> Vec<u8> {
    let mut content = Content::empty();
    let config = plain(media_type::OCI_CONFIG, b"{}");
    content.blob(config.digest, b"{}".to_vec(), true);
    let children = (0..children).map(|number| {
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::from(&config), "layers": [],
            "annotations": {"number": number.to_string()},
        });
        let bytes = manifest.to_string().into_bytes();
        let child = plain(media_type::OCI_MANIFEST, &bytes);
        content.manifest(child.clone(), bytes);
        Descriptor::from(&child)
    });
    let children: Vec<Descriptor> = children.collect();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children,
    });
    let index = index.to_string().into_bytes();
    let root = plain(media_type::OCI_INDEX, &index);
    content.manifest(root.clone(), index);
    for number in 0..names {
        let name = format!("r.io/image-{number}:1");
        content.record.images.push(image_entry(&name, root.clone()));
    }
    content.bytes()
}

#[test]
fn many_names_of_many_manifests_are_refused_before_their_product_is_followed() {
    // Each name needs 1,001 manifests and blobs.
    assert!(Bundle::from_reader(Arc::new(one_index(500, 900)), "b.tar", &reading()).is_ok());
    let message = refusal(one_index(500, 1000));
    assert!(message.contains("more than 1000000 manifests"), "{message}");
}

#[test]
fn a_corrupt_blob_is_reported_with_the_first_names_that_need_it_and_the_number_of_the_others() {
    let mut bytes = one_index(1, 30);
    let at = bytes
        .windows(1024)
        .rposition(|bytes| bytes.starts_with(b"{}\0\0"));
    bytes[at.unwrap()] = b'[';
    let bundle = Bundle::from_reader(Arc::new(bytes), "b.tar", &reading()).unwrap();
    let problems = verified(&bundle, true).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    let needed_by = &problems[0].needed_by;
    assert_eq!((needed_by.names.len(), needed_by.more), (10, 20));
    assert_eq!(needed_by.names[0], "r.io/image-0:1");
    assert!(
        needed_by.to_string().ends_with(" and 20 more"),
        "{needed_by}"
    );
    let json = serde_json::to_value(&problems[0]).unwrap();
    assert_eq!(json["touches"].as_array().unwrap().len(), 10);
    assert_eq!(json["moreTouched"], 20);
}

#[test]
fn what_looks_odd_and_is_legal_is_taken() {
    let mut content = Content::empty();
    let absent = plain(media_type::OCI_MANIFEST, b"a subject that is not here");
    let artifact = content.image(b"not json", &[b""], Some(&absent));
    let empty = content.image(b"{}", &[], None);
    content
        .record
        .images
        .push(image_entry("r.io/a:1", artifact));
    content.record.images.push(image_entry("r.io/b:1", empty));
    assert_eq!(faults(content.bytes()), Vec::<String>::new());
    assert!(faults(Content::empty().bytes()).is_empty());
}

#[test]
fn a_size_that_two_descriptors_give_differently_is_refused_before_writing() {
    let mut content = Content::empty();
    let image = content.image(b"{}", &[b"x"], None);
    content.record.images.push(image_entry("r.io/a:1", image));
    let mut other = content.record.blobs[1].clone();
    other.size += 1;
    content.record.blobs.push(other);
    let error = sealift_archive::Contents::new(content.record).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&Digest::sha256(b"x").to_string()),
        "{error}"
    );
}

#[test]
fn no_mutation_is_taken_for_other_content() {
    let whole = rich().bytes();
    let bundle = Bundle::from_reader(Arc::new(whole.clone()), "b", &reading()).unwrap();
    let mut random = Random(11);
    for round in 0..2000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
            let length = random.below(1500).min(bytes.len() - from.max(to));
            match random.below(4) {
                0 => bytes.copy_within(from..from + length, to),
                1 => bytes[from..from + length].fill(0),
                2 => bytes[from] = u8::try_from(random.below(256)).unwrap(),
                _ => drop(bytes.drain(from..from + length)),
            }
        }
        if bytes != whole && faults(bytes.clone()).is_empty() {
            let again = Bundle::from_reader(Arc::new(bytes), "b", &reading()).unwrap();
            assert_eq!(again.identity(), bundle.identity(), "round {round}");
        }
    }
}

#[test]
fn a_manifest_that_the_record_calls_something_else_is_refused() {
    for other in [
        "application/x",
        "",
        "text/plain",
        media_type::OCI_ARTIFACT_MANIFEST,
    ] {
        let mut content = rich();
        let digest = content.record.images[0].descriptor.digest;
        let record = &mut content.record;
        for listed in record
            .manifests
            .iter_mut()
            .filter(|one| one.digest == digest)
        {
            listed.media_type = other.to_owned();
        }
        let images = record.images.iter_mut();
        for image in images.filter(|image| image.descriptor.digest == digest) {
            image.descriptor.media_type = other.to_owned();
        }
        let refusal = refusal(content.bytes());
        assert!(refusal.contains(&digest.hex()), "{other}: {refusal}");
        assert!(refusal.contains(" at byte "), "{other}: {refusal}");
    }
}

/// The images of an archive.
fn opened(archive: &[u8]) -> Result<LocalImages, LocalError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tar");
    std::fs::write(&path, archive).unwrap();
    open_local(&path, &reading())
}

#[test]
fn a_docker_archive_that_lists_too_much_is_refused_before_it_is_looked_at() {
    let listing = |images: usize, layers: usize| {
        let layers = vec!["0/layer.tar"; layers];
        let one = serde_json::json!({"Config": "c.json", "RepoTags": null, "Layers": layers});
        let all = serde_json::Value::from(vec![one; images]);
        let archive = tar(&[("manifest.json", all.to_string().as_bytes())]);
        opened(&archive).err().unwrap().to_string()
    };
    let layers = listing(41, 10_000);
    assert!(layers.contains("lists more than 400000 layers"), "{layers}");
    let images = listing(10_001, 0);
    assert!(
        images.contains("lists 10001 images, more than 10000"),
        "{images}"
    );
    let names = listing(101, 10_000);
    assert!(names.contains("more than 1000000 names"), "{names}");
}

#[test]
fn a_config_that_many_images_have_is_read_once() {
    let start = std::time::Instant::now();
    let padding = vec![Vec::<u8>::new(); 300_000];
    let config = serde_json::json!({"rootfs": {"diff_ids": []}, "padding": padding}).to_string();
    let digest = Digest::sha256(config.as_bytes());
    let listed: Vec<_> = (0..1000)
        .map(|number| {
            let tag = format!("r.io/image-{number}:1");
            serde_json::json!({"Config": digest.blob_path(), "RepoTags": [tag], "Layers": []})
        })
        .collect();
    let listed = serde_json::Value::from(listed).to_string();
    let blob = digest.blob_path();
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("manifest.json", listed.as_bytes()),
        (&blob, config.as_bytes()),
    ];
    let plain = opened(&tar(&entries)).unwrap();
    assert_eq!(plain.images().len(), 1000);
    // With an index beside it, which has to agree.
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": Descriptor::of(media_type::OCI_CONFIG, config.as_bytes()),
    });
    let manifest = manifest.to_string().into_bytes();
    let children: Vec<_> = (0..1000)
        .map(|number| {
            let mut child = serde_json::json!(Descriptor::of(media_type::OCI_MANIFEST, &manifest));
            let name = format!("r.io/image-{number}:1");
            child["annotations"] = serde_json::json!({"io.containerd.image.name": name});
            child
        })
        .collect();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": children}).to_string();
    let path = Digest::sha256(&manifest).blob_path();
    entries.extend([
        ("oci-layout", &br#"{"imageLayoutVersion":"1.0.0"}"#[..]),
        ("index.json", index.as_bytes()),
        (&path, &manifest),
    ]);
    let both = opened(&tar(&entries)).unwrap();
    assert_eq!(both.images().len(), 1000);
    let took = start.elapsed();
    assert!(took < std::time::Duration::from_secs(15), "{took:?}");
}
