//! Packs that lean on blobs from outside.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use sealift_oci::Digest;
use sealift_pack::{
    Base, Built, DecodedPack, Error, Limits, NoBases, Options, Pack, Part, Summary, Workers,
    summarize,
};
use sealift_pipeline::Cancel;

use crate::reseal::Parts;
use crate::support::{
    Blobs, build_on_known, bytes_of, gzip, leaning, noise, program, read, scratch, tar, tar_at,
    text,
};

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
    decoded
        .verify(&Cancel::new(), &Workers::none(), &|_| ())
        .unwrap();
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
        let built = build_on_known(&blobs, &known, &bases);
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
    let built = build_on_known(&blobs, &known(&bases), &bases);
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
    let built = build_on_known(&blobs, &known(&bases), &bases);
    assert_eq!(built.report().assumed, []);
    let built = build_on_known(&blobs, &recorded(&known(&bases)), &NoBases);
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
    let built = build_on_known(&blobs, &known(&bases), &bases);
    let alone = build_on_known(&blobs, &[], &NoBases);
    assert!(bytes_of(&built) == bytes_of(&alone));
    assert_eq!(built.content().size().unwrap(), built.size());
    assert_eq!(&bytes_of(&built)[8..12], &[1, 0, 0, 0]);
}

/// The size of a pack of one layer, given another one, and without.
fn sizes(old: Vec<u8>, new: Vec<u8>) -> (u64, u64) {
    let bases = Blobs::of([old]);
    let blobs = Blobs::of([new]);
    let built = build_on_known(&blobs, &known(&bases), &bases);
    assert_rebuilt(&built, &blobs, &bases);
    let alone = build_on_known(&blobs, &[], &NoBases);
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
    let recorded = build_on_known(&blobs, &recorded(&known(&bases)), &NoBases).size();
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
            .install(|| bytes_of(&build_on_known(&blobs, &known(&bases), &bases)))
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
    let built = build_on_known(&blobs, &known(&bases), &bases);
    assert_rebuilt(&built, &blobs, &bases);
    assert!(built.size() < 20_000, "{}", built.size());
}

/// A pack with bases, and everything that it needs.
struct Leaning {
    pack: Vec<u8>,
    bases: Blobs,
}

static LEANING: std::sync::LazyLock<Leaning> = std::sync::LazyLock::new(|| {
    let (blobs, bases) = leaning();
    let pack = bytes_of(&build_on_known(&blobs, &known(&bases), &bases));
    Leaning { pack, bases }
});

/// Opens, reads the bases, decodes and rebuilds everything.
fn use_all(pack: &[u8], bases: &Blobs) -> sealift_pack::Result<()> {
    let pack = Pack::open(Arc::new(pack.to_vec()), &Limits::default())?;
    let decoded = pack.decode(&scratch(), &Cancel::new())?;
    decoded.read_bases(bases, None, &Cancel::new())?;
    decoded.verify(&Cancel::new(), &Workers::none(), &|_| ())
}

#[test]
fn a_pack_with_bases_uses_everything_that_the_format_has() {
    let pack = Pack::open(Arc::new(LEANING.pack.clone()), &Limits::default()).unwrap();
    assert_eq!(pack.base_blobs().len(), 2);
    let costs = pack.costs();
    assert!(
        costs.iter().any(|cost| cost.base_blobs.len() == 2),
        "{costs:?}"
    );
    use_all(&LEANING.pack, &LEANING.bases).unwrap();
}

