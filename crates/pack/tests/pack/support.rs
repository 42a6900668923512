//! Layers made from seeds, a source in memory, and the way from blobs to a decoded pack.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use regzip::{Compressor, Go};
use sealift_oci::Digest;
use sealift_pack::{
    Base, Blob, Built, DecodedPack, Limits, MemoryScratch, NoBases, Options, Pack, Plan, Scratch,
    Source, Workers, build, plan, summarize, survey,
};
use sealift_pipeline::Cancel;

/// Blobs in memory.
#[derive(Clone, Default)]
pub(crate) struct Blobs(BTreeMap<Digest, Vec<u8>>);

impl Blobs {
    pub(crate) fn of(blobs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(
            blobs
                .into_iter()
                .map(|bytes| (Digest::sha256(&bytes), bytes))
                .collect(),
        )
    }

    pub(crate) fn list(&self) -> Vec<Blob> {
        let blob = |(digest, bytes): (&Digest, &Vec<u8>)| Blob {
            digest: *digest,
            size: bytes.len() as u64,
        };
        self.0.iter().map(blob).collect()
    }

    /// Gives other bytes for a digest.
    pub(crate) fn replace(&mut self, digest: &Digest, bytes: Vec<u8>) {
        self.0.insert(*digest, bytes);
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> &[u8] {
        &self.0[digest]
    }
}

impl Source for Blobs {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(&bytes[usize::try_from(from).unwrap()..]))
    }
}

pub(crate) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(MemoryScratch)
}

pub(crate) fn plan_of(blobs: &Blobs, options: &Options) -> Plan {
    plan(survey(blobs, &blobs.list(), options).unwrap(), &[], options)
}

/// The only pack of the blobs, which nothing is kept out of.
pub(crate) fn build_one(blobs: &Blobs, options: &Options) -> Built {
    let plan = plan_of(blobs, options);
    assert_eq!(plan.kept, [], "kept out of the pack");
    assert_eq!(plan.packs.len(), 1);
    build(blobs, &NoBases, &plan.packs[0], &scratch(), options).unwrap()
}

/// The only pack of some blobs that lean on bases.
pub(crate) fn build_on(blobs: &Blobs, bases: &Blobs) -> Built {
    let options = Options::default();
    let known = summarize(bases, &bases.list(), &options).unwrap();
    build_on_known(blobs, &known, bases)
}

/// The same on bases that are known.
pub(crate) fn build_on_known(blobs: &Blobs, known: &[Base], bytes: &dyn Source) -> Built {
    let options = Options::default();
    let surveyed = survey(blobs, &blobs.list(), &options).unwrap();
    let plan = plan(surveyed, known, &options);
    assert_eq!(plan.kept, [], "kept out of the pack");
    assert_eq!(plan.packs.len(), 1);
    build(blobs, bytes, &plan.packs[0], &scratch(), &options).unwrap()
}

pub(crate) fn bytes_of(built: &Built) -> Vec<u8> {
    let mut bytes = Vec::new();
    let digest = built.write_to(&mut bytes).unwrap();
    assert_eq!(digest, Digest::sha256(&bytes));
    assert_eq!(built.size(), bytes.len() as u64);
    bytes
}

pub(crate) fn decode(bytes: Vec<u8>) -> sealift_pack::Result<Arc<DecodedPack>> {
    Pack::open(Arc::new(bytes), &Limits::default())?.decode(&scratch(), &Cancel::new())
}

pub(crate) fn read(pack: &Arc<DecodedPack>, digest: &Digest, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack.open(digest, from, &Workers::none())
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// Numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }
}

/// Text that compresses to about a quarter.
pub(crate) fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let words: Vec<String> = (0..500)
        .map(|_| format!("{:x} ", random.next() >> 40))
        .collect();
    let mut out = Vec::new();
    while out.len() < len {
        out.extend(words[usize::try_from(random.below(500)).unwrap()].as_bytes());
    }
    out.truncate(len);
    out
}

pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.next().to_le_bytes()[3]).collect()
}

