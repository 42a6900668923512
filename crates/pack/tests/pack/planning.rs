//! Which blobs go into which pack, and which stay outside.
#![allow(clippy::unwrap_used)]

use sealift_oci::Digest;
use sealift_pack::{NoBases, Options, Reason, build};

use crate::support::{
    Blobs, build_one, bytes_of, decode, gzip, noise, plan_of, python, read, scratch, tar, text,
};

/// Two pairs of layers: the layers of a pair share most of their content.
fn pairs() -> [Vec<u8>; 4] {
    let layer = |seed, name| gzip(&tar(&[("data", text(200_000, seed)), (name, text(500, 9))]));
    [layer(1, "a"), layer(2, "a"), layer(1, "b"), layer(2, "b")]
}

fn limited(pack_limit: u64) -> Options {
    let mut options = Options::default();
    options.pack_limit = pack_limit;
    options
}

#[test]
fn everything_is_in_one_pack_if_it_fits() {
    assert_eq!(
        plan_of(&Blobs::of(pairs()), &Options::default())
            .packs
            .len(),
        1
    );
}

#[test]
fn blobs_that_are_alike_share_a_pack() {
    let pairs = pairs();
    let digests = pairs.each_ref().map(|bytes| Digest::sha256(bytes));
    let blobs = Blobs::of(pairs);
    let options = limited(500_000);
    let plan = plan_of(&blobs, &options);
    assert_eq!(plan.packs.len(), 2);
    for pack in &plan.packs {
        assert!(pack.opened() <= options.pack_limit);
        let members: Vec<Digest> = pack.blobs().iter().map(|blob| blob.blob().digest).collect();
        assert!(
            members.contains(&digests[0]) == members.contains(&digests[2]),
            "{members:?}"
        );
        let built = build(&blobs, &NoBases, pack, &scratch(), &options).unwrap();
        let decoded = decode(bytes_of(&built)).unwrap();
        for digest in members {
            assert!(read(&decoded, &digest, 0) == blobs.bytes(&digest));
        }
    }
}

#[test]
fn the_order_and_repetition_of_blobs_do_not_matter() {
    let blobs = Blobs::of(pairs());
    let options = limited(500_000);
    let digests = |list: &[sealift_pack::Blob]| -> Vec<Vec<Digest>> {
        let survey = sealift_pack::survey(&blobs, list, &options).unwrap();
        let packs = sealift_pack::plan(survey, &[], &options).packs.into_iter();
        packs
            .map(|pack| pack.blobs().iter().map(|blob| blob.blob().digest).collect())
            .collect()
    };
    let mut list = blobs.list();
    let forward = digests(&list);
    list.reverse();
    list.push(list[0]);
    assert_eq!(forward, digests(&list));
}

#[test]
fn a_blob_that_no_pack_can_hold_stays_outside() {
    let blobs = Blobs::of([gzip(&tar(&[("a", text(100_000, 1))]))]);
    let plan = plan_of(&blobs, &limited(50_000));
    assert!(plan.packs.is_empty());
    assert!(matches!(plan.kept[0].1, Reason::TooLarge { opened } if opened > 100_000));
}

/// Layers with many small files.
fn many_files(layers: u64, files: u64) -> Blobs {
    let layer = |seed: u64| {
        let names: Vec<String> = (0..files).map(|n| format!("{seed}/{n}")).collect();
        let file = |n: u64| noise(8, seed * files + n);
        let files: Vec<(&str, Vec<u8>)> = names
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.as_str(), file(n)))
            .collect();
        gzip(&tar(&files))
    };
    Blobs::of((1..=layers).map(layer))
}

#[test]
fn blobs_are_spread_over_packs_where_the_list_of_their_files_would_be_too_long() {
    let blobs = many_files(4, 300);
    let mut options = Options::default();
    options.index_limit = 12_500;
    let plan = plan_of(&blobs, &options);
    assert_eq!(plan.packs.len(), 2);
    for pack in &plan.packs {
        let built = build(&blobs, &NoBases, pack, &scratch(), &options).unwrap();
        assert_eq!(built.report().left_out, []);
    }
    options.index_limit = 2_500;
    let plan = plan_of(&blobs, &options);
    assert!(plan.packs.is_empty());
    assert!(
        plan.kept
            .iter()
            .all(|(_, reason)| *reason == Reason::TooManyFiles { files: 300 })
    );
}

#[test]
fn compiled_modules_take_more_of_the_list_of_files() {
    let layer = |seed: u8| {
        let folders = (0..40).flat_map(|number| {
            let folder = format!("{seed}/{number}");
            let files = python(
                &format!("{folder}/__pycache__"),
                &format!("{folder}/module.py"),
            );
            files.into_iter().skip(4).map(move |(name, mut bytes)| {
                let string = bytes.windows(7).position(|bytes| bytes == b"several");
                let at = string.unwrap();
                bytes[at..at + 2].copy_from_slice(&[b'0' + seed, b'0' + number]);
                (name, bytes)
            })
        });
        let files: Vec<(String, Vec<u8>)> = folders.collect();
        let files: Vec<_> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        gzip(&tar(&files))
    };
    let blobs = Blobs::of([1, 2].map(layer));
    let mut options = Options::default();
    options.index_limit = 4_000;
    let plan = plan_of(&blobs, &options);
    assert_eq!(plan.packs.len(), 2);
    for pack in &plan.packs {
        let built = build(&blobs, &NoBases, pack, &scratch(), &options).unwrap();
        assert_eq!(built.report().left_out, []);
        let streams = built.report().streams.iter();
        let python = streams.filter(|stream| stream.name.ends_with("of compiled Python"));
        assert!(python.count() > 10);
    }
}