#[test]
fn a_base_that_is_missing_or_another_one_is_named() {
    let first = LEANING.bases.list()[0].digest;
    let with = |bytes: Vec<u8>| {
        let mut bases = LEANING.bases.clone();
        bases.replace(&first, bytes);
        use_all(&LEANING.pack, &bases).unwrap_err()
    };
    let missing = use_all(&LEANING.pack, &Blobs::default()).unwrap_err();
    assert!(
        matches!(missing, Error::BaseMissing(_)) && !missing.is_pack_fault(),
        "{missing}"
    );
    let good = LEANING.bases.bytes(&first).to_vec();
    for at in [0, 3, 20, good.len() / 2, good.len() - 6] {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        let error = with(changed);
        assert!(
            matches!(error, Error::BaseChanged { digest, .. } if digest == first),
            "{at}: {error}"
        );
        assert!(!error.is_pack_fault());
    }
    for other in [
        good[..good.len() - 1].to_vec(),
        [&good, &b"x"[..]].concat(),
        Vec::new(),
    ] {
        let error = with(other);
        assert!(
            matches!(error, Error::BaseSize { digest, .. } if digest == first),
            "{error}"
        );
    }
    assert!(
        with(good[..100].to_vec())
            .to_string()
            .contains(&first.to_string())
    );
}

#[test]
fn a_base_that_came_back_wrong_can_be_read_again() {
    let pack = Pack::open(Arc::new(LEANING.pack.clone()), &Limits::default()).unwrap();
    let decoded = pack.decode(&scratch(), &Cancel::new()).unwrap();
    decoded
        .read_bases(&NoBases, None, &Cancel::new())
        .unwrap_err();
    decoded
        .read_bases(&LEANING.bases, None, &Cancel::new())
        .unwrap();
    // What was read is not asked for again.
    decoded.read_bases(&NoBases, None, &Cancel::new()).unwrap();
    decoded
        .verify(&Cancel::new(), &Workers::none(), &|_| ())
        .unwrap();
}

/// The offset of the entry of the first base blob behind its digest: its size.
const FIRST: usize = 1 + 1 + 32;

fn number_at(index: &[u8], mut at: usize) -> (u64, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        value |= u64::from(index[at] & 0x7f) << shift;
        shift += 7;
        at += 1;
        if index[at - 1] < 0x80 {
            return (value, at);
        }
    }
}

fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

/// The pack with another number in the place of the one at `at` of its index.
fn with_number(at: usize, change: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut parts = Parts::of(&LEANING.pack);
    let (value, end) = number_at(&parts.index, at);
    parts.index.splice(at..end, number(change(value)));
    parts.seal()
}

#[test]
fn base_tables_that_contradict_themselves_or_the_base_are_refused() {
    let index = Parts::of(&LEANING.pack).index;
    let wrapping = number_at(&index, FIRST).1;
    let length = wrapping + 1;
    let count = number_at(&index, length).1;
    let ranges = number_at(&index, count).1;
    let step = number_at(&index, ranges).1;
    let range_len = number_at(&index, step).1;
    let fault = |pack: &[u8]| {
        let error = use_all(pack, &LEANING.bases).unwrap_err();
        assert!(error.is_pack_fault(), "{error}");
        error.to_string()
    };
    // No bases, or more than there are.
    assert!(fault(&with_number(0, |_| 0)).contains("version"));
    fault(&with_number(0, |count| count + 1));
    fault(&with_number(0, |_| u64::MAX));
    // Another length: shorter than its ranges, or than what it inflates to.
    assert!(fault(&with_number(length, |_| 10)).contains("outside"));
    assert!(fault(&with_number(length, |len| len + 1)).contains("shorter"));
    fault(&with_number(length, |_| u64::MAX));
    fault(&with_number(count, |_| 0));
    fault(&with_number(ranges, |_| 0));
    fault(&with_number(ranges, |_| 1 << 40));
    assert!(fault(&with_number(step, |_| 1)).contains("outside"));
    assert!(fault(&with_number(step, |_| u64::MAX)).contains("outside"));
    assert!(fault(&with_number(range_len, |_| 0)).contains("outside"));
    assert!(fault(&with_number(range_len, |_| 1 << 62)).contains("outside"));
    let mut parts = Parts::of(&LEANING.pack);
    parts.index[wrapping] = 9;
    assert!(fault(&parts.seal()).contains("wrapping 9"));
    // As it is: not gzip, so that its length has to be its size.
    parts.index[wrapping] = 0;
    fault(&parts.seal());
    // The other version, for the same index.
    parts.index[wrapping] = index[wrapping];
    parts.version = 1;
    fault(&parts.seal());
    parts.version = 3;
    assert!(fault(&parts.seal()).contains("format version 3"));
}

