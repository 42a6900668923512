//! What a delta promises: the contents of the complete bundle, byte for byte, without what its bases have.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sealift_archive::{
    BaseFile, BaseFiles, Bases, BasesError, BlobEntry, Bundle, ChainError, CompactOptions,
    CompactReport, Contents, ConvertError, FileTarget, Location, MemoryStore, NamedStore, Profile,
    Store, Work, absent_blob_of, open_local, record_plan, stream_plain, write_record,
};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, Event, NoObserver, Observer};
use support::packing::{Folder, gzip, tar, text};
use support::releases::{base_file, based, delta, delta_of, opened, release, stays};
use support::{Content, entries, image_entry, joined, reading, verified};

fn exported(bundle: &Bundle) -> Result<Vec<u8>, ConvertError> {
    let observer: Arc<dyn Observer> = Arc::new(NoObserver);
    let (budget, cancel) = (Budget::new(1, 2), Cancel::new());
    let work = Work {
        budget: &budget,
        cancel: &cancel,
        observer: &observer,
    };
    let mut bytes = Vec::new();
    stream_plain(bundle, &mut bytes, &work)?;
    Ok(bytes)
}

#[test]
fn a_delta_leaves_out_what_its_base_has_and_is_the_bundle_again_with_it() {
    let new = release(2);
    let plain = new.bundle();
    let (bytes, report) = delta(&plain, release(1).bundle());
    let left_out = report.delta.unwrap();
    assert_eq!(left_out.left_out_blobs, 1);
    assert_eq!(left_out.bases, [release(1).bundle().identity()]);
    assert!(left_out.left_out_bytes > 10_000);
    let (complete, _) = {
        let folder = Folder::new();
        let options = folder.options();
        let compact = folder.compact(&plain, &options, &Cancel::new(), 2);
        compact.unwrap()
    };
    assert!((bytes.len() as u64) < complete.len() as u64);
    let bundle = opened(bytes, &based(vec![release(1).bundle()])).unwrap();
    assert_eq!(bundle.identity(), plain.identity());
    assert_eq!(bundle.profile(), Profile::Delta);
    assert_eq!(bundle.delta().unwrap().chain(), 1);
    assert!(exported(&bundle).unwrap() == new.bytes());
    assert!(verified(&bundle, true).problems.is_empty());
    // The compact bundle of the same contents is the same too.
    let folder = Folder::new();
    let again = folder.compact(&bundle, &folder.options(), &Cancel::new(), 2);
    assert!(again.unwrap().0 == complete);
}

#[test]
fn a_base_may_have_any_profile() {
    let folder = Folder::new();
    let base = release(1).bundle();
    let (compact, _) = folder
        .compact(&base, &folder.options(), &Cancel::new(), 2)
        .unwrap();
    let expected = delta_of(1, 2);
    let compact = || opened(compact.clone(), &reading()).unwrap();
    let (bytes, _) = delta(&release(2).bundle(), compact());
    assert!(bytes == expected, "the profile of a base changes nothing");
    let bundle = opened(bytes, &based(vec![compact()])).unwrap();
    assert!(exported(&bundle).unwrap() == release(2).bytes());
}

#[test]
fn without_its_base_a_delta_says_what_it_needs() {
    let bundle = opened(delta_of(1, 2), &reading()).unwrap();
    // The file itself can be checked, and what it carries is known.
    assert!(verified(&bundle, false).problems.is_empty());
    let base = release(1).bundle();
    let known = &bundle.delta().unwrap().bases()[0];
    assert_eq!(known.identity(), base.identity());
    assert_eq!(known.record(), base.record());
    let error = exported(&bundle).unwrap_err();
    let ConvertError::Absent(absent) = &error else {
        panic!("{error}");
    };
    assert_eq!(absent.absent[0].base, base.identity());
    assert!(absent.absent[0].blobs.contains(&stays()));
    let text = error.to_string();
    for part in [
        "delta.tar",
        &base.identity().to_string(),
        "r.example/first:1",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let read = bundle.blob(&stays()).err().unwrap();
    assert_eq!(absent_blob_of(&read).unwrap().base, base.identity());
    // What the file has can be read nevertheless.
    let sizes = bundle.sizes();
    let there = sizes.filter(|(digest, _)| bundle.check_readable([*digest]).is_ok());
    for (digest, size) in there.collect::<Vec<_>>() {
        let mut bytes = Vec::new();
        let mut reader = bundle.blob(&digest).unwrap();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, size);
    }
}

