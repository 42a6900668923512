//! `cargo xtask fuzz-packs`: pack after pack into `sealift-pack`, changed in every part and sealed again with
//! digests that fit, until a time is over or one does harm. Half of them lean on base blobs.

#[path = "../../crates/pack/tests/pack/reseal.rs"]
mod reseal;
#[path = "../../crates/pack/tests/pack/support.rs"]
#[allow(dead_code, reason = "the tests of the crate use all of it")]
mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealift_pack::{Limits, Options, Pack, Workers};
use sealift_pipeline::Cancel;

use crate::clock::Times;
use reseal::Parts;
use support::{Blobs, Random, build_on, build_one, bytes_of, leaning, mixed, scratch};

/// How long, from where, and what of.
#[derive(clap::Args)]
pub(crate) struct FuzzPacksArguments {
    /// Stop after so many seconds
    #[arg(long, default_value_t = 60, conflicts_with_all = ["runs", "input"])]
    seconds: u64,
    /// Stop after so many packs
    #[arg(long, conflicts_with = "input")]
    runs: Option<u64>,
    /// Where the numbers start that changes are made from (default: the clock)
    #[arg(long)]
    seed: Option<u64>,
    /// Where a pack is written that does harm
    #[arg(long, default_value = "fuzz-failure.pack")]
    output: PathBuf,
    /// Try only this file, which an earlier run has written
    #[arg(long)]
    input: Option<PathBuf>,
}

/// A pack that takes more processor time than this is a fault.
const MAX_TIME: Duration = Duration::from_secs(30);
/// What a pack may ask for, in bytes.
const MAX_SCRATCH: u64 = 256 << 20;

/// Runs until the end or the first harm.
pub(crate) fn run(arguments: &FuzzPacksArguments) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &arguments.input {
        let (_, bases) = leaning();
        println!("{}", attempt(std::fs::read(path)?, &bases)?);
        return Ok(());
    }
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 20,
    };
    println!("--seed {seed}");
    let (blobs, bases) = leaning();
    let good = [
        build_one(&mixed(), &Options::default()),
        build_on(&blobs, &bases),
    ];
    let good = good.map(|built| Parts::of(&bytes_of(&built)));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0.. {
        let done = match arguments.runs {
            Some(runs) => number == runs,
            None => Instant::now() >= end,
        };
        if done {
            break;
        }
        let seed = seed.wrapping_add(number);
        let pack = changed(&good[usize::from(seed % 2 == 1)], seed);
        match attempt(pack.clone(), &bases) {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(harm) => {
                std::fs::write(&arguments.output, pack)?;
                let path = arguments.output.display();
                return Err(
                    format!("{harm}\n  again: --runs 1 --seed {seed}, or --input {path}").into(),
                );
            }
        }
    }
    for (outcome, count) in outcomes {
        println!("{count:8} {outcome}");
    }
    Ok(())
}

/// Opens, decodes and rebuilds everything: what came of it, or the harm that it did.
fn attempt(pack: Vec<u8>, bases: &Blobs) -> Result<String, Box<dyn Error>> {
    let times = Times::now()?;
    let result = catch_unwind(AssertUnwindSafe(|| use_all(pack, bases)));
    let spent = times.since()?.own;
    if spent > MAX_TIME {
        return Err(format!("took {:.1} s", spent.as_secs_f64()).into());
    }
    match result {
        Err(_) => Err("panicked".into()),
        Ok(Ok(())) => Ok("accepted, every blob as its digest says".to_owned()),
        Ok(Err(error)) if error.is_pack_fault() || wants_another_base(&error) => Ok(kind(&error)),
        Ok(Err(error)) => Err(format!("blamed something else: {error}").into()),
    }
}

/// A changed entry of a base blob asks for one that does not exist.
fn wants_another_base(error: &sealift_pack::Error) -> bool {
    matches!(
        error,
        sealift_pack::Error::BaseMissing(_) | sealift_pack::Error::BaseSize { .. }
    )
}

fn use_all(pack: Vec<u8>, bases: &Blobs) -> sealift_pack::Result<()> {
    let mut limits = Limits::default();
    limits.scratch = MAX_SCRATCH;
    let pack = Pack::open(Arc::new(pack), &limits)?;
    let decoded = pack.decode(&scratch(), &Cancel::new())?;
    decoded.read_bases(bases, None, &Cancel::new())?;
    decoded.verify(&Cancel::new(), &Workers::none(), &|_| ())
}

/// The error without its numbers.
fn kind(error: &sealift_pack::Error) -> String {
    let text = error.to_string();
    let words = text
        .split(' ')
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.take(14).collect::<Vec<_>>().join(" ")
}

/// A good pack with some changes.
fn changed(good: &Parts, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed.wrapping_mul(2) + 1);
    let mut parts = good.clone();
    for _ in 0..=random.below(3) {
        match random.below(8) {
            0..=2 => change(&mut parts.index, &mut random),
            // The start, where the tables of bases are.
            3 => {
                let rest = parts.index.split_off(parts.index.len().min(200));
                change(&mut parts.index, &mut random);
                parts.index.extend(rest);
            }
            4 => {
                let number = pick(&parts.streams, &mut random);
                let at = pick(&parts.streams[number].0[..24], &mut random);
                parts.streams[number].0[at] = value(&mut random);
            }
            5 => {
                let number = pick(&parts.streams, &mut random);
                change(&mut parts.streams[number].1, &mut random);
            }
            6 => {
                let (a, b) = (
                    pick(&parts.streams, &mut random),
                    pick(&parts.streams, &mut random),
                );
                parts.streams.swap(a, b);
            }
            _ => {
                let number = pick(&good.streams, &mut random);
                let mut raw = good.raw(number);
                change(&mut raw, &mut random);
                let number = number.min(parts.streams.len() - 1);
                parts.set_raw(number, raw);
            }
        }
    }
    parts.seal()
}

fn pick<T>(list: &[T], random: &mut Random) -> usize {
    usize::try_from(random.below(list.len().max(1) as u64)).unwrap_or(0)
}

/// Bytes at which fields change their meaning are likely.
fn value(random: &mut Random) -> u8 {
    match random.below(3) {
        0 => [0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xff][pick(&[(); 8], random)],
        _ => random.next().to_le_bytes()[2],
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = pick(bytes, random);
    match random.below(6) {
        _ if bytes.is_empty() => bytes.push(value(random)),
        0 => bytes.insert(at, value(random)),
        1 => drop(bytes.remove(at)),
        2 => bytes.truncate(at),
        3 => {
            // A number that is as large as can be.
            let end = bytes.len().min(at + 1);
            bytes.splice(at..end, [0xff; 9].into_iter().chain([1]));
        }
        _ => bytes[at] = value(random),
    }
}
