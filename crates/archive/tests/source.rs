//! Images on disk, written by many hands, are read in place and byte for byte.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sealift_archive::{
    Discovery, ImageSource, LocalError, LocalImage, LocalImages, LocalName, open_local,
};
use sealift_oci::{Descriptor, Digest, annotation, media_type};
use support::{program, run};

/// What bundles are opened with.
fn reading() -> sealift_archive::Reading {
    sealift_archive::Resources {
        budget: sealift_pipeline::Budget::new(1, 2),
        scratch: std::env::temp_dir(),
        cancel: sealift_pipeline::Cancel::new(),
    }
    .into()
}

/// An image of two layers as a layout in a folder.
struct Image {
    folder: tempfile::TempDir,
    manifest: Descriptor,
    layers: Vec<Vec<u8>>,
    config: Vec<u8>,
}

fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn put(folder: &Path, media_type: &str, bytes: &[u8]) -> Descriptor {
    let descriptor = Descriptor::of(media_type, bytes);
    let path = folder.join(descriptor.digest.blob_path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    descriptor
}

fn write_index(folder: &Path, manifests: &[Descriptor]) {
    fs::write(
        folder.join("oci-layout"),
        br#"{"imageLayoutVersion": "1.0.0"}"#,
    )
    .unwrap();
    let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn config_of(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| Digest::sha256(layer).to_string())
        .collect();
    serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": diff_ids.iter().map(|_| serde_json::json!({"created_by": "a test"})).collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes()
}

fn manifest_of(folder: &Path, layers: &[Vec<u8>], compress: bool) -> Descriptor {
    let config = put(folder, media_type::OCI_CONFIG, &config_of(layers));
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|layer| {
            if compress {
                put(folder, media_type::OCI_LAYER_GZIP, &gzip(layer))
            } else {
                put(folder, media_type::OCI_LAYER, layer)
            }
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers,
    });
    put(
        folder,
        media_type::OCI_MANIFEST,
        manifest.to_string().as_bytes(),
    )
}

fn image(name: &str) -> Image {
    let folder = tempfile::tempdir().unwrap();
    let layers = vec![
        layer("etc/base", &b"base ".repeat(2000)),
        layer("etc/own", name.as_bytes()),
    ];
    let manifest = manifest_of(folder.path(), &layers, true);
    write_index(
        folder.path(),
        &[manifest.clone().with_annotation(annotation::REF_NAME, name)],
    );
    Image {
        config: config_of(&layers),
        folder,
        manifest,
        layers,
    }
}

/// Reads every blob of every image, checked; the digests of the manifests.
fn read_all(source: &LocalImages) -> Vec<Digest> {
    let mut digests = Vec::new();
    for image in source.images() {
        let manifest = source.manifest(&image.descriptor).unwrap();
        for blob in manifest.blobs() {
            let mut bytes = Vec::new();
            source.blob(blob).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(Digest::sha256(&bytes), blob.digest);
            assert!(source.contains(&blob.digest));
            let mut rest = Vec::new();
            let from = blob.size.min(5);
            let mut reader = source.blob_at(blob, from).unwrap();
            reader.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, bytes[usize::try_from(from).unwrap()..]);
        }
        digests.push(*manifest.digest());
    }
    digests
}

fn names(source: &LocalImages) -> Vec<LocalName> {
    let images = source.images().iter();
    images.map(|image| image.name.clone()).collect()
}

/// A tar of `entries`, written by hand so that it can be anything.
fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn open_bytes(bytes: &[u8]) -> Result<LocalImages, LocalError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    fs::write(&path, bytes).unwrap();
    open_local(&path, &reading())
}