#[test]
fn another_bundle_with_the_same_blobs_serves_as_well() {
    let mut other = release(1);
    other.record.images.truncate(1);
    let delta = opened(delta_of(1, 2), &based(vec![other.bundle()])).unwrap();
    assert!(exported(&delta).unwrap() == release(2).bytes());
}

#[test]
fn a_wrong_base_is_as_good_as_none() {
    let mut other = Content::empty();
    let descriptor = other.image(b"{}", &[b"something else"], None);
    let image = image_entry("r.example/other:1", descriptor);
    other.record.images.push(image);
    let delta = opened(delta_of(1, 2), &based(vec![other.bundle()])).unwrap();
    assert!(matches!(exported(&delta), Err(ConvertError::Absent(_))));
}

#[test]
fn a_base_with_other_bytes_than_its_digests_is_found_before_its_bytes_are_used() {
    let damaged = damaged(release(1), &stays());
    let bundle = opened(delta_of(1, 2), &based(vec![damaged])).unwrap();
    let problems = verified(&bundle, true).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].entry.contains("damaged.tar"), "{problems:?}");
    let error = exported(&bundle).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
}

#[test]
fn a_chain_of_deltas_is_resolved() {
    let second = opened(delta_of(1, 2), &based(vec![release(1).bundle()])).unwrap();
    let (bytes, _) = delta(&release(3).bundle(), second);
    // Neither the profile nor the chain of a base is in the bytes.
    assert!(bytes == delta_of(2, 3));
    let chain = || {
        vec![
            opened(delta_of(1, 2), &reading()).unwrap(),
            release(1).bundle(),
        ]
    };
    let third = opened(bytes.clone(), &based(chain())).unwrap();
    assert_eq!(third.delta().unwrap().chain(), 2);
    assert!(exported(&third).unwrap() == release(3).bytes());
    // A link is missing: the one in the middle is there, but not what that one needs.
    let broken = based(chain().into_iter().take(1).collect());
    let third = opened(bytes, &broken).unwrap();
    assert!(matches!(exported(&third), Err(ConvertError::Absent(_))));
}

#[test]
fn a_bundle_that_another_base_builds_on_is_not_a_base_itself() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.path().join(name);
    fs::write(path("1.tar"), release(1).bytes()).unwrap();
    fs::write(path("2.tar"), delta_of(1, 2)).unwrap();
    let paths = [path("2.tar"), path("1.tar")];
    let files = BaseFiles::open(&paths, &reading().resources).unwrap();
    let names: Vec<&str> = files.list().iter().map(BaseFile::name).collect();
    assert_eq!(names, [path("2.tar").to_str().unwrap()]);
    assert_eq!(files.bundles().iter().count(), 2);
}

#[test]
fn deltas_that_build_on_each_other_in_a_circle_are_refused() {
    let one = opened(delta_of(1, 2), &reading()).unwrap();
    let two = opened(delta_of(2, 1), &reading()).unwrap();
    let error = Bases::of_bundles(vec![one, two]).err().unwrap();
    assert!(matches!(error, ChainError::Circle { .. }), "{error}");
    // The bundle that is opened may be part of the circle.
    let reading = based(vec![opened(delta_of(2, 1), &reading()).unwrap()]);
    let error = opened(delta_of(1, 2), &reading).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("in a circle"), "{text}");
    // A bundle that is its own base leaves everything out and can be read from a complete one only.
    let error = opened(delta_of(2, 2), &self::reading()).err().unwrap();
    assert!(error.to_string().contains("in a circle"), "{error}");
    let complete = based(vec![release(2).bundle()]);
    let read = opened(delta_of(2, 2), &complete).unwrap();
    assert!(exported(&read).unwrap() == release(2).bytes());
}

