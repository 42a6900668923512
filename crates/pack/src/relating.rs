//! Contents as differences from earlier ones, and from files of bases. Programs without any are stored by their parts.

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;

use crate::candidates::{Candidate, Place};
use crate::class::Class;
use crate::compress::{MAX_WINDOW, window};
use crate::error::{Error, Result};
use crate::format::MAX_BASES_SHARE;
use crate::gate::Gate;
use crate::open::{Content, OpenedLayer};
use crate::options::{Effort, Options};
use crate::report::Step;
use crate::spool::Spool;
use crate::storage::Region;

/// A content that is stored as differences, or a program by its parts.
pub(crate) struct Difference {
    pub(crate) codec: relate::Codec,
    pub(crate) bases: Vec<Lean>,
    /// Raw streams by the codec's number for them.
    pub(crate) streams: Vec<(u16, Region)>,
}

/// What a difference leans on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lean {
    /// Part of a base, by its name in [`crate::leaning::Leaning`].
    Base(usize),
    /// An earlier content, by its position in the pack's order.
    Own(usize),
}

/// A file of a base, opened, and its name in [`crate::leaning::Leaning`].
pub(crate) struct OldFile {
    pub(crate) name: usize,
    pub(crate) content: Content,
}

/// What a content may be stored against.
#[derive(Default)]
struct Bases<'a> {
    list: Vec<(Lean, &'a Region)>,
    /// Bytes of the index that they take.
    index_bytes: u64,
    /// The only base is the source of the content, a compiled Python module.
    is_source: bool,
}

/// Longer contents are not related, so that one does not take most of the time.
const MAX_LEN: u64 = 4 << 30;
/// A base that is not loaded has at most so many times the length of the content.
const MAX_TIMES: u64 = 4;
/// Encoding a compiled Python module takes so many times the bytes of the module and its source.
pub(crate) const PYTHON_FACTOR: u64 = 48;

/// Shorter programs are not divided: their parts are too short.
const MIN_DIVIDED: u64 = 16 << 10;

/// Whether a content may be stored by its parts if it is a program of a known form.
fn may_be_divided(content: &Content) -> bool {
    let len = content.bytes.len();
    content.class == Class::Program && (MIN_DIVIDED..=relate::TOGETHER / 2).contains(&len)
}

/// Whether a content is a program that may be stored by its parts.
fn is_divided(content: &Content) -> Result<bool> {
    Ok(may_be_divided(content) && relate::is_program(&content.bytes).map_err(Error::Scratch)?)
}

/// What is at hand to relate contents.
pub(crate) struct Relating<'a> {
    /// The contents in the order in which they are stored.
    pub(crate) contents: &'a [&'a Content],
    /// Files of bases.
    pub(crate) old: &'a BTreeMap<Place, OldFile>,
    pub(crate) spool: &'a Spool,
    pub(crate) options: &'a Options,
}

