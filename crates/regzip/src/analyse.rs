//! Finding the encoder: likely ones first, on the beginning of the stream; a full replay proves it.

mod opening;
mod probe;
pub(crate) mod replay;
mod seal;
mod unknown;

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::clues::Clues;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::inflate::Inflater;
use crate::input::Input;
use crate::recipe::{EventKind, Member, Method, Recipe, Tail};
use crate::wrapper::Wrapper;
use opening::Opening;
use probe::fitting;
use replay::{Conditions, Outcome, replay};
use seal::{place_members, seal};

/// What is known about a stream after analysis.
#[derive(Debug)]
#[non_exhaustive]
pub enum Analysis {
    /// The stream was rebuilt once, compared, and found equal.
    Recipe(Recipe),
    /// The stream has to be kept as it is.
    Verbatim(Reason),
}

/// Why a stream has to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is neither gzip nor zlib.
    NotCompressed,
    /// It cannot be decoded.
    Damaged(&'static str),
    /// No known encoder writes these bytes. If one wrote the beginning, it and the number of plain
    /// bytes read when it went wrong.
    UnknownEncoder(Option<(Encoder, u64)>),
    /// Too many bytes follow the last member.
    TrailingData,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotCompressed => f.write_str("neither gzip nor zlib"),
            Self::Damaged(why) => write!(f, "damaged: {why}"),
            Self::UnknownEncoder(None) => f.write_str("unknown encoder"),
            Self::UnknownEncoder(Some((encoder, at))) => {
                write!(f, "unknown encoder, like {encoder} up to plain byte {at}")
            }
            Self::TrailingData => f.write_str("too many bytes after the last member"),
        }
    }
}

/// Settings of an analysis.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The wrapper, if the caller knows it; needed for raw deflate, which nothing announces.
    pub wrapper: Option<Wrapper>,
    /// Stop after the first member, as for a stream inside other content: what follows is not
    /// looked at.
    pub single: bool,
    /// Unknown deflate streams up to this size are put in the recipe as they are, next to members
    /// that can be replayed.
    pub literal_limit: usize,
    /// Plain bytes from one checkpoint to the next (64 KiB at least); `None` for no checkpoints. Each
    /// costs some bytes of the recipe and, with some encoders, some blocks that are searched once more:
    /// four times as much lies before the next. One that takes many bytes waits until it takes no greater
    /// part of the content than others. The further apart they are, the longer all threads but one wait
    /// for the last part.
    pub checkpoints: Option<u64>,
    /// A deflate stream that no known encoder writes is met by corrections to one if they take at
    /// most so many thousandths of it, and no more than 16 MiB; 0 for never.
    pub corrections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wrapper: None,
            single: false,
            literal_limit: 256,
            checkpoints: Some(1 << 20),
            corrections: 125,
        }
    }
}

/// Compressed bytes that probing looks at, in two rounds.
const PROBES: [usize; 2] = [1 << 15, 1 << 19];
/// More bytes after the last member are not kept, unless they are zeros.
const MAX_TAIL: usize = 1 << 12;
/// How many ends of writes a replay may learn by trial.
const MAX_TRIALS: usize = 64;

/// Finds out how to write the stream again.
///
/// Reads from the stream's current position, several times, in constant memory. Errors are those
/// of the reader; a stream that is no good is [`Analysis::Verbatim`].
pub fn analyse<R: Read + Seek>(stream: R, options: &Options) -> Result<Analysis> {
    analyse_with(stream, options, &mut Memory::default())
}

/// Encoders that fitted before, the latest first: the next stream is likely to be of the same.
#[derive(Default)]
pub(crate) struct Memory {
    recent: Vec<Encoder>,
    /// The measure of the last stream that was met by corrections.
    measure: Option<u8>,
}

/// So many encoders are remembered.
const RECENT: usize = 4;

impl Memory {
    /// As if one had fitted before.
    #[cfg(test)]
    pub(crate) fn of(encoder: Encoder) -> Self {
        Self {
            recent: vec![encoder],
            ..Self::default()
        }
    }

    fn note(&mut self, encoder: Encoder) {
        self.recent.retain(|&e| e != encoder);
        self.recent.insert(0, encoder);
        self.recent.truncate(RECENT);
    }
}

/// As [`analyse`], with what was learnt from other streams.
pub(crate) fn analyse_with<R: Read + Seek>(
    mut stream: R,
    options: &Options,
    memory: &mut Memory,
) -> Result<Analysis> {
    let start = stream.stream_position()?;
    let mut analyser = Analyser {
        stream,
        options,
        memory,
        corrected: 0,
    };
    match analyser.run(start) {
        Ok(recipe) => Ok(Analysis::Recipe(recipe)),
        Err(Stop::Verbatim(reason)) => Ok(Analysis::Verbatim(reason)),
        Err(Stop::Error(Error::BadStream(why))) => Ok(Analysis::Verbatim(Reason::Damaged(why))),
        Err(Stop::Error(e)) => Err(e),
    }
}