/// A program of records with addresses; `shift` moves every address, as another link would.
pub(crate) fn program(len: usize, seed: u64, shift: u32) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut out = b"\x7fELF\x02\x01\x01\0".to_vec();
    while out.len() < len {
        for _ in 0..5 {
            out.extend(&random.next().to_le_bytes()[1..5]);
        }
        let here = u32::try_from(out.len()).unwrap();
        out.extend((0x0040_0000 + shift + here).to_le_bytes());
    }
    out.truncate(len);
    out
}

/// A tar of these files.
pub(crate) fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    tar_at(1_700_000_000, files)
}

/// A tar of these files, all changed at that time.
pub(crate) fn tar_at(time: u64, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(time);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

/// A gzip stream as Go writes it.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut writer = Compressor::new(Go { level: 6 }, Vec::new()).unwrap();
    writer.write_all(plain).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(plain);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(writer.finish().unwrap());
    out.extend(crc.sum().to_le_bytes());
    out.extend(crc.amount().to_le_bytes());
    out
}

/// A Python module at `source`, and what several versions of Python compile it to, in `folder`.
pub(crate) fn python(folder: &str, source: &str) -> Vec<(String, Vec<u8>)> {
    macro_rules! golden {
        ($name:literal) => {
            include_bytes!(concat!("../../../relate/tests/golden/", $name)).to_vec()
        };
    }
    let compiled = [
        ("38", golden!("module-3.8.pyc")),
        ("310", golden!("module-3.10.pyc")),
        ("311", golden!("module-3.11.pyc")),
        ("312", golden!("module-3.12.pyc")),
        ("313", golden!("module-3.13.pyc")),
    ];
    let compiled =
        compiled.map(|(tag, bytes)| (format!("{folder}/module.cpython-{tag}.pyc"), bytes));
    let source = (source.to_owned(), golden!("module.py"));
    compiled.into_iter().chain([source]).collect()
}

/// Layers of every kind that a pack can hold.
pub(crate) fn mixed() -> Blobs {
    let jar = gzip(&text(30_000, 7));
    let python = python("lib/__pycache__", "lib/module.py");
    let long = format!("{}/long", "d".repeat(150));
    let mut first = vec![
        ("bin/typha", program(300_000, 1, 0)),
        ("etc/conf", text(5_000, 2)),
        ("usr/lib/a.jar", jar.clone()),
        ("empty", Vec::new()),
        (long.as_str(), text(700, 3)),
    ];
    first.extend(
        python
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone())),
    );
    let first = tar(&first);
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

/// Layers that lean on others in every way: equal files, files and headers that changed, streams inside, an object
/// of several ranges, a base that is not gzip.
pub(crate) fn leaning() -> (Blobs, Blobs) {
    let names: Vec<String> = (0..60)
        .map(|number| format!("usr/share/{number}"))
        .collect();
    let small = |number: usize| (names[number].as_str(), noise(20, number as u64));
    let jar = |seed| [gzip(&text(30_000, 7)), gzip(&text(900, seed))].concat();
    let mut old = vec![
        ("bin/typha", program(200_000, 1, 0)),
        ("etc/conf", text(5_000, 2)),
        ("usr/lib/a.bin", jar(8)),
        ("photo", noise(20_000, 5)),
    ];
    old.extend((0..60).map(small));
    let mut new = old.clone();
    new[0].1 = program(201_000, 1, 0x1000);
    new[2].1 = jar(9);
    let old = gzip(&tar(&old));
    // Sorted by digest, the gzip stream is the first base.
    let data = |seed| ("data", noise(9_000, seed));
    let is_later = |&seed: &u64| Digest::sha256(&tar(&[data(seed)])) > Digest::sha256(&old);
    let seed = (11..1_000).find(is_later).unwrap();
    let plain = [("etc/conf", text(5_000, 2)), data(seed)];
    let blobs = Blobs::of([
        gzip(&tar_at(1_760_123_456, &new)),
        tar_at(1_700_000_000, &plain),
        text(10_000, 9),
    ]);
    (blobs, Blobs::of([old, tar(&plain[1..])]))
}