#[test]
fn a_chain_has_a_limit() {
    let small = |version: u64| {
        let mut content = Content::empty();
        let layer = format!("release {version}");
        let descriptor = content.image(b"{}", &[layer.as_bytes()], None);
        let image = image_entry("r.example/small:1", descriptor);
        content.record.images.push(image);
        content.bundle()
    };
    let deltas: Vec<Vec<u8>> = (1..=17)
        .map(|version| delta(&small(version + 1), small(version)).0)
        .collect();
    let first = |count: usize| -> Vec<Bundle> {
        let deltas = deltas[..count].iter().rev();
        let deltas = deltas.map(|bytes| opened(bytes.clone(), &reading()).unwrap());
        deltas.chain([small(1)]).collect()
    };
    let error = Bases::of_bundles(first(17)).err().unwrap();
    assert!(matches!(error, ChainError::TooLong { .. }), "{error}");
    // The bundle that is opened counts.
    let last = opened(deltas[15].clone(), &based(first(15))).unwrap();
    assert_eq!(last.delta().unwrap().chain(), 16);
    assert!(exported(&last).is_ok());
    let error = opened(deltas[16].clone(), &based(first(16))).err().unwrap();
    assert!(error.to_string().contains("more than 16 deltas"), "{error}");
}

#[test]
fn nothing_is_built_on_the_end_of_a_chain_that_is_as_long_as_allowed() {
    let folder = Folder::new();
    let bytes: Vec<Vec<u8>> = (1..17)
        .map(|version| delta_of(version, version + 1))
        .collect();
    let mut paths: Vec<PathBuf> = Vec::new();
    for (number, bytes) in [release(1).bytes()].iter().chain(&bytes).enumerate() {
        let path = folder.0.path().join(format!("{number}.tar"));
        fs::write(&path, bytes).unwrap();
        paths.push(path);
    }
    let resources = reading().resources;
    assert!(BaseFiles::open(&paths[..16], &resources).is_ok());
    assert!(Bases::open(&paths, &resources).is_ok());
    let error = BaseFiles::open(&paths, &resources).err().unwrap();
    let full = matches!(error, BasesError::Chain(ChainError::Full { .. }));
    assert!(full, "{error}");
}

/// A store that counts how often it is asked for a blob that it cannot read.
struct Counting {
    blobs: MemoryStore,
    asked: Arc<AtomicU32>,
}

impl Store for Counting {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.size(digest)
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        self.blobs.open(digest, from)
    }

    fn locate(&self, digest: &Digest) -> Location {
        self.blobs.locate(digest)
    }

    fn is_readable(&self, _: &Digest) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        false
    }
}

#[test]
fn a_blob_is_looked_for_once_in_each_store_however_many_paths_lead_to_it() {
    const ROWS: u64 = 8;
    const COLUMNS: u64 = 3;
    let row = |row: u64| (1..=COLUMNS).map(move |column| release(row * 10 + column));
    let folder = Folder::new();
    let mut given = Vec::new();
    for number in 1..ROWS {
        let bases: Vec<BaseFile> = row(number + 1)
            .map(|base| base_file(base.bundle()))
            .collect();
        for new in row(number) {
            let delta = folder.delta(&new.bundle(), &bases, &folder.options(), &Cancel::new(), 2);
            given.push(opened(delta.unwrap().0, &reading()).unwrap());
        }
    }
    let asked = Arc::new(AtomicU32::new(0));
    for last in row(ROWS) {
        let store = Counting {
            blobs: last.blobs.into_iter().collect(),
            asked: Arc::clone(&asked),
        };
        let contents = Contents::new(last.record).unwrap();
        given.push(Bundle::from_store(contents, Arc::new(store), "last.tar").unwrap());
    }
    let bases = Bases::of_bundles(given).unwrap();
    let first = bases.iter().next().unwrap();
    assert!(!first.delta().unwrap().has(&stays()));
    let asked = asked.load(Ordering::Relaxed);
    let deltas = u32::try_from((ROWS - 1) * COLUMNS).unwrap();
    let most = deltas * 2 * u32::try_from(COLUMNS).unwrap();
    assert!(asked <= most, "{asked} for {deltas} deltas");
    // What reading it would need is counted in the same way.
    assert_eq!(first.scratch([stays()]), 0);
}

