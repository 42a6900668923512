//! What several tests of this crate need.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use sealift_archive::{
    BlobEntry, Bundle, CarriedFile, Layout, PlainDescriptor, Record, StreamWriter,
};
use sealift_oci::Digest;

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
        let layout = Layout::new(self.record.clone()).unwrap();
        let mut writer = StreamWriter::new(Vec::new(), layout);
        while let Some(digest) = writer.next_blob().unwrap() {
            writer
                .write_blob(&mut self.blobs[&digest].as_slice(), |_| {})
                .unwrap();
        }
        writer.finish().unwrap().0
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::from_reader(Arc::new(self.bytes()), "test.tar").unwrap()
    }
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