fn refusal(bytes: &[u8]) -> String {
    match open_bytes(bytes) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

/// Every file below `folder`, by its name there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(folder).unwrap();
            let name = name.to_str().unwrap().to_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn a_layout_in_a_folder_is_read_as_it_is() {
    let image = image("r.io/a:1");
    let source = open_local(image.folder.path(), &reading()).unwrap();
    assert_eq!(source.kind(), ImageSource::Layout);
    assert_eq!(read_all(&source), [image.manifest.digest]);
    assert_eq!(
        names(&source),
        [LocalName::Full("r.io/a:1".parse().unwrap())]
    );
}

#[test]
fn a_layout_of_links_is_read_through_them() {
    let image = image("v1");
    let moved = tempfile::tempdir().unwrap();
    let blobs = image.folder.path().join("blobs");
    fs::rename(&blobs, moved.path().join("cache")).unwrap();
    std::os::unix::fs::symlink(moved.path().join("cache"), &blobs).unwrap();
    let source = open_local(image.folder.path(), &reading()).unwrap();
    assert_eq!(read_all(&source), [image.manifest.digest]);
}

#[test]
fn a_pipe_in_the_place_of_a_blob_is_refused_and_not_waited_for() {
    let image = image("v1");
    let path = image.folder.path().join(image.manifest.digest.blob_path());
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let source = open_local(image.folder.path(), &reading()).unwrap();
    let error = source.manifest(&image.manifest).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_tar_is_read_in_any_order_with_and_without_prefixes() {
    let image = image("v1");
    let all = files(image.folder.path());
    for (prefix, backwards) in [("", false), ("./", true), (".//", false)] {
        let mut entries: Vec<(String, &[u8])> = all
            .iter()
            .map(|(name, bytes)| (format!("{prefix}{name}"), bytes.as_slice()))
            .collect();
        if backwards {
            entries.reverse();
        }
        let entries: Vec<(&str, &[u8])> = entries
            .iter()
            .map(|(name, bytes)| (name.as_str(), *bytes))
            .collect();
        let source = open_bytes(&tar_of(&entries)).unwrap();
        assert_eq!(read_all(&source), [image.manifest.digest]);
        assert_eq!(names(&source), [LocalName::Tag("v1".to_owned())]);
    }
}

#[test]
fn the_formats_of_gnu_tar_are_read() {
    let image = image("v1");
    for format in ["ustar", "gnu", "pax", "v7", "oldgnu"] {
        let Some(mut tar) = program("tar") else {
            return;
        };
        let path = image.folder.path().with_extension(format);
        run(tar
            .arg(format!("--format={format}"))
            .arg("-C")
            .arg(image.folder.path())
            .arg("-cf")
            .arg(&path)
            .arg("."));
        let source = open_local(&path, &reading()).unwrap();
        assert_eq!(read_all(&source), [image.manifest.digest], "{format}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn referrers_are_told_from_images() {
    let image = image("r.io/a:1");
    let folder = image.folder.path();
    let subject = image.manifest.clone();
    let artifact = |text: &str, subject: Option<&Descriptor>| {
        let config = put(folder, media_type::OCI_EMPTY, b"{}");
        let layer = put(folder, "application/x", text.as_bytes());
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "artifactType": "application/x.test", "config": config, "layers": [layer],
            "subject": subject,
        });
        put(
            folder,
            media_type::OCI_MANIFEST,
            manifest.to_string().as_bytes(),
        )
    };
    let unnamed = artifact("unnamed", Some(&subject));
    let marked = artifact("marked", Some(&subject))
        .with_annotation(annotation::CONTAINERD_SUBJECT, subject.digest.to_string());
    let fallback = artifact("fallback", Some(&subject));
    let list = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [fallback],
    });
    let list = put(folder, media_type::OCI_INDEX, list.to_string().as_bytes())
        .with_annotation(annotation::REF_NAME, subject.digest.referrers_tag());
    let tag = format!("{}.sig", subject.digest.referrers_tag());
    let cosign = artifact("cosign", None).with_annotation(annotation::REF_NAME, tag.clone());
    let other = Descriptor::of("application/vnd.unknown", b"?");
    let named = subject.clone().with_annotation(annotation::REF_NAME, "1");
    write_index(folder, &[named, unnamed, marked, list, cosign, other]);
    let source = open_local(folder, &reading()).unwrap();
    assert_eq!(source.images().len(), 1);
    let found: Vec<(Digest, Discovery)> = source
        .referrers()
        .iter()
        .map(|referrer| (referrer.subject, referrer.discovery.clone()))
        .collect();
    let by_subject = (subject.digest, Discovery::Subject);
    assert_eq!(
        found,
        [
            by_subject.clone(),
            by_subject.clone(),
            by_subject,
            (subject.digest, Discovery::Tag(tag)),
        ]
    );
    assert!(
        source
            .referrers()
            .iter()
            .all(|referrer| referrer.artifact_type.as_deref() == Some("application/x.test"))
    );
}

#[test]
fn a_bundle_is_a_source_with_its_files_apart() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("note.txt"), b"hello").unwrap();
    let file = sealift_archive::carry(
        &folder.path().join("note.txt"),
        &sealift_archive::CarryOptions::default(),
        &sealift_pipeline::Cancel::new(),
    )
    .unwrap();
    let mut content = support::Content::empty();
    content.carry(&file);
    let source = open_bytes(&content.bytes()).unwrap();
    assert!(source.images().is_empty());
    assert_eq!(source.record().unwrap().files.first(), Some(&file.entry));
    let manifest = source.manifest(&file.manifest.descriptor()).unwrap();
    assert_eq!(manifest, file.manifest);
}

