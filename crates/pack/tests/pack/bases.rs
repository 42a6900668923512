//! Packs that lean on blobs from outside.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use sealift_oci::Digest;
use sealift_pack::{
    Base, Built, DecodedPack, Error, Limits, NoBases, Options, Pack, Source, Summary, build, plan,
    summarize, survey,
};
use sealift_pipeline::Cancel;

use crate::support::{Blobs, bytes_of, gzip, noise, program, read, scratch, tar, tar_at, text};

/// Builds the only pack of some blobs that lean on bases.
fn build_on(blobs: &Blobs, known: &[Base], bytes: &dyn Source) -> Built {
    let options = Options::default();
    let surveyed = survey(blobs, &blobs.list(), &options).unwrap();
    let plan = plan(surveyed, known, &options);
    assert_eq!(plan.kept, []);
    assert_eq!(plan.packs.len(), 1);
    build(blobs, bytes, &plan.packs[0], &scratch(), &options).unwrap()
}

fn known(bases: &Blobs) -> Vec<Base> {
    summarize(bases, &bases.list(), &Options::default()).unwrap()
}

/// The same bases as records of them give them, without bytes.
fn recorded(bases: &[Base]) -> Vec<Base> {
    let again = |base: &Base| {
        let summary = Summary::from_bytes(&base.summary().to_bytes()).unwrap();
        Base::recorded(base.blob(), summary)
    };
    bases.iter().map(again).collect()
}

fn open(built: &Built) -> Arc<DecodedPack> {
    let pack = Pack::open(Arc::new(bytes_of(built)), &Limits::default()).unwrap();
    pack.decode(&scratch(), &Cancel::new()).unwrap()
}

/// Whether every blob comes back.
fn assert_rebuilt(built: &Built, blobs: &Blobs, bases: &Blobs) {
    assert_eq!(built.report().left_out, []);
    let decoded = open(built);
    decoded.read_bases(bases, None, &Cancel::new()).unwrap();
    for blob in blobs.list() {
        let bytes = read(&decoded, &blob.digest, 0);
        assert!(bytes == blobs.bytes(&blob.digest), "{}", blob.digest);
        let half = blob.size / 2;
        let rest = &blobs.bytes(&blob.digest)[usize::try_from(half).unwrap()..];
        assert!(read(&decoded, &blob.digest, half) == rest);
    }
    decoded.verify(&Cancel::new(), &|_| ()).unwrap();
}

/// A layer with files that do not compress, so that what is stored of them shows.
fn old_layer() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("usr/bin/a", noise(50_000, 1)),
        ("usr/bin/b", noise(60_000, 2)),
        ("usr/lib/c", noise(70_000, 3)),
        ("usr/share/d", text(9_000, 4)),
        ("usr/share/e", noise(80_000, 5)),
    ]
}

/// The next version: one file changed, one new, one gone.
fn new_layer() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = old_layer();
    files[2].1 = noise(3_000, 6);
    files.insert(3, ("usr/lib/new", noise(2_000, 7)));
    files.pop();
    files
}

#[test]
fn content_that_did_not_change_costs_nothing() {
    let bases = Blobs::of([gzip(&tar(&old_layer()))]);
    let blobs = Blobs::of([gzip(&tar(&new_layer()))]);
    for known in [known(&bases), recorded(&known(&bases))] {
        let built = build_on(&blobs, &known, &bases);
        assert_rebuilt(&built, &blobs, &bases);
        // The two new files and little more.
        assert!(built.size() < 7_000, "{}", built.size());
        assert!(built.report().from_bases > 119_000, "{:?}", built.report());
    }
}

#[test]
fn a_pack_lists_the_base_blobs_that_it_and_each_blob_need() {
    let layers = [1, 2].map(|seed| gzip(&tar(&[("a", noise(90_000, seed))])));
    let [a, b] = layers.each_ref().map(|bytes| Digest::sha256(bytes));
    let bases = Blobs::of(layers.into_iter().chain([text(90_000, 3)]));
    let layers = [
        gzip(&tar(&[("a", noise(90_000, 1)), ("x", text(300, 4))])),
        gzip(&tar(&[("a", noise(90_000, 2)), ("y", text(300, 5))])),
        gzip(&tar(&[("z", text(3_000, 6))])),
    ];
    let names = layers.each_ref().map(|bytes| Digest::sha256(bytes));
    let blobs = Blobs::of(layers);
    let built = build_on(&blobs, &known(&bases), &bases);
    let mut both = vec![a, b];
    both.sort();
    assert_eq!(built.report().base_blobs, both);
    let pack = Pack::open(built.content(), &Limits::default()).unwrap();
    let all: Vec<Digest> = pack.base_blobs().map(|needed| needed.blob.digest).collect();
    assert_eq!(all, both);
    let of = |digest| -> Vec<Digest> {
        let needed = pack.base_blobs_of(digest).unwrap().into_iter();
        needed.map(|needed| needed.blob.digest).collect()
    };
    assert_eq!(names.each_ref().map(of), [vec![a], vec![b], vec![]]);
    // Only what a blob needs has to be read for it.
    let decoded = open(&built);
    let only_a = Blobs::of([bases.bytes(&a).to_vec()]);
    let missing = decoded.open(&names[0], 0, &sealift_pack::Workers::none());
    assert!(matches!(missing, Err(Error::BaseMissing(digest)) if digest == a));
    decoded
        .read_bases(&only_a, Some(&names[..1]), &Cancel::new())
        .unwrap();
    assert!(read(&decoded, &names[0], 0) == blobs.bytes(&names[0]));
    assert!(read(&decoded, &names[2], 0) == blobs.bytes(&names[2]));
    let missing = decoded.open(&names[1], 0, &sealift_pack::Workers::none());
    assert!(matches!(missing, Err(Error::BaseMissing(digest)) if digest == b));
}

