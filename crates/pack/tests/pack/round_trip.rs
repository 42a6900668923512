//! Blobs come back from packs, bit for bit.
#![allow(clippy::unwrap_used)]

use sealift_pack::{Effort, Options};

use crate::support::{Blobs, build_one, bytes_of, decode, gzip, noise, program, read, tar, text};

/// Layers of every kind that a pack can hold.
fn mixed() -> Blobs {
    let jar = gzip(&text(30_000, 7));
    let first = tar(&[
        ("bin/typha", program(300_000, 1, 0)),
        ("etc/conf", text(5_000, 2)),
        ("usr/lib/a.jar", jar.clone()),
        ("empty", Vec::new()),
        (&format!("{}/long", "d".repeat(150)), text(700, 3)),
    ]);
    let second = tar(&[
        ("bin/node", program(310_000, 1, 0x1000)),
        ("etc/conf", text(5_000, 2)),
        ("usr/lib/b.jar", jar),
        ("photo", noise(20_000, 5)),
    ]);
    Blobs::of([
        gzip(&first),
        gzip(&second),
        second,
        text(10_000, 9),
        Vec::new(),
        b"{}".to_vec(),
    ])
}

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
fn the_number_of_threads_does_not_change_the_pack() {
    let blobs = mixed();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let mut options = Options::default();
        options.threads = threads;
        pool.install(|| bytes_of(&build_one(&blobs, &options)))
    };
    let one = with(1);
    assert!(one == with(3));
    assert!(one == with(3), "a second time");
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
