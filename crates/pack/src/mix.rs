//! Streams stored by context mixing: those that gain most for the time that decoding takes.

use std::cmp::Reverse;
use std::io::{self, Read};

use rayon::prelude::*;
use relate::{Class, Kind, StreamId};
use sealift_mixing::{Compressed, Model, compress};

use crate::compress::{LONG, RawStream, StoredStream, digest};
use crate::error::{Error, Result};
use crate::format::{Coding, MAX_MIXED, StreamKind};
use crate::options::{Effort, Options};
use crate::spool::{Chain, Spool};

/// Longer streams are not worth a look: they would take all the time that is allowed, for one kind of bytes.
const MAX_STREAM: u64 = 16 << 20;
// Streams are chosen among those that are not compressed on all threads.
const _: () = assert!(MAX_STREAM < LONG);
/// Shorter ones are not worth the tables that a decoder fills first.
const MIN_STORED: u64 = 256;
/// So many bytes may be decoded in any case.
const FREE: u64 = 16 << 10;

/// One byte may be decoded for so many opened ones: decoding takes about a microsecond a byte, and making the content of the
/// streams about seven milliseconds a megabyte.
fn share(effort: Effort) -> Option<u64> {
    match effort {
        Effort::Fast => None,
        Effort::Default => Some(512),
        Effort::Best => Some(128),
    }
}

/// A stream that may be mixed.
struct Candidate {
    /// Its position.
    number: usize,
    /// About how many bits decoding has to predict.
    work: u64,
    stored: u64,
}

/// Stores streams by context mixing, as many as the opened bytes of the pack allow, where that is smaller. Both lists are in
/// the order of the streams' kinds.
pub(crate) fn mix(
    raw: &[&RawStream],
    stored: &mut [StoredStream],
    opened: u64,
    spool: &Spool,
    options: &Options,
) -> Result<()> {
    let Some(share) = share(options.effort) else {
        return Ok(());
    };
    let allowed = (opened / share + FREE) * 8;
    let candidates = candidates(raw, stored, allowed).map_err(Error::Scratch)?;
    let chosen = choose(candidates, raw, allowed);
    let mixed = chosen.into_par_iter().with_max_len(1).map(|number| {
        options.cancel.check()?;
        let mixed = mixed(raw[number]).map_err(Error::Scratch)?;
        Ok((number, mixed))
    });
    for (number, mixed) in mixed.collect::<Result<Vec<_>>>()? {
        if let Some((model, mixed)) = mixed {
            replace(&mut stored[number], model, &mixed, spool).map_err(Error::Scratch)?;
        }
    }
    Ok(())
}

/// The streams that are neither too long nor too short.
fn candidates(
    raw: &[&RawStream],
    stored: &[StoredStream],
    allowed: u64,
) -> io::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for (number, (raw, stored)) in raw.iter().zip(stored).enumerate() {
        if raw.bytes.len() > MAX_STREAM || stored.entry.stored < MIN_STORED {
            continue;
        }
        let work = 8 * match models(raw.kind)[0] {
            Model::SparseNumbers => not_zero(&raw.bytes)?,
            Model::Bytes | Model::Numbers => raw.bytes.len(),
        };
        if work <= allowed {
            candidates.push(Candidate {
                number,
                work,
                stored: stored.entry.stored,
            });
        }
    }
    Ok(candidates)
}

/// As many candidates as are allowed, those first that have most stored bytes for their work: the gain is about a part of
/// these.
fn choose(mut candidates: Vec<Candidate>, raw: &[&RawStream], allowed: u64) -> Vec<usize> {
    candidates.sort_by_key(|candidate| {
        let density = u128::from(candidate.stored) << 64;
        Reverse(density / u128::from(candidate.work.max(1)))
    });
    let (mut work, mut len) = (0, 0);
    let fits = |candidate: &Candidate| {
        let after = (
            work + candidate.work,
            len + raw[candidate.number].bytes.len(),
        );
        let fits = after.0 <= allowed && after.1 <= MAX_MIXED;
        if fits {
            (work, len) = after;
        }
        fits
    };
    let mut chosen: Vec<usize> = candidates
        .into_iter()
        .filter(fits)
        .map(|candidate| candidate.number)
        .collect();
    chosen.sort_unstable();
    chosen
}

/// The models for a kind of stream: the first one that a stream fits is used.
fn models(kind: StreamKind) -> &'static [Model] {
    let StreamKind::Related(number) = kind else {
        return &[Model::Bytes];
    };
    match StreamId::from_number(number) {
        Some(id) if id.class == Class::Literals && id.kind == Kind::PcValues as u8 => {
            &[Model::Numbers, Model::Bytes]
        }
        Some(id) => match id.class {
            Class::Runs | Class::Lengths | Class::Sources => &[Model::Numbers],
            Class::Gaps | Class::Fields => &[Model::SparseNumbers],
            Class::Layout
            | Class::Literals
            | Class::Differences
            | Class::Python
            | Class::Columns => &[Model::Bytes],
        },
        None => &[Model::Bytes],
    }
}

fn not_zero(bytes: &Chain) -> io::Result<u64> {
    let mut reader = bytes.reader();
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(count),
            read => count += buffer[..read].iter().filter(|byte| **byte != 0).count() as u64,
        }
    }
}

/// A stream by the first of its models that it fits.
fn mixed(stream: &RawStream) -> io::Result<Option<(Model, Compressed)>> {
    let mut raw = Vec::new();
    stream.bytes.reader().read_to_end(&mut raw)?;
    let mut models = models(stream.kind).iter();
    Ok(models.find_map(|&model| Some((model, compress(model, &raw)?))))
}

fn replace(
    stored: &mut StoredStream,
    model: Model,
    mixed: &Compressed,
    spool: &Spool,
) -> io::Result<()> {
    let len = mixed.bytes.len() as u64;
    if len < stored.entry.stored {
        stored.bytes = Chain::new(vec![spool.store(&mixed.bytes)?]);
        stored.entry.coding = Coding::Mixed(model);
        stored.entry.window = 0;
        stored.entry.stored = len;
        stored.entry.digest = digest(&stored.bytes)?;
    }
    Ok(())
}