/// Names with content.
type Entries = Vec<(String, Vec<u8>)>;

/// What `docker save` wrote before it had an OCI part.
fn docker_archive(image: &Image, compressed: bool) -> Entries {
    let config = format!("{}.json", Digest::sha256(&image.config).hex());
    let mut entries = vec![(config.clone(), image.config.clone())];
    let mut names = Vec::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let name = format!("{number}/layer.tar");
        let bytes = if compressed {
            gzip(layer)
        } else {
            layer.clone()
        };
        entries.push((name.clone(), bytes));
        names.push(name);
    }
    let manifest = serde_json::json!([
        {"Config": config, "RepoTags": ["app:1", "r.io/app:2"], "Layers": names},
        {"Config": config, "RepoTags": null, "Layers": names},
    ]);
    entries.push((
        "manifest.json".to_owned(),
        manifest.to_string().into_bytes(),
    ));
    entries
}

fn tar_of_owned(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    tar_of(&entries)
}

#[test]
fn a_docker_archive_without_manifests_gets_the_same_one_every_time() {
    let image = image("v1");
    for (compressed, kind) in [
        (false, media_type::OCI_LAYER),
        (true, media_type::OCI_LAYER_GZIP),
    ] {
        let entries = docker_archive(&image, compressed);
        let source = open_bytes(&tar_of_owned(&entries)).unwrap();
        assert_eq!(source.kind(), ImageSource::DockerArchive);
        assert_eq!(
            names(&source),
            [
                LocalName::Full("docker.io/library/app:1".parse().unwrap()),
                LocalName::Full("r.io/app:2".parse().unwrap()),
                LocalName::Unnamed
            ]
        );
        assert!(source.images().iter().all(|image| image.new_digest));
        let digests = read_all(&source);
        let manifest = source.manifest(&source.images()[0].descriptor).unwrap();
        assert!(
            manifest
                .layers()
                .iter()
                .all(|layer| layer.media_type == kind)
        );
        assert_eq!(
            manifest.config().unwrap().digest,
            Digest::sha256(&image.config)
        );
        let mut backwards = entries;
        backwards.reverse();
        let again = open_bytes(&tar_of_owned(&backwards)).unwrap();
        assert_eq!(read_all(&again), digests);
    }
}

#[test]
fn the_manifest_that_is_made_is_fixed_to_the_byte() {
    let config = br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let archive = tar_of(&[
        ("c.json", config),
        (
            "manifest.json",
            br#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":[]}]"#,
        ),
    ]);
    let source = open_bytes(&archive).unwrap();
    let manifest = source.manifest(&source.images()[0].descriptor).unwrap();
    assert_eq!(
        std::str::from_utf8(manifest.bytes()).unwrap(),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":42}},"layers":[]}}"#,
            Digest::sha256(config)
        )
    );
}

