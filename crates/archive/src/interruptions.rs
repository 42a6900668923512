//! What is left when writing is interrupted at any step, damaged or disturbed, and what the next run makes
//! of it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::{Budget, Cancel};

use crate::target::disk::{Disk, Real};
use crate::{
    BlobEntry, BlobState, Bundle, Contents, FileTarget, Layout, OutputFile, PlainDescriptor,
    PlainStream, PlainWriter, Published, Record, WriteError,
};

/// Lets the n-th step fail, and every one after it, as a full or broken disk does.
#[derive(Debug)]
struct Failing {
    left: AtomicU64,
    error: io::ErrorKind,
}

impl Failing {
    fn after(steps: u64, error: io::ErrorKind) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(steps),
            error,
        })
    }

    fn step(&self) -> io::Result<()> {
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| self.error.into())
    }

    fn exhausted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl Disk for Failing {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.step()?;
        // Short writes are legal, and what a full disk begins with.
        Real.write_at(file, &bytes[..bytes.len().min(777)], offset)
    }

    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.step()?;
        Real.set_len(file, bytes)
    }

    fn allocate(&self, file: &File, bytes: u64) -> io::Result<bool> {
        self.step()?;
        Real.allocate(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        Real.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path, replace: bool) -> io::Result<()> {
        self.step()?;
        Real.rename(from, to, replace)
    }
}

/// What bundles are opened with.
fn reading() -> crate::Reading {
    crate::Resources {
        budget: sealift_pipeline::Budget::new(1, 2),
        scratch: std::env::temp_dir(),
        cancel: sealift_pipeline::Cancel::new(),
    }
    .into()
}

struct Content {
    record: Record,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

fn content() -> Content {
    let mut content = Content {
        record: Record::empty(),
        blobs: BTreeMap::new(),
    };
    let mut layers = Vec::new();
    for size in [0_usize, 1, 512, 3000, 9000] {
        let bytes = vec![u8::try_from(size % 251).unwrap_or(0); size];
        let descriptor = Descriptor::of("application/octet-stream", &bytes);
        content.record.blobs.push(BlobEntry {
            digest: descriptor.digest,
            size: size as u64,
            config: size == 1,
        });
        content.blobs.insert(descriptor.digest, bytes);
        layers.push(descriptor);
    }
    let config = layers.remove(1);
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": sealift_oci::media_type::OCI_MANIFEST,
        "config": config, "layers": layers,
    })
    .to_string()
    .into_bytes();
    let descriptor = Descriptor::of(sealift_oci::media_type::OCI_MANIFEST, &manifest);
    content
        .record
        .manifests
        .push(PlainDescriptor::from(&descriptor));
    content.blobs.insert(descriptor.digest, manifest);
    content
}

impl Content {
    fn layout(&self) -> Layout {
        Layout::new(&Contents::new(self.record.clone()).unwrap()).unwrap()
    }

    fn expected(&self) -> Vec<u8> {
        let mut writer = PlainStream::new(Vec::new(), self.layout());
        while let Some(digest) = writer.next_blob().unwrap() {
            let mut bytes = self.blobs[&digest].as_slice();
            writer.write_blob(&mut bytes, |_| {}).unwrap();
        }
        writer.finish().unwrap()
    }
}

fn output_file(path: &Path) -> OutputFile {
    OutputFile {
        path: path.to_owned(),
        state_dir: None,
        replace: false,
    }
}

fn appended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn target(output: &Path, disk: Arc<dyn Disk>) -> Result<FileTarget, WriteError> {
    FileTarget::on(disk, &output_file(output), Digest::sha256(b"r"), "plan")
}

fn writer(
    content: &Content,
    output: &Path,
    disk: Arc<dyn Disk>,
) -> Result<PlainWriter, WriteError> {
    let target = target(output, disk)?;
    let budget = Budget::new(1, 1);
    PlainWriter::open(Box::new(target), content.layout(), &budget, &Cancel::new())
}

fn build(content: &Content, output: &Path, disk: Arc<dyn Disk>) -> Result<Published, WriteError> {
    let writer = writer(content, output, disk)?;
    for (digest, bytes) in &content.blobs {
        writer.put(digest, bytes)?;
    }
    writer.publish()
}

fn build_in_order(
    content: &Content,
    output: &Path,
    disk: Arc<dyn Disk>,
) -> Result<Published, WriteError> {
    let target = target(output, disk)?;
    let mut writer = PlainStream::resume(Box::new(target), content.layout(), &Cancel::new())?;
    let fault = WriteError::io("write", output);
    let mut all = || -> io::Result<()> {
        while let Some(digest) = writer.next_blob()? {
            writer.write_blob(&mut content.blobs[&digest].as_slice(), |_| {})?;
        }
        Ok(())
    };
    all().map_err(fault)?;
    writer.publish()
}

/// Neither under the output's name nor under any other is a file that opens as a bundle.
fn nothing_looks_complete(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            Bundle::open(&path, &reading()).is_err(),
            "{} opens",
            path.display()
        );
    }
}