#[test]
fn ranges_that_ask_for_more_scratch_than_allowed_are_refused_before_anything_is_read() {
    let needed = Pack::open(Arc::new(LEANING.pack.clone()), &Limits::default());
    let needed = needed.unwrap().account().scratch;
    let mut limits = Limits::default();
    limits.scratch = needed - 1;
    let error = Pack::open(Arc::new(LEANING.pack.clone()), &limits)
        .err()
        .unwrap();
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    // The same range over and over.
    let mut parts = Parts::of(&LEANING.pack);
    let wrapping = number_at(&parts.index, FIRST).1;
    let (length, count) = number_at(&parts.index, wrapping + 1);
    let ranges = number_at(&parts.index, count).1;
    let (value, first) = number_at(&parts.index, ranges);
    let (step, rest) = number_at(&parts.index, first);
    // All of the content, from its end back to its start each time, then its first byte, and on from there.
    let back = number(2 * length - 1);
    let again = [
        [number(value + 1_002), number(0), number(length)].concat(),
        [back.clone(), number(length)].concat().repeat(1_000),
        [back, number(1)].concat(),
        number(step.checked_sub(2).unwrap_or(1)),
    ];
    parts.index.splice(ranges..rest, again.concat());
    limits.scratch = needed * 2;
    let pack = Pack::open(Arc::new(parts.seal()), &limits);
    let error = pack.err().unwrap();
    assert!(
        matches!(
            error,
            Error::Limit {
                resource: "scratch space",
                ..
            }
        ),
        "{error}"
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 150, ..Default::default() })]

    #[test]
    fn an_index_with_changed_bases_never_gives_wrong_content(
        changes in proptest::collection::vec((0usize..2_000, proptest::prelude::any::<u8>()), 1..4),
    ) {
        let mut parts = Parts::of(&LEANING.pack);
        for (at, value) in changes {
            let at = at % parts.index.len();
            parts.index[at] = value;
        }
        // Where it is accepted, every blob was compared with the digest in the index.
        if let Err(error) = use_all(&parts.seal(), &LEANING.bases) {
            let missing = matches!(
                error,
                Error::BaseMissing(_) | Error::BaseSize { .. } | Error::BaseChanged { .. }
            );
            proptest::prop_assert!(error.is_pack_fault() || missing, "{}", error);
        }
    }

    #[test]
    fn a_changed_summary_is_refused_or_describes_something_else(
        at: proptest::sample::Index,
        value: u8,
    ) {
        let good = known(&LEANING.bases)[0].summary().to_bytes();
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(summary) = Summary::from_bytes(&bytes) {
            proptest::prop_assert_eq!(summary.to_bytes(), bytes);
        }
        proptest::prop_assert!(Summary::from_bytes(&good[..at]).is_err());
    }
}

#[test]
fn a_record_that_is_wrong_never_gives_wrong_content() {
    // The summary is of another blob than the one that the reader has.
    let (blobs, bases) = leaning();
    let other = Blobs::of([gzip(&tar(&[("bin/typha", program(200_000, 3, 0))]))]);
    let wrong = known(&bases)[0].summary().clone();
    let wrong = [Base::recorded(other.list()[0], wrong)];
    let built = build_on_known(&blobs, &wrong, &NoBases);
    assert_eq!(built.report().assumed.len(), 1);
    let error = use_all(&bytes_of(&built), &other).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Damaged {
                part: Part::BaseBlob(_),
                ..
            }
        ),
        "{error}"
    );
}