#[test]
fn a_layer_behind_a_link_inside_the_archive_is_found() {
    let image = image("v1");
    let mut entries = docker_archive(&image, false);
    let shared = entries.remove(1);
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder
        .append_link(&mut header, "0/layer.tar", "../shared/layer.tar")
        .unwrap();
    entries.push(("shared/layer.tar".to_owned(), shared.1));
    for (name, bytes) in &entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    let source = open_bytes(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(read_all(&source).len(), 3);
}

#[test]
fn a_layer_that_is_not_what_the_config_says_is_found_when_it_is_read() {
    let image = image("v1");
    let mut entries = docker_archive(&image, false);
    entries[1].1[0] ^= 1;
    let source = open_bytes(&tar_of_owned(&entries)).unwrap();
    let manifest = source.manifest(&source.images()[0].descriptor).unwrap();
    let mut reader = source.blob(&manifest.layers()[0]).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(sealift_pipeline::mismatch_of(&error).is_some(), "{error}");
}

#[test]
fn damaged_docker_archives_are_refused() {
    let image = image("v1");
    let good = docker_archive(&image, false);
    let edited = |edit: &dyn Fn(&mut Entries)| {
        let mut entries = good.clone();
        edit(&mut entries);
        refusal(&tar_of_owned(&entries))
    };
    let config = edited(&|entries| entries[0].1[20] ^= 1);
    assert!(config.contains("named after digest"), "{config}");
    let missing = edited(&|entries| drop(entries.remove(2)));
    assert!(
        missing.contains("does not contain 1/layer.tar"),
        "{missing}"
    );
    let json = edited(&|entries| entries[3].1 = b"[".repeat(100_000));
    assert!(json.contains("manifest.json"), "{json}");
    let twice = edited(&|entries| entries.push(entries[1].clone()));
    assert!(twice.contains("twice"), "{twice}");
    let fewer = edited(&|entries| {
        let text = String::from_utf8(entries[3].1.clone()).unwrap();
        entries[3].1 = text.replace("\"0/layer.tar\",", "").into_bytes();
    });
    assert!(fewer.contains("2 layers, manifest.json lists 1"), "{fewer}");
}

#[test]
fn a_compressed_archive_is_refused_with_what_to_do() {
    let error = refusal(&gzip(&tar_of(&[("oci-layout", b"{}")])));
    assert!(error.contains("gzip -d"), "{error}");
    let error = refusal(b"\x28\xb5\x2f\xfd rest");
    assert!(error.contains("zstd -d"), "{error}");
}

#[test]
fn what_holds_no_images_is_refused_with_what_was_expected() {
    assert!(refusal(b"").contains("truncated"));
    assert!(refusal(&b"PK\x03\x04".repeat(500)).contains("expected an OCI layout"));
    assert!(refusal(&tar_of(&[("a", b"b")])).contains("neither"));
    assert!(refusal(&tar_of(&[("repositories", b"{}")])).contains("before 1.10"));
    assert!(refusal(&tar_of(&[("index.json", b"{}")])).contains("no oci-layout"));
    let empty = tempfile::tempdir().unwrap();
    let error = open_local(empty.path(), &reading())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("oci-layout"), "{error}");
    assert!(open_local(&empty.path().join("absent"), &reading()).is_err());
}