/// A release of four programs that change a little, and are too large to share a pack of 40 kB.
fn programs(version: u8) -> Content {
    let mut content = Content::empty();
    for number in 0..4 {
        let mut program = text(20 + number, 1_500);
        for at in (0..program.len()).step_by(1_000) {
            program[at] = program[at].wrapping_add(version);
        }
        let layer = gzip(&tar(&[("bin/program", &program)]));
        let config = format!("{{\"release\":{version},\"program\":{number}}}");
        let descriptor = content.image(config.as_bytes(), &[&layer], None);
        let name = format!("r.example/program-{number}:{version}");
        content.record.images.push(image_entry(&name, descriptor));
    }
    content
}

/// Counts how often steps of a build begin, and stops the build when one begins for the given time.
struct Steps {
    counts: Mutex<BTreeMap<String, u32>>,
    stop: Option<(&'static str, u32)>,
    cancel: Cancel,
}

impl Observer for Steps {
    fn event(&self, event: &Event<'_>) {
        let Event::Phase { name } = event else { return };
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry((*name).to_owned()).or_default();
        *count += 1;
        if self.stop == Some((*name, *count)) {
            self.cancel.cancel();
        }
    }
}

/// Builds the second release of [`programs`] in `folder`, up to a step; and how many packs were compressed.
fn build_programs(
    folder: &Folder,
    stop: Option<(&'static str, u32)>,
) -> (Result<(Vec<u8>, CompactReport), ConvertError>, u32) {
    let steps = Arc::new(Steps {
        counts: Mutex::default(),
        stop,
        cancel: Cancel::new(),
    });
    let observer: Arc<dyn Observer> = Arc::<Steps>::clone(&steps);
    let work = Work {
        budget: &Budget::new(1, 2),
        cancel: &steps.cancel,
        observer: &observer,
    };
    let options = CompactOptions {
        pack_bytes: 40_000,
        ..folder.options()
    };
    let bases = [base_file(programs(1).bundle())];
    let built = folder.packed(&programs(2).bundle(), &bases, &options, &work);
    let counts = steps.counts.lock().unwrap();
    let compressed = counts.get("compressing").copied().unwrap_or(0);
    drop(counts);
    (built, compressed)
}

#[test]
fn a_build_that_is_stopped_inside_of_a_pack_keeps_the_finished_ones_and_ends_with_the_same_bytes() {
    let (expected, packs) = build_programs(&Folder::new(), None);
    let (expected, report) = expected.unwrap();
    assert_eq!(u64::from(packs), report.packs);
    assert!(packs >= 4, "{packs} packs");
    for (step, pack) in [
        ("opening", 2),
        ("relating", 2),
        ("compressing", 2),
        ("proving", 1),
        ("proving", packs),
    ] {
        let folder = Folder::new();
        let (stopped, _) = build_programs(&folder, Some((step, pack)));
        let stopped = stopped.map(drop);
        assert!(
            matches!(stopped, Err(ConvertError::Cancelled(_))),
            "{step} of pack {pack}: {stopped:?}"
        );
        let (resumed, built) = build_programs(&folder, None);
        let (bytes, again) = resumed.unwrap();
        assert!(bytes == expected, "{step} of pack {pack}");
        assert_eq!(again, report, "{step} of pack {pack}");
        assert_eq!(built, packs - (pack - 1), "{step} of pack {pack}");
    }
}

#[test]
fn a_delta_that_says_something_else_of_its_base_is_refused() {
    let bytes = delta_of(1, 2);
    let parts = entries(&bytes);
    assert!(opened(joined(&parts), &reading()).is_ok());
    // Without one of its parts, whichever that is.
    for missing in 0..parts.len() {
        let mut rest = parts.clone();
        rest.remove(missing);
        let directory = parts[missing][156] == b'5';
        assert_eq!(
            opened(joined(&rest), &reading()).is_ok(),
            directory,
            "{missing}"
        );
    }
    // With any bit changed it is refused, or reading it finds the change.
    for at in (600..bytes.len()).step_by(bytes.len() / 60) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        if let Ok(bundle) = opened(damaged, &reading()) {
            assert!(!verified(&bundle, false).problems.is_empty(), "byte {at}");
        }
    }
}

#[test]
fn an_artifact_of_a_later_version_is_refused_by_its_name() {
    let text = "application/vnd.sealift.delta.v1";
    let bytes = delta_of(1, 2);
    let mut parts = entries(&bytes);
    let manifest = parts.len() - 2;
    let position = |part: &[u8]| {
        part.windows(text.len())
            .position(|at| at == text.as_bytes())
    };
    let content_end = {
        let header = &parts[manifest];
        let size = std::str::from_utf8(&header[124..135]).unwrap();
        512 + usize::from_str_radix(size, 8).unwrap()
    };
    let at = position(&parts[manifest]).unwrap();
    parts[manifest][at + text.len() - 1] = b'9';
    let digest = Digest::sha256(&parts[manifest][512..content_end]);
    let mut builder = BTreeMap::new();
    builder.insert("name", digest.blob_path());
    let renamed = {
        let mut header = tar_header(&parts[manifest]);
        header.set_path(&builder["name"]).unwrap();
        header.set_cksum();
        [header.as_bytes().as_slice(), &parts[manifest][512..]].concat()
    };
    let old = {
        let header = tar_header(&parts[manifest]);
        let path = header.path().unwrap().display().to_string();
        format!("sha256:{}", path.rsplit('/').next().unwrap())
    };
    parts[manifest] = renamed;
    let index = String::from_utf8(parts[manifest + 1].clone()).unwrap();
    parts[manifest + 1] = index
        .replace(&old, &digest.to_string())
        .replace(text, "application/vnd.sealift.delta.v9")
        .into_bytes();
    let error = opened(joined(&parts), &reading())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("application/vnd.sealift.delta.v9"),
        "{error}"
    );
}