type Build = fn(&Content, &Path, Arc<dyn Disk>) -> Result<Published, WriteError>;

#[test]
fn a_failure_at_any_step_leaves_nothing_that_looks_complete_and_the_next_run_finishes() {
    let content = content();
    let expected = content.expected();
    for build in [build as Build, build_in_order] {
        for error in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            let mut steps = 0;
            loop {
                let folder = tempfile::tempdir().unwrap();
                let output = folder.path().join("b.tar");
                let disk = Failing::after(steps, error);
                match build(&content, &output, Arc::<Failing>::clone(&disk)) {
                    Ok(_) => {
                        assert!(steps > 20, "only {steps} steps were tried");
                        break;
                    }
                    Err(fault) => assert!(disk.exhausted(), "{fault}"),
                }
                assert!(!output.exists());
                // When even the first block cannot be taken back, the partial file is whole and has
                // the wrong name: nobody asks for that one.
                if disk.exhausted()
                    && Bundle::open(&appended(&output, ".partial"), &reading()).is_err()
                {
                    nothing_looks_complete(folder.path());
                }
                build(&content, &output, Arc::new(Real)).unwrap();
                assert!(fs::read(&output).unwrap() == expected);
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
                steps += 1;
            }
        }
    }
}

/// Lets one step fail and all others succeed.
#[derive(Debug)]
struct FailsOnce(Failing);

impl Disk for FailsOnce {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.step()?;
        Real.write_at(file, bytes, offset)
    }

    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        Real.set_len(file, bytes)
    }

    fn allocate(&self, _: &File, _: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        Real.sync(file)
    }

    fn rename(&self, _: &Path, _: &Path, _: bool) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_file_that_cannot_be_renamed_does_not_stay_behind_as_a_bundle() {
    let content = content();
    for build in [build as Build, build_in_order] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("b.tar");
        let disk = FailsOnce(Failing {
            left: AtomicU64::new(u64::MAX),
            error: io::ErrorKind::Other,
        });
        let error = build(&content, &output, Arc::new(disk)).unwrap_err();
        assert!(
            matches!(
                error,
                WriteError::Io {
                    doing: "rename",
                    ..
                }
            ),
            "{error}"
        );
        nothing_looks_complete(folder.path());
        build(&content, &output, Arc::new(Real)).unwrap();
        assert!(fs::read(&output).unwrap() == content.expected());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any number of runs that end anywhere, each with a torn journal, and one that does not.
    #[test]
    fn runs_that_end_anywhere_request_no_complete_blob_twice(
        ends in prop::collection::vec((0..7_usize, 0..9000_usize, 0..40_usize), 0..6)
    ) {
        let content = content();
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("b.tar");
        let path = appended(&output, ".journal");
        let mut complete = BTreeSet::new();
        for (blobs, bytes, torn) in ends {
            let writer = writer(&content, &output, Arc::new(Real)).unwrap();
            let missing: Vec<&Digest> = content
                .blobs
                .keys()
                .filter(|digest| writer.state(digest) != BlobState::Complete)
                .collect();
            for digest in &complete {
                prop_assert_eq!(writer.state(digest), BlobState::Complete);
            }
            for digest in missing.iter().take(blobs) {
                writer.put(digest, &content.blobs[*digest]).unwrap();
                complete.insert(**digest);
            }
            if let Some(digest) = missing.get(blobs) {
                let mut sink = writer.blob(digest, true).unwrap();
                let all = &content.blobs[*digest];
                sink.write_all(&all[..bytes.min(all.len())]).unwrap();
            }
            drop(writer);
            // The last write to the journal may be cut off.
            let length = fs::metadata(&path).unwrap().len();
            let mut torn_line = fs::read(&path).unwrap();
            torn_line.extend_from_slice(&b"0123456789abcdef {\"complete\":\"sha256:0123456789abcdef0123456789abcdef"[..torn]);
            fs::write(&path, torn_line).unwrap();
            prop_assert!(Bundle::open(&appended(&output, ".partial"), &reading()).is_err());
            prop_assert!(length > 0);
        }
        build(&content, &output, Arc::new(Real)).unwrap();
        prop_assert!(fs::read(&output).unwrap() == content.expected());
    }

    /// A file that is written in order and is cut anywhere, or damaged anywhere, is taken up where it is
    /// still right.
    #[test]
    fn an_ordered_file_that_was_cut_or_damaged_is_taken_up(
        cut in 0..20_000_usize, flip in prop::option::of(0..20_000_usize)
    ) {
        let content = content();
        let expected = content.expected();
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("b.tar");
        let mut partial = expected.clone();
        partial[..512].fill(0);
        let limit = partial.len();
        partial.truncate(cut.min(limit));
        if let Some(at) = flip.filter(|at| *at < partial.len()) {
            partial[at] ^= 1;
        }
        // The journal of the run that left the file.
        drop(target(&output, Arc::new(Real)).unwrap());
        fs::write(appended(&output, ".partial"), &partial).unwrap();
        let resumed = target(&output, Arc::new(Real)).unwrap();
        let writer =
            PlainStream::resume(Box::new(resumed), content.layout(), &Cancel::new()).unwrap();
        let layout = content.layout();
        for digest in writer.written() {
            let extent = layout.extent(&digest).unwrap();
            let end = usize::try_from(extent.offset + extent.size).unwrap();
            prop_assert!(end <= partial.len());
            prop_assert!(flip.is_none_or(|at| at < 512 || at >= end));
        }
        drop(writer);
        build_in_order(&content, &output, Arc::new(Real)).unwrap();
        prop_assert!(fs::read(&output).unwrap() == expected);
    }
}