#[test]
fn a_blob_is_left_out_where_the_list_of_files_becomes_longer_than_expected() {
    // What the streams inside take is not known when packs are planned.
    let layer = |seed: u64| {
        let names: Vec<String> = (0..40).map(|n| format!("{seed}/{n}.gz")).collect();
        let files: Vec<(&str, Vec<u8>)> = names
            .iter()
            .zip(0..)
            .map(|(name, n)| (name.as_str(), gzip(&text(3_000, seed * 40 + n))))
            .collect();
        gzip(&tar(&files))
    };
    let blobs = Blobs::of((1..=3).map(layer));
    let mut options = Options::default();
    options.index_limit = 3_200;
    let plan = plan_of(&blobs, &options);
    assert_eq!(plan.packs.len(), 1, "it is not foreseen");
    let built = build(&blobs, &NoBases, &plan.packs[0], &scratch(), &options).unwrap();
    let left_out = &built.report().left_out;
    assert!((1..3).contains(&left_out.len()), "{left_out:?}");
    let too_many = Reason::TooManyFiles { files: 40 };
    assert!(left_out.iter().all(|(_, reason)| *reason == too_many));
    let decoded = decode(bytes_of(&built)).unwrap();
    let gone = |blob: &Digest| left_out.iter().any(|(digest, _)| digest == blob);
    for blob in blobs.list().into_iter().filter(|blob| !gone(&blob.digest)) {
        assert!(read(&decoded, &blob.digest, 0) == blobs.bytes(&blob.digest));
    }
}

#[test]
fn what_cannot_be_rebuilt_or_does_not_compress_stays_outside_and_says_why() {
    let mut strange = gzip(&text(50_000, 1));
    strange.truncate(strange.len() / 2);
    let zstd = zstd::bulk::compress(&text(50_000, 2), 3).unwrap();
    let dense = gzip(&tar(&[("photo", noise(2_000_000, 3))]));
    for (blob, expected) in [
        (strange, "cannot be rebuilt"),
        (zstd, "zstd"),
        (dense, "does not compress"),
        (noise(50_000, 4), "does not compress"),
    ] {
        let plan = plan_of(&Blobs::of([blob]), &Options::default());
        assert!(plan.packs.is_empty(), "{expected}");
        let reason = plan.kept[0].1.to_string();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_layer_of_compressed_files_is_opened_though_it_does_not_compress() {
    let files: Vec<(String, Vec<u8>)> = (0..30)
        .map(|number| (format!("{number}.gz"), gzip(&text(60_000, number))))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let blobs = Blobs::of([gzip(&tar(&files))]);
    let report = build_one(&blobs, &Options::default()).report().clone();
    assert!(report.opened > 1_700_000, "{report:?}");
}

#[test]
fn a_cancelled_build_ends_with_that_error() {
    let blobs = Blobs::of(pairs());
    let options = Options::default();
    let plan = plan_of(&blobs, &options);
    options.cancel.cancel();
    let built = build(&blobs, &NoBases, &plan.packs[0], &scratch(), &options);
    assert!(matches!(built, Err(sealift_pack::Error::Cancelled(_))));
}

#[test]
fn costs_say_what_is_shared_and_related() {
    let [first, _, second, _] = pairs();
    let blobs = Blobs::of([first, second]);
    let pack = decode(bytes_of(&build_one(&blobs, &Options::default()))).unwrap();
    let costs = pack.pack().costs();
    assert_eq!(costs.len(), 2);
    assert!(costs.iter().all(|cost| cost.shared > cost.own), "{costs:?}");
    assert_eq!(pack.pack().reading_order().len(), 2);
}

#[test]
fn a_plan_has_the_bases_that_are_near_and_fit() {
    let layer = |seed, name| gzip(&tar(&[("data", text(200_000, seed)), (name, text(500, 9))]));
    let bases = Blobs::of([layer(1, "a"), layer(2, "a"), gzip(&noise(90_000, 3))]);
    let near = Digest::sha256(&layer(1, "a"));
    let blobs = Blobs::of([layer(1, "b")]);
    let bases_within = |limit| -> Vec<Digest> {
        let options = limited(limit);
        let known = sealift_pack::summarize(&bases, &bases.list(), &options).unwrap();
        let survey = sealift_pack::survey(&blobs, &blobs.list(), &options).unwrap();
        let plan = sealift_pack::plan(survey, &known, &options);
        let [pack] = plan.packs.as_slice() else {
            panic!("{plan:?}")
        };
        let alone = pack.opened() * 5 / 2;
        assert!(
            pack.account(&options).scratch > alone,
            "bases take scratch space too"
        );
        let bases = pack.bases().iter();
        bases.map(|base| base.blob().digest).collect()
    };
    // The path of the file speaks for the second one, too, and nothing for the last.
    let all = bases_within(1 << 30);
    assert_eq!(all.len(), 2);
    assert!(all.contains(&near));
    assert_eq!(bases_within(250_000), [near]);
}
