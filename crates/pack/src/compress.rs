//! Streams compressed with zstd.

use std::io::{self, Read, Write};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use zstd::zstd_safe::CParameter;

use crate::error::{Error, Result};
use crate::format::{Coding, StreamEntry, StreamKind};
use crate::gate::Gate;
use crate::options::{Effort, Options};
use crate::report::Step;
use crate::spool::{Chain, Spool};

/// A stream before compression.
pub(crate) struct RawStream {
    pub(crate) kind: StreamKind,
    pub(crate) bytes: Chain,
}

/// A stream as it is stored.
pub(crate) struct StoredStream {
    pub(crate) entry: StreamEntry,
    pub(crate) bytes: Chain,
}

/// The largest window: what a reader has to hold in memory, 128 MiB.
pub(crate) const MAX_WINDOW: u8 = 27;
const MIN_WINDOW: u8 = 10;
/// Streams of at least this length are compressed by several threads, in jobs of a fixed length: the
/// result does not depend on the number of threads.
pub(crate) const LONG: u64 = 32 << 20;
const JOB: u64 = 16 << 20;
/// Bytes of tables that an encoder has, at most; those of a short stream are some times its window.
const TABLES: u64 = 64 << 20;
const TABLES_SHARE: u64 = 12;
/// Jobs whose content a long stream holds besides those that its threads work on.
const JOBS_AHEAD: u64 = 3;

/// Compresses all streams, which are in the order of their kinds: those of at least [`LONG`] bytes one after the other, each
/// on all threads, and beside them the others, with which `finish_short` is then called.
pub(crate) fn compress_all(
    streams: &[RawStream],
    spool: &Spool,
    options: &Options,
    finish_short: impl FnOnce(&[&RawStream], &mut [StoredStream]) -> Result<()> + Send,
) -> Result<Vec<StoredStream>> {
    let total = streams.iter().map(|stream| stream.bytes.len()).sum();
    options.watcher.begin(Step::Compress, total);
    let gate = Gate::new(options.memory / 4 * 3);
    let one = |stream: &&RawStream| -> Result<StoredStream> {
        options.cancel.check()?;
        let _pass = gate.pass(memory(stream.bytes.len(), options));
        let stored = compress(stream, spool, options).map_err(Error::Scratch)?;
        options.watcher.advance(Step::Compress, stream.bytes.len());
        Ok(stored)
    };
    let (long, short): (Vec<&RawStream>, Vec<&RawStream>) = streams
        .iter()
        .partition(|stream| stream.bytes.len() >= LONG);
    let (long, short) = rayon::join(
        || long.iter().map(one).collect::<Result<Vec<_>>>(),
        || -> Result<Vec<StoredStream>> {
            let stored = short.par_iter().with_max_len(1).map(one);
            let mut stored = stored.collect::<Result<Vec<_>>>()?;
            finish_short(&short, &mut stored)?;
            Ok(stored)
        },
    );
    let mut stored = long?;
    stored.extend(short?);
    stored.sort_by_key(|stored| stored.entry.kind);
    Ok(stored)
}

fn compress(stream: &RawStream, spool: &Spool, options: &Options) -> io::Result<StoredStream> {
    let raw = stream.bytes.len();
    let window = window(raw);
    let mut encoder = zstd::Encoder::new(spool.writer(), level(stream.kind, options.effort))?;
    encoder.set_pledged_src_size(Some(raw))?;
    encoder.window_log(u32::from(window))?;
    if raw > 1 << 20 {
        encoder.long_distance_matching(true)?;
    }
    if raw >= LONG {
        encoder.multithread(u32::try_from(threads(options)).unwrap_or(1))?;
        encoder.set_parameter(CParameter::JobSize(u32::try_from(JOB).unwrap_or(u32::MAX)))?;
    }
    copy(stream.bytes.reader(), &mut encoder, options)?;
    let compressed = encoder.finish()?.finish()?;
    let (coding, window, bytes) = if compressed.len() < raw {
        (Coding::Zstd, window, compressed)
    } else {
        (Coding::Raw, 0, stream.bytes.clone())
    };
    Ok(StoredStream {
        entry: StreamEntry {
            kind: stream.kind,
            coding,
            window,
            raw,
            stored: bytes.len(),
            digest: digest(&bytes)?,
        },
        bytes,
    })
}

/// Bytes that the encoder of a stream holds.
fn memory(raw: u64, options: &Options) -> u64 {
    let window = 1 << window(raw);
    if raw >= LONG {
        return window + JOBS_AHEAD * JOB + threads(options) * THREAD;
    }
    window + TABLES.min(TABLES_SHARE * window)
}

/// Bytes that a thread of a long stream holds: tables, and content and output of a job.
const THREAD: u64 = TABLES + 2 * JOB;

/// The threads of a long stream: half of the memory has to be enough for them.
fn threads(options: &Options) -> u64 {
    let most = (options.memory / 2 / THREAD).max(1);
    (options.threads as u64).clamp(1, most)
}

fn copy(mut from: impl Read, to: &mut impl Write, options: &Options) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        options.cancel.check().map_err(io::Error::other)?;
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read])?,
        }
    }
}

/// The base-two logarithm of the window that reaches over so many bytes, as far as windows do.
pub(crate) fn window(raw: u64) -> u8 {
    let bits = u64::BITS - raw.saturating_sub(1).leading_zeros();
    u8::try_from(bits)
        .unwrap_or(MAX_WINDOW)
        .clamp(MIN_WINDOW, MAX_WINDOW)
}

fn level(kind: StreamKind, effort: Effort) -> i32 {
    match (kind, effort) {
        (StreamKind::Plain(crate::class::DENSE_STREAM), _) => 1,
        (_, Effort::Fast) => 3,
        (_, Effort::Default) => 12,
        (_, Effort::Best) => 19,
    }
}

/// The SHA-256 digest of stored bytes.
pub(crate) fn digest(bytes: &Chain) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut reader = bytes.reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