#[test]
fn archives_that_two_readers_would_read_differently_are_refused() {
    let layout: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: (&str, &[u8]) = ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    assert!(open_bytes(&tar_of(&[layout, index])).is_ok());
    let twice = refusal(&tar_of(&[layout, index, ("./index.json", index.1)]));
    assert!(twice.contains("twice"), "{twice}");
    let good = tar_of(&[layout, index]);
    for length in (0..good.len() - 1024).step_by(512) {
        assert!(open_bytes(&good[..length]).is_err(), "{length} bytes");
    }
    let mut checksum = good.clone();
    checksum[1] ^= 1;
    assert!(refusal(&checksum).contains("begin as a tar"));
    let json = |text: &[u8]| refusal(&tar_of(&[layout, ("index.json", text)]));
    for text in [
        &b"\xef\xbb\xbf{\"schemaVersion\":2,\"manifests\":[]}"[..],
        b"{\"schemaVersion\":2,\"manifests\":[]} {}",
        b"{\"schemaVersion\":1,\"manifests\":[]}",
        b"{\"schemaVersion\":2}",
        b"{\"schemaVersion\":2,\"manifests\":[],\"manifests\":[]}",
        &b"[".repeat(1_000_000),
        b"NaN",
    ] {
        assert!(json(text).contains("index.json"));
    }
    let version = refusal(&tar_of(&[
        ("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#),
        index,
    ]));
    assert!(version.contains("1.0.0"), "{version}");
}

/// `size` in a PAX record before an entry of `content`, whose own header says `own`.
fn pax(record: &[u8], own: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut push = |name: &str, kind, size, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    };
    push("pax", tar::EntryType::XHeader, record.len() as u64, record);
    push("index.json", tar::EntryType::Regular, own, content);
    push(
        "oci-layout",
        tar::EntryType::Regular,
        30,
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    );
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

#[test]
fn pax_records_are_believed_only_where_nothing_contradicts_them() {
    let index = br#"{"schemaVersion":2,"manifests":[]}"#;
    assert!(open_bytes(&pax(b"11 size=34\n", 0, index)).is_ok());
    assert!(open_bytes(&pax(b"11 size=34\n", 34, index)).is_ok());
    let differ = refusal(&pax(b"11 size=34\n", 33, index));
    assert!(differ.contains("given twice"), "{differ}");
    for record in [
        &b"99 size=34\n"[..],
        b"11 size=3x\n",
        b"12 size=-34\n",
        b"3 \n",
        b"size=34\n",
        b"25 GNU.sparse.realsize=1\n",
    ] {
        assert!(open_bytes(&pax(record, 34, index)).is_err(), "{record:?}");
    }
    assert!(open_bytes(&pax(b"18 path=index.json\n", 34, index)).is_err());
    assert!(open_bytes(&pax(b"19 path=index.json\n", 34, index)).is_ok());
}

#[test]
fn a_blob_of_another_size_or_none_is_named() {
    let image = image("v1");
    let source = open_local(image.folder.path(), &reading()).unwrap();
    let manifest = source.manifest(&image.manifest).unwrap();
    let layer = &manifest.layers()[0];
    let wrong = Descriptor::new(&layer.media_type, layer.digest, layer.size + 1);
    assert!(matches!(source.blob(&wrong), Err(LocalError::Size { .. })));
    let absent = Descriptor::of("m", b"absent");
    assert!(matches!(
        source.blob(&absent),
        Err(LocalError::Missing { .. })
    ));
    assert!(!source.contains(&absent.digest));
    let path = image.folder.path().join(image.manifest.digest.blob_path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[5] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(
        source.manifest(&image.manifest),
        Err(LocalError::Manifest { .. })
    ));
}

/// Writes `image` into an archive of skopeo's, in the given transport.
fn skopeo(image: &Image, to: &str, extra: &[&str]) -> Option<PathBuf> {
    let mut skopeo = program("skopeo")?;
    let path = image.folder.path().join("../").join(format!(
        "{}-{}.tar",
        image.folder.path().file_name().unwrap().to_str().unwrap(),
        to.split(':').next().unwrap()
    ));
    let (transport, name) = to.split_once(':').unwrap();
    run(skopeo
        .args(["copy", "--insecure-policy"])
        .args(extra)
        .arg(format!("oci:{}:v1", image.folder.path().display()))
        .arg(format!("{transport}:{}{name}", path.display())));
    Some(path)
}

#[test]
fn what_skopeo_writes_as_an_oci_archive_comes_through_with_its_digest() {
    let image = image("v1");
    for (name, expected) in [
        (":", LocalName::Unnamed),
        (
            ":r.io/app:7",
            LocalName::Full("r.io/app:7".parse().unwrap()),
        ),
        (":seven", LocalName::Tag("seven".to_owned())),
    ] {
        let to = format!("oci-archive:{}", name.trim_end_matches(':'));
        let Some(path) = skopeo(&image, &to, &[]) else {
            return;
        };
        let source = open_local(&path, &reading()).unwrap();
        assert_eq!(read_all(&source), [image.manifest.digest]);
        assert_eq!(names(&source), [expected]);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_skopeo_writes_as_a_docker_archive_gets_a_manifest_over_the_same_config() {
    let image = image("v1");
    let Some(path) = skopeo(&image, "docker-archive::r.io/app:7", &[]) else {
        return;
    };
    let source = open_local(&path, &reading()).unwrap();
    assert_eq!(source.kind(), ImageSource::DockerArchive);
    assert_eq!(read_all(&source).len(), 1);
    let LocalImage {
        name, descriptor, ..
    } = &source.images()[0];
    assert_eq!(name, &LocalName::Full("r.io/app:7".parse().unwrap()));
    let manifest = source.manifest(descriptor).unwrap();
    let layers: Vec<Digest> = manifest.layers().iter().map(|layer| layer.digest).collect();
    let expected: Vec<Digest> = image
        .layers
        .iter()
        .map(|layer| Digest::sha256(layer))
        .collect();
    assert_eq!(layers, expected, "the layers are carried as they are");
    fs::remove_file(path).unwrap();
}

#[test]
fn what_podman_saves_is_read() {
    let image = image("r.io/app:7");
    let store = tempfile::tempdir().unwrap();
    let podman = || {
        let mut podman = program("podman")?;
        podman
            .args(["--storage-driver", "vfs", "--root"])
            .arg(store.path().join("root"))
            .arg("--runroot")
            .arg(store.path().join("run"));
        Some(podman)
    };
    let Some(mut pull) = podman() else {
        return;
    };
    let archive = store.path().join("in.tar");
    let entries: Vec<(String, Vec<u8>)> = files(image.folder.path()).into_iter().collect();
    fs::write(&archive, tar_of_owned(&entries)).unwrap();
    run(pull
        .args(["pull", "--quiet"])
        .arg(format!("oci-archive:{}", archive.display())));
    for format in ["oci-archive", "docker-archive", "oci-dir"] {
        let path = store.path().join(format);
        run(podman()
            .unwrap()
            .args(["save", "--quiet", "--format", format, "-o"])
            .arg(&path)
            .arg("r.io/app:7"));
        let source = open_local(&path, &reading()).unwrap();
        assert_eq!(read_all(&source).len(), 1, "{format}");
        assert_eq!(
            names(&source),
            [LocalName::Full("r.io/app:7".parse().unwrap())],
            "{format}"
        );
    }
}
