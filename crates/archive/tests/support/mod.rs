//! What several tests of this crate need.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, missing_docs)]

pub(crate) mod packing;
pub(crate) mod releases;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use sealift_archive::{
    BlobEntry, Bundle, CarriedFile, CarryOptions, Contents, Discovery, ImageEntry, ImageSource,
    Layout, PlainDescriptor, PlainStream, PlatformEntry, Record, ReferrerEntry, VerifyReport,
    carry, verify,
};
use sealift_oci::{Algorithm, Descriptor, Digest, Platform, media_type};
use sealift_pipeline::{Budget, Cancel, NoObserver};

/// What bundles are opened with.
pub(crate) fn reading() -> sealift_archive::Reading {
    sealift_archive::Resources {
        budget: sealift_pipeline::Budget::new(1, 2),
        scratch: std::env::temp_dir(),
        cancel: sealift_pipeline::Cancel::new(),
    }
    .into()
}

/// A record with the content of its blobs.
pub(crate) struct Content {
    pub(crate) record: Record,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Content {
    pub(crate) fn empty() -> Self {
        Self {
            record: Record::empty(),
            blobs: BTreeMap::new(),
        }
    }

    pub(crate) fn manifest(&mut self, descriptor: PlainDescriptor, bytes: Vec<u8>) {
        self.blobs.insert(descriptor.digest, bytes);
        self.record.manifests.push(descriptor);
    }

    pub(crate) fn blob(&mut self, digest: Digest, bytes: Vec<u8>, config: bool) {
        self.record.blobs.push(BlobEntry {
            digest,
            size: bytes.len() as u64,
            config,
        });
        self.blobs.insert(digest, bytes);
    }

    pub(crate) fn carry(&mut self, file: &CarriedFile) {
        self.record.files.push(file.entry.clone());
        self.manifest(
            file.entry.descriptor.clone(),
            file.manifest.bytes().to_vec(),
        );
        for blob in &file.blobs {
            let mut bytes = Vec::new();
            blob.open().unwrap().read_to_end(&mut bytes).unwrap();
            self.blob(blob.descriptor.digest, bytes, blob.config);
        }
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let contents = Contents::new(self.record.clone()).unwrap();
        let layout = Layout::new(&contents).unwrap();
        let mut writer = PlainStream::new(Vec::new(), layout);
        while let Some(digest) = writer.next_blob().unwrap() {
            writer
                .write_blob(&mut self.blobs[&digest].as_slice(), |_| {})
                .unwrap();
        }
        writer.finish().unwrap()
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::from_reader(Arc::new(self.bytes()), "test.tar", &reading()).unwrap()
    }
}

/// What is wrong with `bytes` as a bundle, found by opening or by reading all; nothing for a whole one.
pub(crate) fn faults(bytes: Vec<u8>) -> Vec<String> {
    match Bundle::from_reader(Arc::new(bytes), "test.tar", &reading()) {
        Err(error) => vec![error.to_string()],
        Ok(bundle) => {
            let problems = verified(&bundle, true).problems;
            let problems = problems.iter();
            problems.map(|problem| format!("{problem:?}")).collect()
        }
    }
}

/// What reading all of `bundle` finds.
pub(crate) fn verified(bundle: &Bundle, deep: bool) -> VerifyReport {
    let budget = Budget::new(1, 2);
    verify(bundle, deep, &budget, &Cancel::new(), &NoObserver).unwrap()
}

pub(crate) fn plain(media_type: &str, bytes: &[u8]) -> PlainDescriptor {
    PlainDescriptor::from(&Descriptor::of(media_type, bytes))
}

pub(crate) fn image_entry(reference: &str, descriptor: PlainDescriptor) -> ImageEntry {
    ImageEntry {
        reference: reference.parse().unwrap(),
        descriptor,
        source: ImageSource::Registry,
        original: None,
        platforms: Vec::new(),
        left_out: Vec::new(),
        new_digest: false,
    }
}

/// An artifact's manifest over `blobs`.
pub(crate) fn manifest_of(
    config: &[u8],
    layers: &[&[u8]],
    subject: Option<&PlainDescriptor>,
) -> Vec<u8> {
    let layers: Vec<Descriptor> = layers
        .iter()
        .map(|layer| Descriptor::of(media_type::OCI_LAYER_GZIP, layer))
        .collect();
    let mut manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": Descriptor::of(media_type::OCI_CONFIG, config), "layers": layers,
    });
    if let Some(subject) = subject {
        manifest["subject"] = serde_json::json!(Descriptor::from(subject));
    }
    manifest.to_string().into_bytes()
}

