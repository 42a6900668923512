//! Entries that are about something elsewhere, paired by what that is paired with: relocations by the address that they
//! change, call frames by the code that they are for, links to types by the type.

use std::io;

use crate::bytes::{u32_at, u64_at};
use crate::copies::Copy;
use crate::layout::Part;
use crate::program::address::Target;
use crate::program::annotate::frame_starts;
use crate::program::source::Source;
use crate::stream::Kind;

/// Bytes of a relocation.
const RELOCATION: usize = 24;
/// Bytes of a link to a type.
const LINK: usize = 4;

/// Entries by what they are about: positions in the program, of the entry second.
pub(crate) type Anchors = Vec<(u64, u64)>;

/// Whether parts of a kind are paired when the others are.
pub(crate) fn follows(kind: Kind) -> bool {
    matches!(kind, Kind::Relocations | Kind::CallFrames | Kind::TypeLinks)
}

/// The entries of a part, in ascending order of what they are about.
pub(crate) fn anchors(source: &Source<'_>, part: &Part) -> io::Result<Anchors> {
    let bytes = source.bytes(part)?;
    let position = |address| source.addresses.target_of(address)?.position();
    let mut anchors: Anchors = match part.kind {
        Kind::Relocations => {
            let entries = bytes.chunks_exact(RELOCATION).enumerate();
            let anchor = |(index, entry): (usize, &[u8])| {
                let entry_at = part.start + (index * RELOCATION) as u64;
                Some((position(u64_at(entry, 0)?)?, entry_at))
            };
            entries.filter_map(anchor).collect()
        }
        Kind::TypeLinks => {
            let types = source.layout.go.types;
            let anchor = |(index, entry): (usize, &[u8])| {
                let address = types.checked_add(u64::from(u32_at(entry, 0)?))?;
                Some((position(address)?, part.start + (index * LINK) as u64))
            };
            bytes
                .chunks_exact(LINK)
                .enumerate()
                .filter_map(anchor)
                .collect()
        }
        _ => {
            let start = source.addresses.address_of(Target(part.start));
            let anchor = |(at, displacement): (usize, u32)| {
                let field = start.wrapping_add(at as u64 + 8);
                let address = field.wrapping_add(i64::from(displacement as i32) as u64);
                Some((position(address)?, part.start + at as u64))
            };
            frame_starts(&bytes).filter_map(anchor).collect()
        }
    };
    anchors.sort_unstable();
    Ok(anchors)
}

/// Pairs of entries: `new` and `old` by what they are about, given the copies of all other parts. `starts` are where
/// the programs start.
pub(crate) fn pairs(
    new: &Anchors,
    old: &Anchors,
    copies: &[Copy],
    (new_start, old_start): (u64, u64),
) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    for (about, entry) in new {
        let position = new_start + about;
        let index = copies.partition_point(|copy| copy.at <= position);
        let Some(copy) = index.checked_sub(1).map(|index| copies[index]) else {
            continue;
        };
        let offset = position - copy.at;
        let Some(there) = (copy.source + offset).checked_sub(old_start) else {
            continue;
        };
        let first = old.partition_point(|anchor| anchor.0 < there);
        if let Some(&(found, other)) = old.get(first)
            && offset < copy.len
            && found == there
        {
            pairs.push(((new_start + entry) as u32, (old_start + other) as u32));
        }
    }
    pairs
}
