//! Encodes a program by its parts.

use std::io;

use super::load::{Limits, Loaded, choose};
use super::{Options, failed};
use crate::codec::Codec;
use crate::content::Content;
use crate::copies::{self, Copy, Piece};
use crate::decode::{MAX_COPIES, sources};
use crate::error::Error;
use crate::layout::{Layout, Part};
use crate::matching::{Guide, Search};
use crate::program::{Passage, Source, anchors, coding_order, follower_pairs, follows, is_derived};
use crate::stream::{Class, Encoded};
use crate::transfer::{Encoding, Space};

/// Encodes a program; `None` if it takes more copies than a decoder accepts, or if none of its bases fits.
pub(super) fn encode(
    new: &dyn Content,
    bases: &[&dyn Content],
    space: &Space<'_>,
    layout: &Layout,
    options: Options,
    limits: Limits,
) -> Result<Option<Encoded>, Error> {
    let used = choose(new, bases, limits.program - new.len())?;
    if used.is_empty() && !bases.is_empty() {
        return Ok(None);
    }
    let ranges: Vec<_> = used
        .iter()
        .map(|index| (*index, 0..bases[*index].len()))
        .collect();
    let loaded = Loaded::new(new, bases, space, &ranges, 0..new.len())?;
    let slices: Vec<&[u8]> = (0..used.len()).map(|number| loaded.base(number)).collect();
    let mut contents = bases.to_vec();
    for (slice, index) in slices.iter().zip(&used) {
        contents[*index] = slice;
    }
    let space = &Space::new(&contents, new.len()).map_err(Error::Unproved)?;
    let sources = sources(&contents, Codec::PROGRAM.version).map_err(failed)?;
    let found = if bases.is_empty() {
        // What repeats in it is left to the compression of the streams.
        vec![Vec::new(); layout.parts.len()]
    } else {
        find(&loaded, &sources, &used, layout, options)?
    };
    if found.iter().map(Vec::len).sum::<usize>() > MAX_COPIES {
        return Ok(None);
    }
    let version = Codec::PROGRAM.version;
    let mut side = Encoding::new(loaded.truth());
    layout.put(side.sinks.stream(Class::Layout, 0));
    for index in coding_order(layout, version) {
        if !is_derived(layout, &layout.parts[index]) {
            let piece = Piece::of(&layout.parts[index], space.new_start());
            copies::put(&found[index], piece, &mut side.sinks);
        }
    }
    let passage = Passage::new(&mut side, space, &sources, layout, version, &found);
    passage.run(&found).map_err(failed)?;
    Ok(Some(side.sinks.finish(Codec::PROGRAM)))
}

/// The copies of each part.
fn find(
    loaded: &Loaded,
    sources: &[Source<'_>],
    used: &[usize],
    layout: &Layout,
    options: Options,
) -> Result<Vec<Vec<Copy>>, Error> {
    let bases: Vec<&Source<'_>> = used.iter().map(|index| &sources[*index]).collect();
    let start = loaded.new_start();
    let truth = loaded.truth();
    let source = Source::with_layout(&truth, layout.clone(), Codec::PROGRAM.version);
    let guide = Guide::new(&source, &bases, start).map_err(Error::Content)?;
    let mut search = Search::new(&loaded.data, &loaded.boundaries, guide, options.effort);
    let mut found = vec![Vec::new(); layout.parts.len()];
    for pass in [false, true] {
        if pass {
            let pairs = followers(&source, &bases, &loaded.boundaries, &found);
            search.add_pairs(pairs.map_err(Error::Content)?);
        }
        for (index, part) in layout.parts.iter().enumerate() {
            if !is_derived(layout, part) && follows(part.kind) == pass {
                let range = (start + part.start) as usize..(start + part.end()) as usize;
                found[index] = search.range(range, part.kind);
            }
        }
    }
    for copy in found.iter_mut().flatten() {
        *copy = loaded.translate(*copy);
    }
    Ok(found)
}

/// Pairs of entries that are about bytes for which copies were found.
fn followers(
    new: &Source<'_>,
    bases: &[&Source<'_>],
    boundaries: &[u64],
    found: &[Vec<Copy>],
) -> io::Result<Vec<(u32, u32)>> {
    let copies: Vec<Copy> = found.iter().flatten().copied().collect();
    let new_start = boundaries.last().copied().unwrap_or(0);
    let follows = |part: &&Part| follows(part.kind);
    let mut pairs = Vec::new();
    for part in new.layout.parts.iter().filter(follows) {
        let entries = anchors(new, part)?;
        let mut start = 0;
        for (base, end) in bases.iter().zip(boundaries) {
            let same = |other: &&Part| other.kind == part.kind;
            for other in base.layout.parts.iter().filter(same) {
                let anchors = anchors(base, other)?;
                pairs.extend(follower_pairs(
                    &entries,
                    &anchors,
                    &copies,
                    (new_start, start),
                ));
            }
            start = *end;
        }
    }
    Ok(pairs)
}
