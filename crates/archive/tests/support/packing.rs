//! Building compact bundles and deltas in tests.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Write;
use std::sync::Arc;

use regzip::{Compressor, Encoder, Go};
use sealift_archive::{
    BaseFile, Bundle, CompactOptions, CompactReport, ConvertError, Effort, FileTarget, OutputFile,
    Work, compact_plan, write_compact, write_delta,
};
use sealift_pipeline::{Budget, Cancel, NoObserver, Observer};
use tempfile::TempDir;

use super::Random;

/// Content that repeats itself in part, as programs do.
pub(crate) fn text(seed: u64, words: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut text = Vec::new();
    for number in 0..words {
        let word = random.below(5000);
        text.extend_from_slice(format!("word {word} of {number} ").as_bytes());
    }
    text
}

/// A gzip stream by an encoder that is found at once.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let header = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut writer = Compressor::new(Encoder::Go(Go { level: 6 }), header).unwrap();
    writer.write_all(content).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut out = writer.finish().unwrap();
    out.extend(crc.sum().to_le_bytes());
    out.extend(crc.amount().to_le_bytes());
    out
}

/// A tar of files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A folder that bundles are written to.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn output(&self, name: &str) -> OutputFile {
        OutputFile {
            path: self.0.path().join(name),
            state_dir: None,
            replace: false,
        }
    }

    pub(crate) fn options(&self) -> CompactOptions {
        CompactOptions {
            effort: Effort::Fast,
            pack_bytes: 8 << 30,
            scratch: self.0.path().to_owned(),
        }
    }

    /// Packs `bundle` and returns the file.
    pub(crate) fn compact(
        &self,
        bundle: &Bundle,
        options: &CompactOptions,
        cancel: &Cancel,
        threads: usize,
    ) -> Result<(Vec<u8>, CompactReport), ConvertError> {
        self.delta(bundle, &[], options, cancel, threads)
    }

    /// Packs `bundle` on `bases`, or without if there are none, and returns the file.
    pub(crate) fn delta(
        &self,
        bundle: &Bundle,
        bases: &[BaseFile],
        options: &CompactOptions,
        cancel: &Cancel,
        threads: usize,
    ) -> Result<(Vec<u8>, CompactReport), ConvertError> {
        let observer: Arc<dyn Observer> = Arc::new(NoObserver);
        let work = Work {
            budget: &Budget::new(1, threads),
            cancel,
            observer: &observer,
        };
        self.packed(bundle, bases, options, &work)
    }

    /// The same as `work` says.
    pub(crate) fn packed(
        &self,
        bundle: &Bundle,
        bases: &[BaseFile],
        options: &CompactOptions,
        work: &Work<'_>,
    ) -> Result<(Vec<u8>, CompactReport), ConvertError> {
        let output = self.output("compact.tar");
        let plan = compact_plan(bundle, bases, options);
        let target = FileTarget::begin(&output, bundle.identity().0, &plan)?;
        let target = Box::new(target);
        let (published, report) = if bases.is_empty() {
            write_compact(bundle, target, options, work)?
        } else {
            write_delta(bundle, bases, target, options, work)?
        };
        let bytes = fs::read(&published.path).unwrap();
        fs::remove_file(&published.path).unwrap();
        assert_eq!(published.bytes, bytes.len() as u64);
        Ok((bytes, report))
    }
}