#[test]
fn a_build_without_the_bytes_says_so() {
    let bases = Blobs::of([gzip(&tar(&old_layer()))]);
    let blobs = Blobs::of([gzip(&tar(&new_layer()))]);
    let digest = bases.list()[0].digest;
    let built = build_on(&blobs, &known(&bases), &bases);
    assert_eq!(built.report().assumed, []);
    let built = build_on(&blobs, &recorded(&known(&bases)), &NoBases);
    assert_eq!(built.report().assumed, [digest]);
    assert_rebuilt(&built, &blobs, &bases);
}

#[test]
fn bases_of_no_use_are_not_needed() {
    let bases = Blobs::of([
        gzip(&tar(&old_layer())),
        gzip(&tar(&[("p", program(90_000, 8, 0))])),
    ]);
    let blobs = Blobs::of([gzip(&tar(&[("q", text(90_000, 9))]))]);
    let built = build_on(&blobs, &known(&bases), &bases);
    let alone = build_on(&blobs, &[], &NoBases);
    assert!(bytes_of(&built) == bytes_of(&alone));
    assert_eq!(built.content().size().unwrap(), built.size());
    assert_eq!(&bytes_of(&built)[8..12], &[1, 0, 0, 0]);
}

/// The size of a pack of one layer, given another one, and without.
fn sizes(old: Vec<u8>, new: Vec<u8>) -> (u64, u64) {
    let bases = Blobs::of([old]);
    let blobs = Blobs::of([new]);
    let built = build_on(&blobs, &known(&bases), &bases);
    assert_rebuilt(&built, &blobs, &bases);
    let alone = build_on(&blobs, &[], &NoBases);
    (built.size(), alone.size())
}

fn edited(mut text: Vec<u8>) -> Vec<u8> {
    let middle = text.len() / 2;
    text.splice(middle..middle + 10, *b"something else");
    text
}

#[test]
fn a_file_that_changed_is_stored_against_its_old_version() {
    let layer = |name, bytes| gzip(&tar(&[(name, bytes), ("other", noise(5_000, 1))]));
    // By its path, whatever it is.
    let old = layer("etc/conf", text(20_000, 2));
    let (size, alone) = sizes(old, layer("etc/conf", edited(text(20_000, 2))));
    assert!(size < 1_000 && alone > 5_000, "{size} of {alone}");
    // By its path without the version.
    let old = layer("lib/x.so.1.2.3", noise(9_000, 3));
    let (size, alone) = sizes(old, layer("lib/x.so.1.3", edited(noise(9_000, 3))));
    assert!(size < 1_000 && alone > 9_000, "{size} of {alone}");
    // By what it contains.
    let old = layer("bin/old", program(300_000, 4, 0));
    let (size, alone) = sizes(old, layer("sbin/moved", program(300_000, 4, 0x2000)));
    assert!(size < alone / 20, "{size} of {alone}");
}

#[test]
fn streams_inside_of_old_files_are_opened_by_inflating() {
    let archive = |seed| [gzip(&text(60_000, 5)), gzip(&text(3_000, seed))].concat();
    let layer = |seed| gzip(&tar(&[("a.bin", archive(seed)), ("b", noise(200, 1))]));
    let (size, alone) = sizes(layer(6), layer(7));
    assert!(size < alone / 4, "{size} of {alone}");
}

#[test]
fn headers_that_changed_are_stored_against_the_old_ones() {
    let files: Vec<(String, Vec<u8>)> = (0..400)
        .map(|number| {
            (
                format!("usr/share/{number:x}/{}", number * 7919),
                noise(40, number),
            )
        })
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let old = gzip(&tar_at(1_700_000_000, &files));
    let new = gzip(&tar_at(1_760_123_456, &files));
    let bases = Blobs::of([old.clone()]);
    let blobs = Blobs::of([new.clone()]);
    let recorded = build_on(&blobs, &recorded(&known(&bases)), &NoBases).size();
    let (size, alone) = sizes(old, new);
    assert!(
        size < recorded && recorded < alone,
        "{size}, {recorded} of {alone}"
    );
    assert!(size < alone / 6, "{size} of {alone}");
}

#[test]
fn the_number_of_threads_does_not_change_a_pack_with_bases() {
    let bases = Blobs::of([
        gzip(&tar(&old_layer())),
        gzip(&tar(&[("p", program(90_000, 8, 0))])),
    ]);
    let mut files = new_layer();
    files.push(("p", program(91_000, 8, 0x100)));
    files.push(("usr/share/d", edited(text(9_000, 4))));
    let blobs = Blobs::of([gzip(&tar(&files)), gzip(&tar(&old_layer()[1..]))]);
    let packs = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| bytes_of(&build_on(&blobs, &known(&bases), &bases)))
    });
    assert!(packs[0] == packs[1]);
}

#[test]
fn bases_may_be_anything() {
    // Not gzip to its end, not a tar, empty, gzip of two members.
    let content = tar(&[("a", noise(20_000, 1))]);
    let two = [gzip(&content[..9_000]), gzip(&content[9_000..])].concat();
    let cut = gzip(&content)[..15_000].to_vec();
    let bases = Blobs::of([cut, text(50_000, 2), Vec::new(), two, gzip(b"")]);
    let blobs = Blobs::of([content, edited(text(50_000, 2))]);
    let built = build_on(&blobs, &known(&bases), &bases);
    assert_rebuilt(&built, &blobs, &bases);
    assert!(built.size() < 20_000, "{}", built.size());
}