/// One flipped bit in whatever an interrupted run left never gives a bundle with other bytes: what no
/// digest covers is written again, what a digest covers is read again, and no damaged line is believed.
#[test]
fn damage_to_what_an_interrupted_run_left_does_not_reach_the_bundle() {
    let content = content();
    let expected = content.expected();
    let left = tempfile::tempdir().unwrap();
    let output = left.path().join("b.tar");
    let first = writer(&content, &output, Arc::new(Real)).unwrap();
    for (digest, bytes) in content.blobs.iter().take(4) {
        first.put(digest, bytes).unwrap();
    }
    drop(first);
    for name in ["b.tar.partial", "b.tar.journal"] {
        let bytes = fs::read(left.path().join(name)).unwrap();
        for at in (0..bytes.len()).step_by(19) {
            let folder = tempfile::tempdir().unwrap();
            for file in ["b.tar.partial", "b.tar.journal"] {
                fs::copy(left.path().join(file), folder.path().join(file)).unwrap();
            }
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(folder.path().join(name), damaged).unwrap();
            let output = folder.path().join("b.tar");
            match build(&content, &output, Arc::new(Real)) {
                Ok(_) => assert!(fs::read(&output).unwrap() == expected, "{name} {at}"),
                Err(error) => assert!(
                    matches!(error, WriteError::Foreign { .. }),
                    "{name} {at}: {error}"
                ),
            }
        }
    }
}

#[test]
fn two_runs_do_not_write_one_output_wherever_their_journals_are() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("b.tar");
    let first = writer(&content, &output, Arc::new(Real)).unwrap();
    for replace in [false, true] {
        let other = OutputFile {
            path: output.clone(),
            state_dir: Some(folder.path().join("state")),
            replace,
        };
        for request in [&b"r"[..], b"another"] {
            let second = FileTarget::begin(&other, Digest::sha256(request), "plan");
            assert!(matches!(second, Err(WriteError::Locked { .. })));
        }
    }
    for (digest, bytes) in &content.blobs {
        first.put(digest, bytes).unwrap();
    }
    first.publish().unwrap();
    assert!(fs::read(&output).unwrap() == content.expected());
}

#[test]
fn only_the_file_that_was_written_is_published() {
    let content = content();
    for replaced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("b.tar");
        let writer = writer(&content, &output, Arc::new(Real)).unwrap();
        for (digest, bytes) in &content.blobs {
            writer.put(digest, bytes).unwrap();
        }
        let partial = appended(&output, ".partial");
        fs::remove_file(&partial).unwrap();
        if replaced {
            fs::write(&partial, "something else").unwrap();
        }
        let error = writer.publish().unwrap_err();
        assert!(matches!(error, WriteError::Replaced { .. }), "{error}");
        assert!(!output.exists());
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("b.tar");
    let writer = writer(&content, &output, Arc::new(Real)).unwrap();
    for (digest, bytes) in &content.blobs {
        writer.put(digest, bytes).unwrap();
    }
    fs::write(&output, "mine").unwrap();
    let error = writer.publish().unwrap_err();
    assert!(matches!(error, WriteError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&output).unwrap(), b"mine");
    fs::remove_file(&output).unwrap();
    build(&content, &output, Arc::new(Real)).unwrap();
    assert!(fs::read(&output).unwrap() == content.expected());
}

#[test]
fn files_of_the_users_own_are_neither_written_nor_replaced() {
    let content = content();
    for name in ["b.tar.partial", "b.tar.journal"] {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(name);
        fs::write(&own, "notes of my own").unwrap();
        let error = build(&content, &folder.path().join("b.tar"), Arc::new(Real)).unwrap_err();
        assert!(matches!(error, WriteError::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&own).unwrap(), b"notes of my own");
    }
    for link in ["b.tar", "b.tar.partial", "b.tar.journal"] {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::write(&own, "notes of my own").unwrap();
        std::os::unix::fs::symlink(&own, folder.path().join(link)).unwrap();
        let output = OutputFile {
            replace: true,
            ..output_file(&folder.path().join("b.tar"))
        };
        let begun = FileTarget::begin(&output, Digest::sha256(b"r"), "plan");
        assert!(matches!(begun, Err(WriteError::NotRegular { .. })));
        assert_eq!(fs::read(&own).unwrap(), b"notes of my own");
    }
}