impl Relating<'_> {
    /// Stores contents as differences, and programs without any by their parts, where that pays; in the order of the
    /// contents, `None` for those that stay as they are.
    pub(crate) fn all(&self, candidates: &[Vec<Candidate>]) -> Result<Vec<Option<Difference>>> {
        let total = self.contents.iter().zip(candidates);
        let total = total.filter(|(content, bases)| !bases.is_empty() || may_be_divided(content));
        let total = total.map(|(content, _)| content.bytes.len()).sum();
        self.options.watcher.begin(Step::Relate, total);
        let gate = Gate::new(self.options.memory / 4 * 3);
        (0..self.contents.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|number| {
                let bases = self.within_limit(number, &candidates[number]);
                let content = self.contents[number];
                let mut difference = None;
                if !bases.list.is_empty() {
                    self.options.cancel.check()?;
                    difference = self.one(&content.bytes, &bases, &gate)?;
                }
                if difference.is_none() && is_divided(content)? {
                    self.options.cancel.check()?;
                    difference = self.one(&content.bytes, &Bases::default(), &gate)?;
                }
                let bytes = content.bytes.len();
                self.options.watcher.advance(Step::Relate, bytes);
                Ok(difference)
            })
            .collect()
    }

    /// Stores what is between the files of each blob as differences from that of a base, where that pays.
    pub(crate) fn structures(
        &self,
        layers: &[OpenedLayer],
        old: &[Option<(usize, u64, Region)>],
    ) -> Result<Vec<Option<Difference>>> {
        let gate = Gate::new(self.options.memory / 4 * 3);
        layers
            .par_iter()
            .with_max_len(1)
            .zip(old)
            .map(|(layer, old)| {
                let Some((name, ranges, old)) = old else {
                    return Ok(None);
                };
                self.options.cancel.check()?;
                let len: u64 = layer.structure.iter().map(Region::len).sum();
                if old.len() > len.saturating_mul(MAX_BASES_SHARE) {
                    return Ok(None);
                }
                let structure = self.in_a_row(&layer.structure).map_err(Error::Scratch)?;
                let bases = Bases {
                    list: vec![(Lean::Base(*name), old)],
                    index_bytes: ENTRY + ranges * RANGE,
                    is_source: false,
                };
                self.one(&structure, &bases, &gate)
            })
            .collect()
    }

    fn in_a_row(&self, regions: &[Region]) -> io::Result<Region> {
        let all = self.spool.reserve(regions.iter().map(Region::len).sum());
        let mut at = 0;
        for region in regions {
            self.spool.write(&all, at, &region.to_vec()?)?;
            at += region.len();
        }
        Ok(all)
    }

    /// A candidate as what it is stored as, and its bytes.
    fn lean(&self, candidate: Candidate) -> Option<(Lean, &Region)> {
        match candidate {
            Candidate::Own(number) | Candidate::Source(number) => {
                Some((Lean::Own(number), &self.contents[number].bytes))
            }
            Candidate::Old(place) => {
                let old = self.old.get(&place)?;
                Some((Lean::Base(old.name), &old.content.bytes))
            }
        }
    }

    /// As many candidates as fit, with the content, into the limits of the codec and of readers.
    fn within_limit(&self, number: usize, candidates: &[Candidate]) -> Bases<'_> {
        let len = self.contents[number].bytes.len();
        let most = len.saturating_mul(MAX_BASES_SHARE);
        let longest = MAX_LEN.min(relate::LOADED.max(len.saturating_mul(MAX_TIMES)));
        let mut together = len;
        let fits = |(_, bytes): &(Lean, &Region)| {
            let sum = together.saturating_add(bytes.len());
            // What does not fit is compared only with nearby ranges of its bases. More bases mean less of each, so
            // that one is used.
            let is_only = together == len && len <= MAX_LEN && bytes.len() <= longest;
            let fits = sum <= most && (is_only || sum <= relate::TOGETHER);
            if fits {
                together = sum;
            }
            fits
        };
        let leans = candidates
            .iter()
            .filter_map(|&candidate| self.lean(candidate));
        Bases {
            list: leans.filter(fits).collect(),
            index_bytes: ENTRY,
            is_source: matches!(candidates, [Candidate::Source(_)]),
        }
    }

    /// A content as differences, or by its parts if there are no bases, if that pays.
    fn one(&self, content: &Region, bases: &Bases<'_>, gate: &Gate) -> Result<Option<Difference>> {
        let regions: Vec<&Region> = bases.list.iter().map(|&(_, bytes)| bytes).collect();
        let old = regions.iter().map(|region| region.len()).sum::<u64>();
        let parsed = relate::is_compiled_python(content).map_err(Error::Scratch)?;
        let _pass = gate.pass(if parsed {
            PYTHON_FACTOR * (old + content.len())
        } else {
            relate::encoding_memory(content.len(), old)
        });
        let list: Vec<&dyn relate::Content> = regions.iter().map(|&region| region as _).collect();
        let settings = relate::Options {
            effort: match self.options.effort {
                Effort::Fast => 2,
                Effort::Default => 5,
                Effort::Best => 9,
            },
        };
        let encoded = match relate::encode(content, &list, &settings) {
            Ok(encoded) => encoded,
            Err(relate::Error::TooDifferent) => return Ok(None),
            Err(error) => return Err(Error::Scratch(io::Error::other(error))),
        };
        // Only what is in the pack can be in the window of a stream.
        let window = bases
            .list
            .iter()
            .find(|(lean, _)| matches!(lean, Lean::Own(_)));
        let window = window.map(|&(_, bytes)| bytes);
        // The streams of one compiled module are too short for a trial; together they pay.
        if !(encoded.codec == relate::Codec::PYTHON && bases.is_source) {
            let pays = pays(&encoded, bases.index_bytes, content, window);
            if !pays.map_err(Error::Scratch)? {
                return Ok(None);
            }
        }
        let store =
            |stream: &relate::Stream| Ok((stream.id.number(), self.spool.store(&stream.bytes)?));
        let streams = encoded.streams.iter().map(store).collect::<io::Result<_>>();
        Ok(Some(Difference {
            codec: encoded.codec,
            bases: bases.list.iter().map(|&(lean, _)| lean).collect(),
            streams: streams.map_err(Error::Scratch)?,
        }))
    }
}

/// The level that tells which of two forms is smaller.
const TRIAL_LEVEL: i32 = 3;
/// Bytes of the index that differences take besides their streams, about.
const ENTRY: u64 = 16;

/// The same for each range of a base.
const RANGE: u64 = 3;

/// Whether differences take fewer bytes than zstd alone does, with a base in its window if it can be there.
fn pays(
    encoded: &relate::Encoded,
    index_bytes: u64,
    content: &Region,
    base: Option<&Region>,
) -> io::Result<bool> {
    let mut differences = if base.is_some() { 0 } else { index_bytes };
    for stream in &encoded.streams {
        let len = stream.bytes.len() as u64;
        let compressed = compressed_len(&mut stream.bytes.as_slice(), len, &[])?;
        differences += match base {
            Some(_) => compressed,
            // They are short, and compressed together with many others.
            None => compressed.min(len),
        };
    }
    let in_window = |base: &&Region| base.len() + content.len() <= 1 << MAX_WINDOW;
    let base = base.filter(in_window);
    let base = base.map_or_else(|| Ok(Vec::new()), Region::to_vec)?;
    Ok(differences < compressed_len(&mut content.reader(), content.len(), &base)?)
}

/// The length of `content`, which has `len` bytes, compressed with `before` in the window.
fn compressed_len(content: &mut impl io::Read, len: u64, before: &[u8]) -> io::Result<u64> {
    let mut counter = Counter(0);
    let mut encoder = zstd::Encoder::with_ref_prefix(&mut counter, TRIAL_LEVEL, before)?;
    encoder.set_pledged_src_size(Some(len))?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(u32::from(window(before.len() as u64 + len)))?;
    io::copy(content, &mut encoder)?;
    encoder.finish()?;
    Ok(counter.0)
}

/// Counts what is written.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl relate::Content for Region {
    fn len(&self) -> u64 {
        Region::len(self)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}
