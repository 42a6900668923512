//! Blobs come back from packs, bit for bit.
#![allow(clippy::unwrap_used)]

use std::io::Read as _;
use std::sync::Arc;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sealift_oci::Digest;
use sealift_pack::{Blob, DecodedPack, Effort, Limits, Options, Pack, Workers};
use sealift_pipeline::Cancel;

use crate::support::{
    Blobs, build_one, bytes_of, decode, gzip, mixed, noise, python, read, scratch, tar, text,
};

#[test]
fn every_blob_comes_back_from_any_offset() {
    let blobs = mixed();
    let built = build_one(&blobs, &Options::default());
    let pack = decode(bytes_of(&built)).unwrap();
    assert_eq!(pack.pack().blobs().collect::<Vec<_>>(), blobs.list());
    for blob in blobs.list() {
        let bytes = blobs.bytes(&blob.digest);
        for from in [0, 1, 600, 5_000, blob.size / 2, blob.size] {
            let from = from.min(blob.size);
            let rest = read(&pack, &blob.digest, from);
            assert!(
                rest == bytes[usize::try_from(from).unwrap()..],
                "{} from {from}",
                blob.digest
            );
        }
    }
}

#[test]
fn equal_files_are_stored_once_and_similar_ones_as_differences() {
    let blobs = mixed();
    let report = build_one(&blobs, &Options::default()).report().clone();
    assert!(report.distinct < report.opened, "{report:?}");
    assert!(report.related >= 300_000, "{report:?}");
    assert!(report.stored < report.blobs / 2, "{report:?}");
}

#[test]
fn compiled_python_is_stored_by_its_parts_given_its_source() {
    let stored = |files: &[(String, Vec<u8>)]| {
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        let built = build_one(&Blobs::of([gzip(&tar(&files))]), &Options::default());
        let streams = built.report().streams.iter();
        let python = streams.filter(|stream| stream.name.ends_with("of compiled Python"));
        (python.count(), built.size())
    };
    let (streams, size) = stored(&python("a/__pycache__", "a/module.py"));
    assert!(streams > 10, "{streams}");
    let (none, larger) = stored(&python("a/__pycache__", "b/module.py"));
    assert_eq!(none, 0, "the source is not there");
    assert!(size < larger, "{size} and {larger}");
    let (none, _) = stored(&python("a/__pycache__", "a/module.py")[3..]);
    assert_eq!(none, 0, "too little to be worth it");
    let mut files = python("a/__pycache__", "a/module.py");
    files.last_mut().unwrap().1 = noise(20_000, 1);
    let (none, _) = stored(&files);
    assert_eq!(none, 0, "what does not compress comes last");
}

#[test]
fn the_number_of_threads_does_not_change_the_pack() {
    let blobs = mixed();
    let with = |threads| {
        let mut options = Options::default();
        options.threads = threads;
        pool(threads).install(|| bytes_of(&build_one(&blobs, &options)))
    };
    let one = with(1);
    assert!(one == with(3));
    assert!(one == with(3), "a second time");
}

fn pool(threads: usize) -> Arc<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    Arc::new(pool.build().unwrap())
}

#[test]
fn blobs_are_rebuilt_on_the_threads_of_a_pool_from_inside_and_outside() {
    let blobs = mixed();
    let bytes = bytes_of(&build_one(&blobs, &Options::default()));
    let list = blobs.list();
    for threads in [1, 2] {
        let pool = pool(threads);
        let workers = Workers::from(pool.clone());
        let check = |pack: &Arc<DecodedPack>, blob: &Blob| {
            let mut read = Vec::new();
            let mut content = pack.open(&blob.digest, 0, &workers).unwrap();
            content.read_to_end(&mut read).unwrap();
            assert!(read == blobs.bytes(&blob.digest), "{}", blob.digest);
        };
        let outside = decode(bytes.clone()).unwrap();
        std::thread::scope(|scope| {
            for blob in &list {
                scope.spawn(|| check(&outside, blob));
            }
        });
        let inside = decode(bytes.clone()).unwrap();
        pool.install(|| list.par_iter().for_each(|blob| check(&inside, blob)));
    }
}

#[test]
fn a_gzip_stream_with_zeros_behind_it_comes_back() {
    let padded = [gzip(&tar(&[("a", text(50_000, 1))])), vec![0; 700]].concat();
    let blobs = Blobs::of([padded.clone()]);
    for threads in [1, 2] {
        let built = pool(threads).install(|| build_one(&blobs, &Options::default()));
        let pack = decode(bytes_of(&built)).unwrap();
        assert!(read(&pack, &Digest::sha256(&padded), 0) == padded);
    }
}

#[test]
fn the_highest_effort_gives_the_smallest_pack() {
    let blobs = mixed();
    let with = |effort| {
        let mut options = Options::default();
        options.effort = effort;
        build_one(&blobs, &options).size()
    };
    let [fast, default, best] = [Effort::Fast, Effort::Default, Effort::Best].map(with);
    assert!(best <= default && best <= fast, "{fast}, {default}, {best}");
}

#[test]
fn a_pack_is_taken_from_a_pipe_and_nothing_after_it() {
    let blobs = mixed();
    let bytes = bytes_of(&build_one(&blobs, &Options::default()));
    let piped = [&bytes, &b"what follows"[..]].concat();
    let mut pipe = piped.as_slice();
    let pack = Pack::read_from(&mut pipe, &scratch(), &Limits::default()).unwrap();
    assert_eq!(pipe, b"what follows");
    let decoded = pack.decode(&scratch(), &Cancel::new()).unwrap();
    decoded
        .verify(&Cancel::new(), &Workers::none(), &|_| ())
        .unwrap();
    for len in [0, 10, 100, bytes.len() - 1] {
        let cut = Pack::read_from(&mut &bytes[..len], &scratch(), &Limits::default());
        assert!(cut.is_err_and(|error| error.is_pack_fault()), "{len}");
    }
}
