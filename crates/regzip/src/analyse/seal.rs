//! The last step of an analysis: where members start, and checksums for all offsets at which a rebuild can
//! start.

use std::io::Read;

use crate::error::{Error, Result};
use crate::recipe::{Member, Start};

/// Read from the stream in pieces of this size.
const PIECE: u64 = 1 << 16;

/// Records where members start that are `spacing` plain bytes apart or have checkpoints; `offsets` are the
/// starts of all of them.
pub(super) fn record_starts(members: &mut [Member], offsets: &[u64], spacing: Option<u64>) {
    let Some(spacing) = spacing else { return };
    let mut plain = 0;
    for (member, &offset) in members.iter_mut().zip(offsets) {
        if offset > 0 && (plain >= spacing || !member.checkpoints.is_empty()) {
            member.start = Some(Start {
                offset,
                rest_crc: 0,
            });
            plain = 0;
        }
        plain += member.plain_len;
    }
}

/// Fills in the checksums from each start on, out of the stream, which is `len` bytes long; returns that of the
/// whole stream.
pub(super) fn seal<R: Read>(
    mut stream: R,
    len: u64,
    members: &mut [Member],
    offsets: &[u64],
) -> Result<u32> {
    let mut points = points(members, offsets);
    let ends = points.iter().map(|(offset, _)| *offset).chain([len]);
    let mut at = 0;
    let mut sums = Vec::with_capacity(points.len() + 1);
    for end in ends {
        sums.push(checksum(&mut stream, end - at)?);
        at = end;
    }
    // From the end to the start, each with all that follows it.
    let mut rest = flate2::Crc::new();
    while let Some(mut sum) = sums.pop() {
        sum.combine(&rest);
        rest = sum;
        if let Some((_, slot)) = points.pop() {
            *slot = rest.sum();
        }
    }
    Ok(rest.sum())
}

/// Offsets at which a rebuild can start, in order, and where their checksums belong.
fn points<'a>(members: &'a mut [Member], offsets: &[u64]) -> Vec<(u64, &'a mut u32)> {
    let mut points = Vec::new();
    for (member, &offset) in members.iter_mut().zip(offsets) {
        if let Some(start) = &mut member.start {
            points.push((offset, &mut start.rest_crc));
        }
        let deflate = offset + member.header.len() as u64;
        let checkpoints = member.checkpoints.iter_mut();
        points.extend(checkpoints.map(|c| (deflate + c.bits / 8, &mut c.rest_crc)));
    }
    points
}

/// Of the next `len` bytes.
fn checksum<R: Read>(stream: &mut R, len: u64) -> Result<flate2::Crc> {
    let mut crc = flate2::Crc::new();
    let mut piece = Vec::new();
    let mut left = len;
    while left > 0 {
        piece.clear();
        let n = left.min(PIECE);
        if (stream.by_ref().take(n).read_to_end(&mut piece)? as u64) < n {
            return Err(Error::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        crc.update(&piece);
        left -= n;
    }
    Ok(crc)
}
