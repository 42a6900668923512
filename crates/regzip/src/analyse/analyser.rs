//! One member after the other: the likeliest encoders first, on the beginning of the stream, then a full replay.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use super::memory::Memory;
use super::opening::Opening;
use super::options::Options;
use super::probe::fitting;
use super::replay::{Conditions, Outcome, replay};
use super::seal::{record_starts, seal};
use super::stop::{Reason, Stop};
use super::trials::{MAX_TRIALS, Trials};
use crate::clues::Clues;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::inflate::Inflater;
use crate::input::Input;
use crate::recipe::{EventKind, Member, Method, Recipe, Tail};
use crate::wrapper::Wrapper;

/// Compressed bytes that probing looks at, in two rounds.
const PROBES: [usize; 2] = [1 << 15, 1 << 19];

/// Analyses one stream.
pub(super) struct Analyser<'a, R> {
    pub(super) stream: R,
    pub(super) options: &'a Options,
    pub(super) memory: &'a mut Memory,
    /// So many members in a row took corrections.
    pub(super) corrected: usize,
}

/// After so many corrected members the next is not tried with every encoder first.
pub(super) const STEADY: usize = 4;

impl<R: Read + Seek> Analyser<'_, R> {
    pub(super) fn run(&mut self, start: u64) -> std::result::Result<Recipe, Stop> {
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
            // Only gzip has several members.
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
        record_starts(&mut members, &offsets, self.options.checkpoints);
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

    pub(super) fn input(&mut self, at: u64) -> Result<Input<&mut R>> {
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
        // What fitted before is tried at once, all others only if it fails.
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

    /// Replays the complete stream with one encoder. Notes how far it came if it failed.
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

    /// The encoders that write the beginning of the stream.
    fn shortlist(
        &mut self,
        mut list: Vec<Encoder>,
        wrapper: Wrapper,
        at: u64,
    ) -> Result<Vec<Encoder>> {
        let [short, long] = PROBES;
        let start = self.input(at)?.peek(long)?.to_vec();
        let start = &start[..start.len().min(long)];
        // A stream that ends so soon is read only once.
        if start.len() == long {
            list = fitting(list, wrapper, &start[..short])?;
        }
        if list.len() > 1 || start.len() < long {
            list = fitting(list, wrapper, start)?;
        }
        Ok(list)
    }
}

/// Reads the trailer; `None` if it is the one that follows from the content. Also where it ends.
pub(super) fn trailer<R: Read>(
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
