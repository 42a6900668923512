//! From a position that looks like the start of a stream to a recipe for it.

use std::io::{Cursor, Read, Seek, SeekFrom};

use crate::analyse::{Analysis, Memory, Reason, analyse_with};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::inflate::Inflater;
use crate::input::Input;
use crate::recipe::Recipe;
use crate::wrapper::{Sums, Wrapper};

use super::options::Options;
use super::png::{self, Chunks};
use super::scan::{Candidate, Kind};

/// A stream that can be opened.
pub(super) struct Found {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) recipe: Recipe,
    /// A picture's chunks and the stream that they hold.
    pub(super) picture: Option<(Chunks, Vec<u8>)>,
}

/// What a candidate turned out to be.
pub(super) enum Verdict {
    Found(Box<Found>),
    /// It is a stream up to here, but too short.
    Short(u64),
    /// It is a stream, but no known encoder writes it; the one that came furthest.
    Kept {
        start: u64,
        end: u64,
        like: Option<(Encoder, u64)>,
    },
    /// It is not a stream.
    Nothing,
}

/// Examines candidates, and remembers what helps with the next.
#[derive(Default)]
pub(super) struct Finder {
    memory: Memory,
    /// Plain bytes decoded from what turned out not to be a stream.
    wasted: u64,
}

/// Bytes that may be decoded for nothing, plus so many for each byte of content: overlapping
/// beginnings of streams must not take quadratic time.
const WASTE: u64 = 64 << 20;
const WASTE_PER_BYTE: u64 = 8;

/// A complete stream.
struct Survey {
    /// Compressed and plain bytes.
    len: u64,
    plain: u64,
}

impl Finder {
    pub(super) fn look<R: Read + Seek>(
        &mut self,
        content: &mut R,
        candidate: Candidate,
        options: &Options<'_>,
    ) -> Result<Verdict> {
        if self.wasted > WASTE + WASTE_PER_BYTE.saturating_mul(candidate.at) {
            return Ok(Verdict::Nothing);
        }
        if candidate.kind == Kind::Png {
            return self.look_at_picture(content, candidate.at, options);
        }
        let (wrapper, skip) = candidate.kind.stream();
        let start = candidate.at + skip;
        let crc = match candidate.kind {
            Kind::Zip { crc, .. } => Some(crc),
            _ => None,
        };
        let Some(survey) = self.survey(content, start, wrapper, crc, options.max_plain)? else {
            return Ok(Verdict::Nothing);
        };
        let end = start + survey.len;
        if survey.len < options.min_stream {
            return Ok(Verdict::Short(end));
        }
        content.seek(SeekFrom::Start(start))?;
        match self.analyse(&mut *content, wrapper, options)? {
            Ok(recipe) => Ok(Verdict::Found(Box::new(Found {
                start,
                end: start + recipe.stream_len,
                recipe,
                picture: None,
            }))),
            Err(like) => Ok(Verdict::Kept { start, end, like }),
        }
    }

    fn look_at_picture<R: Read + Seek>(
        &mut self,
        content: &mut R,
        at: u64,
        options: &Options<'_>,
    ) -> Result<Verdict> {
        let Some(picture) = png::picture(content, at)? else {
            return Ok(Verdict::Nothing);
        };
        let len = picture.stream.len() as u64;
        let mut stream = Cursor::new(&picture.stream);
        let survey = self.survey(&mut stream, 0, Wrapper::Zlib, None, options.max_plain)?;
        if survey.is_none_or(|s| s.len != len || s.len < options.min_stream) {
            return Ok(Verdict::Nothing);
        }
        stream.set_position(0);
        match self.analyse(&mut stream, Wrapper::Zlib, options)? {
            Ok(recipe) => Ok(Verdict::Found(Box::new(Found {
                start: picture.start,
                end: picture.end,
                recipe,
                picture: Some((picture.chunks, picture.stream)),
            }))),
            Err(like) => Ok(Verdict::Kept {
                start: picture.start,
                end: picture.end,
                like,
            }),
        }
    }

    fn analyse<R: Read + Seek>(
        &mut self,
        stream: R,
        wrapper: Wrapper,
        options: &Options<'_>,
    ) -> Result<std::result::Result<Recipe, Option<(Encoder, u64)>>> {
        let settings = crate::Options {
            wrapper: Some(wrapper),
            single: true,
            literal_limit: 0,
            checkpoints: options.checkpoints,
            corrections: 0,
        };
        match analyse_with(stream, &settings, &mut self.memory)? {
            Analysis::Recipe(recipe) => Ok(Ok(recipe)),
            Analysis::Verbatim(Reason::UnknownEncoder(like)) => Ok(Err(like)),
            Analysis::Verbatim(_) => Ok(Err(None)),
        }
    }

    /// Decodes a stream to its end; `None` if that fails or its checksum is wrong.
    fn survey<R: Read + Seek>(
        &mut self,
        content: &mut R,
        start: u64,
        wrapper: Wrapper,
        crc: Option<u32>,
        max_plain: u64,
    ) -> Result<Option<Survey>> {
        content.seek(SeekFrom::Start(start))?;
        let mut plain = 0;
        match survey(content, wrapper, crc, max_plain, &mut plain) {
            Ok(Some(survey)) => return Ok(Some(survey)),
            Ok(None) | Err(Error::BadStream(_)) => {}
            Err(error) => return Err(error),
        }
        self.wasted += plain + 1024;
        Ok(None)
    }
}

fn survey<R: Read>(
    content: R,
    wrapper: Wrapper,
    crc: Option<u32>,
    max_plain: u64,
    plain: &mut u64,
) -> Result<Option<Survey>> {
    let mut input = Input::new(content, 0);
    wrapper.read_header(&mut input)?;
    let mut inflater = Inflater::new(input);
    inflater.restart();
    let mut sums = Sums::new(wrapper);
    loop {
        let ended = inflater.step()?;
        sums.update(inflater.plain());
        inflater.bits.input.skip_comparison();
        *plain = sums.len;
        if sums.len > max_plain {
            return Ok(None);
        }
        if ended.is_some_and(|block| block.last) {
            break;
        }
    }
    let trailer = wrapper.trailer(sums.sum(), sums.len);
    let proven = inflater.bits.input.take(trailer.len())? == trailer
        && match crc {
            None => true,
            Some(0) => follows(&mut inflater.bits.input, sums.sum())?,
            Some(crc) => crc == sums.sum(),
        };
    Ok(proven.then(|| Survey {
        len: inflater.bits.input.offset(),
        plain: sums.len,
    }))
    .map(|survey| survey.filter(|s| s.plain > 0))
}

/// Whether a zip member's descriptor with this checksum is next, with its signature or without.
fn follows<R: Read>(input: &mut Input<R>, crc: u32) -> Result<bool> {
    let next = input.peek(8)?;
    let crc = crc.to_le_bytes();
    Ok(next.get(..4) == Some(&crc)
        || (next.get(..4) == Some(b"PK\x07\x08") && next.get(4..8) == Some(&crc)))
}