/// Why an analysis ends early.
enum Stop {
    Verbatim(Reason),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Ends of writes that are learnt by trial: each that moves the first difference on is kept.
#[derive(Default)]
struct Trials {
    accepted: Vec<u64>,
    trial: Option<u64>,
    queue: Vec<u64>,
    reached: u64,
}

impl Trials {
    fn boundaries(&self) -> Vec<u64> {
        self.accepted.iter().copied().chain(self.trial).collect()
    }

    /// Takes note of a difference and prepares the next trial; false when there is none.
    fn next(&mut self, plain: u64, mut sensitive: Vec<u64>) -> bool {
        if plain > self.reached {
            self.reached = plain;
            self.accepted.extend(self.trial.take());
            let known = self.accepted.last().copied().unwrap_or(0);
            sensitive.retain(|&p| p > known);
            sensitive.reverse();
            self.queue = sensitive;
        }
        self.trial = self.queue.pop();
        self.trial.is_some()
    }
}

struct Analyser<'a, R> {
    stream: R,
    options: &'a Options,
    memory: &'a mut Memory,
    /// So many members in a row were met by corrections.
    corrected: usize,
}

/// After so many corrected members the next is not taken to every encoder first.
const STEADY: usize = 4;

impl<R: Read + Seek> Analyser<'_, R> {
    fn run(&mut self, start: u64) -> std::result::Result<Recipe, Stop> {
        let mut members = Vec::new();
        let mut offsets = Vec::new();
        let mut at = start;
        let mut replayed = false;
        let options = self.options;
        loop {
            let mut input = self.input(at)?;
            let head = input.peek(4)?;
            let wrapper = match options.wrapper {
                Some(wrapper) if members.is_empty() => Some(wrapper),
                _ => Wrapper::detect(head),
            };
            // Only gzip knows several members.
            let Some(wrapper) = wrapper.filter(|&w| members.is_empty() || w == Wrapper::Gzip)
            else {
                break;
            };
            let header: Arc<[u8]> = match wrapper.read_header(&mut input) {
                Ok(header) => header.into(),
                Err(Error::BadStream(_)) if !members.is_empty() => break,
                Err(e) => return Err(e.into()),
            };
            let deflate = input.offset();
            let (member, end) = self.member(wrapper, header, deflate)?;
            replayed |= !matches!(member.method, Method::Literal(_));
            members.push(member);
            offsets.push(at - start);
            at = end;
            if self.options.single || wrapper != Wrapper::Gzip {
                break;
            }
        }
        if members.is_empty() {
            return Err(Stop::Verbatim(Reason::NotCompressed));
        }
        if !replayed {
            return Err(Stop::Verbatim(Reason::UnknownEncoder(None)));
        }
        let tail = if self.options.single {
            Tail::None
        } else {
            self.tail(&mut at)?
        };
        place_members(&mut members, &offsets, self.options.checkpoints);
        self.stream.seek(SeekFrom::Start(start))?;
        let stream_len = at - start;
        let stream_crc = seal(&mut self.stream, stream_len, &mut members, &offsets)?;
        Ok(Recipe {
            stream_len,
            stream_crc,
            members,
            tail,
        })
    }

    fn input(&mut self, at: u64) -> Result<Input<&mut R>> {
        self.stream.seek(SeekFrom::Start(at))?;
        Ok(Input::new(&mut self.stream, at))
    }

    /// Analyses the member whose deflate stream starts at `at`; returns where the member ends.
    fn member(
        &mut self,
        wrapper: Wrapper,
        header: Arc<[u8]>,
        at: u64,
    ) -> std::result::Result<(Member, u64), Stop> {
        let mut best: Option<(Encoder, u64)> = None;
        // What fitted before is tried at once; only if it fails are all others put to the proof.
        let recent = self.memory.recent.clone();
        for encoder in recent.iter().copied() {
            let attempt = self.attempt(encoder, wrapper, &header, at, &mut best)?;
            if let Some(result) = attempt {
                return Ok(result);
            }
        }
        let steady = self.corrected >= STEADY;
        let (groups, opening) = if steady {
            (Vec::new(), None)
        } else {
            let mut input = self.input(at)?;
            let start = input.peek(PROBES[1])?;
            let groups = Encoder::candidates(&Clues::of(wrapper, &header, start));
            (groups, Opening::of(start))
        };
        for mut group in groups {
            let opens = |&encoder: &Encoder| opening.as_ref().is_none_or(|o| o.fits(encoder));
            group.retain(opens);
            for encoder in self.shortlist(group, wrapper, at)? {
                if recent.contains(&encoder) {
                    continue;
                }
                let attempt = self.attempt(encoder, wrapper, &header, at, &mut best)?;
                if let Some(result) = attempt {
                    return Ok(result);
                }
            }
        }
        match self.unknown(wrapper, header.clone(), at, best) {
            Err(Stop::Verbatim(Reason::UnknownEncoder(_))) if steady => {
                self.corrected = 0;
                self.member(wrapper, header, at)
            }
            other => other,
        }
    }

    /// Replays the whole stream with one encoder. Notes how far it came if it failed.
    fn attempt(
        &mut self,
        encoder: Encoder,
        wrapper: Wrapper,
        header: &Arc<[u8]>,
        at: u64,
        best: &mut Option<(Encoder, u64)>,
    ) -> Result<Option<(Member, u64)>> {
        let spacing = self.options.checkpoints;
        let mut trials = Trials::default();
        let mut flush = EventKind::Flush;
        for _ in 0..MAX_TRIALS {
            let mut inflater = Inflater::new(self.input(at)?);
            let boundaries = trials.boundaries();
            let conditions = Conditions {
                boundaries: &boundaries,
                flush,
                spacing,
            };
            match replay(&mut inflater, encoder, wrapper, conditions)? {
                Outcome::Equal {
                    events,
                    checkpoints,
                    sums,
                } => {
                    let (trailer, end) = trailer(&mut inflater.bits.input, wrapper, &sums)?;
                    self.memory.note(encoder);
                    self.corrected = 0;
                    let member = Member {
                        wrapper,
                        header: header.clone(),
                        method: Method::Replay(encoder),
                        plain_len: sums.len,
                        plain_sum: sums.sum(),
                        trailer,
                        events,
                        checkpoints,
                        start: None,
                    };
                    return Ok(Some((member, end)));
                }
                Outcome::Undecided => break,
                Outcome::Differs {
                    plain,
                    flushed,
                    sensitive,
                } => {
                    if best.is_none_or(|(_, far)| plain > far) {
                        *best = Some((encoder, plain));
                    }
                    if flushed && flush == EventKind::Flush && encoder.flushes_fully() {
                        flush = EventKind::FullFlush;
                        continue;
                    }
                    if !trials.next(plain, sensitive) {
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Those of the encoders that write the beginning of the stream.
    fn shortlist(
        &mut self,
        mut list: Vec<Encoder>,
        wrapper: Wrapper,
        at: u64,
    ) -> Result<Vec<Encoder>> {
        let [short, long] = PROBES;
        let start = self.input(at)?.peek(long)?.to_vec();
        let start = &start[..start.len().min(long)];
        // Of a stream that ends so soon all is looked at once.
        if start.len() == long {
            list = fitting(list, wrapper, &start[..short])?;
        }
        if list.len() > 1 || start.len() < long {
            list = fitting(list, wrapper, start)?;
        }
        Ok(list)
    }

    /// What follows the last member, up to the end of the stream.
    fn tail(&mut self, at: &mut u64) -> std::result::Result<Tail, Stop> {
        self.stream.seek(SeekFrom::Start(*at))?;
        let mut bytes = Vec::new();
        (&mut self.stream)
            .take(MAX_TAIL as u64 + 1)
            .read_to_end(&mut bytes)?;
        let zeros = bytes.iter().all(|&b| b == 0);
        let mut len = bytes.len() as u64;
        if !zeros && bytes.len() > MAX_TAIL {
            return Err(Stop::Verbatim(Reason::TrailingData));
        }
        if zeros {
            let mut piece = vec![0; 1 << 16];
            loop {
                let n = self.stream.read(&mut piece)?;
                if n == 0 {
                    break;
                }
                if piece[..n].iter().any(|&b| b != 0) {
                    return Err(Stop::Verbatim(Reason::TrailingData));
                }
                len += n as u64;
            }
        }
        *at += len;
        Ok(match (len, zeros) {
            (0, _) => Tail::None,
            (_, true) => Tail::Zeros(len),
            (_, false) => Tail::Bytes(bytes),
        })
    }
}

/// Takes the trailer; `None` if it is what the content asks for. Also where it ends.
fn trailer<R: Read>(
    input: &mut Input<R>,
    wrapper: Wrapper,
    sums: &crate::wrapper::Sums,
) -> Result<(Option<Vec<u8>>, u64)> {
    let bytes = input.take(wrapper.trailer_len())?.to_vec();
    let end = input.offset();
    Ok((
        (bytes != wrapper.trailer(sums.sum(), sums.len)).then_some(bytes),
        end,
    ))
}