fn tar_header(entry: &[u8]) -> tar::Header {
    tar::Header::from_byte_slice(&entry[..512]).clone()
}

#[test]
fn images_of_a_delta_are_bundled_again_only_with_its_base() {
    let folder = Folder::new();
    let path: PathBuf = folder.0.path().join("delta.tar");
    fs::write(&path, delta_of(1, 2)).unwrap();
    let error = open_local(&path, &reading()).err().unwrap().to_string();
    let base = release(1).bundle();
    assert!(error.contains(&base.identity().to_string()), "{error}");
    let images = open_local(&path, &based(vec![base])).unwrap();
    assert_eq!(images.images().len(), 2);
}

#[test]
fn another_store_can_be_added_to_an_open_delta() {
    let store: MemoryStore = release(1).blobs.into_iter().collect();
    let bundle = opened(delta_of(1, 2), &reading()).unwrap();
    let bundle = bundle.with_base(NamedStore {
        name: "a registry".to_owned(),
        store: Arc::new(store),
    });
    assert!(exported(&bundle).unwrap() == release(2).bytes());
}

/// The record of `bundle` in `folder`.
fn recorded(folder: &Folder, bundle: &Bundle) -> PathBuf {
    try_recorded(folder, bundle).unwrap()
}

fn try_recorded(folder: &Folder, bundle: &Bundle) -> Result<PathBuf, ConvertError> {
    let output = folder.output("old.record");
    let target = FileTarget::begin(&output, bundle.identity().0, &record_plan(bundle)).unwrap();
    let observer: Arc<dyn Observer> = Arc::new(NoObserver);
    let (budget, cancel) = (Budget::new(1, 2), Cancel::new());
    let work = Work {
        budget: &budget,
        cancel: &cancel,
        observer: &observer,
    };
    write_record(bundle, Box::new(target), &folder.options(), &work)?;
    Ok(output.path)
}

