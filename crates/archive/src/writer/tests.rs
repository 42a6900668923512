//! What is left when a step of writing fails, and what the next run makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use sealift_oci::Descriptor;

use super::*;
use crate::bundle::Bundle;
use crate::record::{BlobEntry, PlainDescriptor, Record};
use crate::stream::StreamWriter;

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

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Real.rename(from, to)
    }
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
        Layout::new(self.record.clone()).unwrap()
    }

    fn expected(&self) -> Vec<u8> {
        let mut writer = StreamWriter::new(Vec::new(), self.layout());
        while let Some(digest) = writer.next_blob().unwrap() {
            let mut bytes = self.blobs[&digest].as_slice();
            writer.write_blob(&mut bytes, |_| {}).unwrap();
        }
        writer.finish().unwrap().0
    }
}

fn journal(output: &Path) -> Journal {
    let mut journal = Journal::open(&with_suffix(output, ".journal")).unwrap();
    if journal.saved().request.is_none() {
        journal.begin(Digest::sha256(b"r"), "plan").unwrap();
    }
    journal
}

fn build(content: &Content, output: &Path, disk: Arc<dyn Disk>) -> Result<Finished, WriteError> {
    let writer = Writer::on(
        disk,
        output,
        content.layout(),
        journal(output),
        1,
        &Cancel::new(),
    )?;
    for (digest, bytes) in &content.blobs {
        writer.put(digest, bytes)?;
    }
    writer.finish()
}

fn build_in_order(
    content: &Content,
    output: &Path,
    disk: Arc<dyn Disk>,
) -> Result<Finished, WriteError> {
    let mut writer = StreamWriter::on(
        disk,
        output,
        content.layout(),
        journal(output),
        &Cancel::new(),
    )?;
    let fault = WriteError::io("write", output);
    let mut all = || -> io::Result<()> {
        while let Some(digest) = writer.next_blob()? {
            writer.write_blob(&mut content.blobs[&digest].as_slice(), |_| {})?;
        }
        Ok(())
    };
    all().map_err(fault)?;
    writer.finish_file()
}

/// Neither under the output's name nor under any other is a file that opens as a bundle.
fn nothing_looks_complete(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(Bundle::open(&path).is_err(), "{} opens", path.display());
    }
}

type Build = fn(&Content, &Path, Arc<dyn Disk>) -> Result<Finished, WriteError>;

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
                if disk.exhausted() && Bundle::open(&with_suffix(&output, ".partial")).is_err() {
                    nothing_looks_complete(folder.path());
                }
                build(&content, &output, Arc::new(Real)).unwrap();
                assert_eq!(fs::read(&output).unwrap(), expected);
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

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
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
        assert_eq!(fs::read(&output).unwrap(), content.expected());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any number of runs that end anywhere, each with a torn journal, and one that does not.
    #[test]
    fn runs_that_end_anywhere_ask_for_no_whole_blob_twice(
        ends in prop::collection::vec((0..7_usize, 0..9000_usize, 0..40_usize), 0..6)
    ) {
        let content = content();
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("b.tar");
        let path = with_suffix(&output, ".journal");
        let mut whole = BTreeSet::new();
        for (blobs, bytes, torn) in ends {
            let writer = Writer::create(
                &output, content.layout(), journal(&output), 2, &Cancel::new(),
            ).unwrap();
            let missing: Vec<&Digest> = content
                .blobs
                .keys()
                .filter(|digest| writer.state(digest) != BlobState::Whole)
                .collect();
            for digest in &whole {
                prop_assert_eq!(writer.state(digest), BlobState::Whole);
            }
            for digest in missing.iter().take(blobs) {
                writer.put(digest, &content.blobs[*digest]).unwrap();
                whole.insert(**digest);
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
            torn_line.extend_from_slice(&b"{\"whole\":\"sha256:0123456789abcdef0123456789abcdef"[..torn]);
            fs::write(&path, torn_line).unwrap();
            prop_assert!(Bundle::open(&with_suffix(&output, ".partial")).is_err());
            prop_assert!(length > 0);
        }
        build(&content, &output, Arc::new(Real)).unwrap();
        prop_assert_eq!(fs::read(&output).unwrap(), content.expected());
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
        fs::write(with_suffix(&output, ".partial"), &partial).unwrap();
        let writer = StreamWriter::to_file(
            &output, content.layout(), journal(&output), false, &Cancel::new(),
        ).unwrap();
        let layout = content.layout();
        for digest in writer.written() {
            let extent = layout.extent(&digest).unwrap();
            let end = usize::try_from(extent.offset + extent.size).unwrap();
            prop_assert!(end <= partial.len());
            prop_assert!(flip.is_none_or(|at| at < 512 || at >= end));
        }
        drop(writer);
        build_in_order(&content, &output, Arc::new(Real)).unwrap();
        prop_assert_eq!(fs::read(&output).unwrap(), expected);
    }
}