impl Content {
    /// An image over a config and layers, with all of its blobs.
    pub(crate) fn image(
        &mut self,
        config: &[u8],
        layers: &[&[u8]],
        subject: Option<&PlainDescriptor>,
    ) -> PlainDescriptor {
        let manifest = manifest_of(config, layers, subject);
        let descriptor = plain(media_type::OCI_MANIFEST, &manifest);
        self.blob(Digest::sha256(config), config.to_vec(), true);
        for layer in layers {
            self.blob(Digest::sha256(layer), layer.to_vec(), false);
        }
        self.manifest(descriptor.clone(), manifest);
        descriptor
    }
}

/// A little of everything that a bundle can have.
pub(crate) fn rich() -> Content {
    let mut content = Content::empty();
    let base: &[u8] = &b"base ".repeat(300);
    let amd64 = content.image(b"{\"a\":1}", &[base, b"amd64"], None);
    let arm64 = content.image(b"{\"a\":2}", &[base, b"arm64", b""], None);
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX,
        "manifests": [Descriptor::from(&amd64), Descriptor::from(&arm64)],
    });
    let index = index.to_string().into_bytes();
    let whole = plain(media_type::OCI_INDEX, &index);
    content.manifest(whole.clone(), index);
    let mut entry = image_entry("docker.io/library/app:1.0-", whole.clone());
    let platform = |architecture: &str| {
        Some(Platform {
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            os_version: Some("1.2".to_owned()),
            os_features: vec!["f".to_owned()],
            variant: Some("v8".to_owned()),
        })
    };
    entry.original = Some(plain(media_type::OCI_INDEX, b"the publisher's"));
    entry.platforms = vec![
        PlatformEntry {
            platform: platform("amd64"),
            digest: amd64.digest,
        },
        PlatformEntry {
            platform: None,
            digest: arm64.digest,
        },
    ];
    entry.left_out = vec![PlatformEntry {
        platform: platform("s390x"),
        digest: Digest::sha256(b"left out"),
    }];
    content.record.images.push(entry);
    let by_digest = format!("r.example:5000/a__b/c@{}", amd64.digest);
    let mut entry = image_entry(&by_digest, amd64.clone());
    entry.source = ImageSource::DockerArchive;
    entry.new_digest = true;
    content.record.images.push(entry);
    for (text, discovery) in [
        ("one", Discovery::Subject),
        (
            "two",
            Discovery::Tag(format!("{}.sig", whole.digest.referrers_tag())),
        ),
    ] {
        let descriptor = content.image(b"{}", &[text.as_bytes()], Some(&whole));
        content.record.referrers.push(ReferrerEntry {
            repository: "docker.io/library/app".to_owned(),
            subject: whole.digest,
            descriptor,
            artifact_type: (text == "one").then(|| "application/x; é=\"\u{1}\"".to_owned()),
            discovery,
        });
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Note & more.txt"), b"text").unwrap();
    let path = folder.path().join("Note & more.txt");
    content.carry(&carry(&path, &CarryOptions::default(), &Cancel::new()).unwrap());
    let wide = b"named by its SHA-512".to_vec();
    content.blob(Digest::of(Algorithm::Sha512, &wide), wide, false);
    content
}

/// A seeded source of numbers: `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }
}

/// A tar taken apart: the blocks of each entry, the end apart.
pub(crate) fn entries(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while bytes[at..at + 512] != [0; 512] {
        let start = at;
        loop {
            let header = tar::Header::from_byte_slice(&bytes[at..at + 512]);
            let size = usize::try_from(header.entry_size().unwrap()).unwrap();
            at += 512 + size.next_multiple_of(512);
            if header.entry_type() != tar::EntryType::GNULongName {
                break;
            }
        }
        entries.push(bytes[start..at].to_vec());
    }
    entries
}

/// The tar of `entries`.
pub(crate) fn joined(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// The output of a real program, or nothing where it is not installed.
pub(crate) fn program(name: &str) -> Option<std::process::Command> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    if found {
        return Some(std::process::Command::new(name));
    }
    skipped(&format!("{name} is not installed"));
    None
}

/// Says that a test is skipped, unless all of them have to run.
pub(crate) fn skipped(why: &str) {
    assert!(
        std::env::var_os("SEALIFT_REQUIRE_REAL").is_none_or(|value| value != "1"),
        "{why}"
    );
    println!("SKIPPED: {why}");
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut std::process::Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