/// The release with one bit of a blob flipped.
fn damaged(content: Content, digest: &Digest) -> Bundle {
    let mut blobs = content.blobs;
    let bytes = blobs.get_mut(digest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let contents = Contents::new(content.record).unwrap();
    let store: MemoryStore = blobs.into_iter().collect();
    Bundle::from_store(contents, Arc::new(store), "damaged.tar").unwrap()
}

#[test]
fn no_record_is_written_of_a_bundle_with_a_corrupt_blob() {
    let blobs = release(1).record.blobs;
    for BlobEntry { digest, .. } in blobs {
        let folder = Folder::new();
        let bundle = damaged(release(1), &digest);
        let error = try_recorded(&folder, &bundle).unwrap_err();
        assert!(error.is_corrupt(), "{error}");
        let text = error.to_string();
        assert!(text.contains("damaged.tar"), "{text}");
        assert!(text.contains(&digest.hex()), "{text}");
        assert!(!folder.output("old.record").path.exists());
    }
}

#[test]
fn a_record_is_a_base_without_bytes() {
    let folder = Folder::new();
    let (old, new) = (release(1), release(2));
    let path = recorded(&folder, &old.bundle());
    assert!(fs::metadata(&path).unwrap().len() < old.bytes().len() as u64 / 2);
    let files = BaseFiles::open(std::slice::from_ref(&path), &reading().resources).unwrap();
    assert_eq!(files.list()[0].identity(), old.bundle().identity());
    assert!(files.list()[0].blobs().is_none());
    let (bytes, report) = folder
        .delta(
            &new.bundle(),
            files.list(),
            &folder.options(),
            &Cancel::new(),
            2,
        )
        .unwrap();
    assert_eq!(report.delta.unwrap().left_out_blobs, 1);
    let bundle = opened(bytes, &based(vec![old.bundle()])).unwrap();
    assert!(exported(&bundle).unwrap() == new.bytes());
    // A record has no blobs to read a delta with, and is not a bundle.
    let error = Bases::open(std::slice::from_ref(&path), &reading().resources)
        .err()
        .unwrap();
    assert!(matches!(error, BasesError::NoBlobs { .. }), "{error}");
    let error = Bundle::open(&path, &reading()).err().unwrap().to_string();
    assert!(error.contains("record of a bundle"), "{error}");
}

#[test]
fn equal_files_are_found_by_a_record_and_what_is_assumed_is_reported() {
    let release = |version: &str| {
        let mut content = Content::empty();
        let stays = text(7, 6_000);
        let layer = gzip(&tar(&[
            ("lib/stays", &stays),
            ("lib/changes", version.as_bytes()),
        ]));
        let descriptor = content.image(version.as_bytes(), &[&layer], None);
        let image = image_entry("r.example/app:1", descriptor);
        content.record.images.push(image);
        content
    };
    let (old, new) = (release("{\"release\":1}"), release("{\"release\":2}"));
    let folder = Folder::new();
    let path = recorded(&folder, &old.bundle());
    let files = BaseFiles::open(&[path], &reading().resources).unwrap();
    let (bytes, report) = folder
        .delta(
            &new.bundle(),
            files.list(),
            &folder.options(),
            &Cancel::new(),
            2,
        )
        .unwrap();
    let report = report.delta.unwrap();
    assert_eq!((report.left_out_blobs, report.base_blobs), (0, 1));
    assert_eq!(report.assumed.len(), 1);
    let bundle = opened(bytes, &based(vec![old.bundle()])).unwrap();
    assert_eq!(bundle.delta().unwrap().needed().len(), 1);
    assert!(exported(&bundle).unwrap() == new.bytes());
}

#[test]
fn a_layer_that_changed_needs_what_is_equal_in_the_base() {
    let (bytes, report) = delta(&release(2).bundle(), release(1).bundle());
    assert!(report.delta.unwrap().base_blobs > 0);
    let bundle = opened(bytes, &reading()).unwrap();
    let delta = bundle.delta().unwrap();
    // The layer that changed needs one of the base; a base whose bytes are others is noticed before they are used.
    let changed = delta.needed().keys().find(|digest| **digest != stays());
    let changed = *changed.unwrap();
    let mut blobs = release(1).blobs;
    let middle = blobs[&changed].len() / 2;
    blobs.get_mut(&changed).unwrap()[middle] ^= 1;
    let store: MemoryStore = blobs.into_iter().collect();
    let damaged = bundle.with_base(NamedStore {
        name: "damaged.tar".to_owned(),
        store: Arc::new(store),
    });
    let problems = verified(&damaged, true).problems;
    assert!(!problems.is_empty());
    assert!(problems[0].what.contains("damaged.tar"), "{problems:?}");
}

#[test]
fn a_base_that_is_not_what_its_record_says_stops_the_build() {
    let base = release(1);
    let mut blobs = base.blobs;
    let layers = blobs.iter().filter(|(digest, _)| **digest != stays());
    let changed = *layers.max_by_key(|(_, bytes)| bytes.len()).unwrap().0;
    // Its content is another, and its gzip is intact.
    let other = gzip(&tar(&[("bin/program", &text(2, 8_000))]));
    let size = blobs[&changed].len();
    let mut padded = other;
    padded.resize(size, 0);
    blobs.insert(changed, padded);
    let contents = Contents::new(base.record).unwrap();
    let store: MemoryStore = blobs.into_iter().collect();
    let damaged = Bundle::from_store(contents, Arc::new(store), "damaged.tar").unwrap();
    let folder = Folder::new();
    let bases = [base_file(damaged)];
    let new = release(2).bundle();
    let built = folder.delta(&new, &bases, &folder.options(), &Cancel::new(), 2);
    match built {
        Err(error) => {
            assert!(error.is_corrupt(), "{error}");
            assert!(error.to_string().contains("damaged.tar"), "{error}");
        }
        // Nothing of it was used: then the delta is right.
        Ok((bytes, _)) => {
            let bundle = opened(bytes, &based(vec![release(1).bundle()])).unwrap();
            assert!(exported(&bundle).unwrap() == release(2).bytes());
        }
    }
}

/// Threads of the pool wait for what reads the base, which must not wait for them.
#[test]
fn a_delta_on_a_compact_base_is_read_with_as_few_threads_as_there_are() {
    let layer = |change: u8| {
        let mut program = text(5, 40_000);
        for at in (0..program.len()).step_by(20_000) {
            program[at] = program[at].wrapping_add(change);
        }
        gzip(&tar(&[("bin/program", &program)]))
    };
    let product = |change: u8| {
        let mut content = Content::empty();
        let large = layer(change);
        for name in ["first", "second"] {
            let own = gzip(&tar(&[(name, &text(u64::from(change), 5_000))]));
            let config = format!("{{\"name\":\"{name}{change}\"}}");
            let layers = [large.as_slice(), &own];
            let descriptor = content.image(config.as_bytes(), &layers, None);
            let entry = image_entry(&format!("r.example/{name}:1"), descriptor);
            content.record.images.push(entry);
        }
        content.bundle()
    };
    let folder = Folder::new();
    let base = folder.compact(&product(0), &folder.options(), &Cancel::new(), 2);
    let base = base.unwrap().0;
    let (bytes, _) = delta(&product(1), opened(base.clone(), &reading()).unwrap());
    for threads in [1, 2] {
        let (base, bytes) = (base.clone(), bytes.clone());
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut shared = reading();
            shared.resources.budget = Budget::new(1, threads);
            let base = opened(base, &shared).unwrap();
            shared.bases = Bases::of_bundles(vec![base]).unwrap();
            let bundle = opened(bytes, &shared).unwrap();
            let (budget, cancel) = (&shared.resources.budget, Cancel::new());
            let report = sealift_archive::verify(&bundle, true, budget, &cancel, &NoObserver);
            done.send(report.unwrap().problems.is_empty()).unwrap();
        });
        let ended = ended.recv_timeout(std::time::Duration::from_secs(180));
        assert_eq!(ended, Ok(true), "{threads} threads");
    }
}
