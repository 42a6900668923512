//! Copies, and how the control streams describe them.
//!
//! Positions count through all bases in the given order and then the new content. Within a piece, control is a
//! sequence of: the number of literals before the copy, the length of the copy, and the change of its
//! distance (position minus source) from that of the copy before, which is 0 for the first. Literals that reach
//! the end of the piece have no copy after them.

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;
use crate::layout::Part;
use crate::stream::{Class, Kind, StreamId};
use crate::varint::{unzigzag, zigzag};

/// Bytes of the new content that resemble earlier bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copy {
    /// Where the bytes go.
    pub(crate) at: u64,
    /// Where the resembling bytes are.
    pub(crate) source: u64,
    /// How many bytes; at least one.
    pub(crate) len: u64,
}

/// A range of the new content whose bytes are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    /// The first position, counted through bases and new content.
    pub(crate) start: u64,
    /// The position after the last.
    pub(crate) end: u64,
}

impl Piece {
    /// A part of the new content, which starts at `start`.
    pub(crate) fn of(part: &Part, start: u64) -> Self {
        Self {
            kind: part.kind,
            start: start + part.start,
            end: start + part.end(),
        }
    }
}

/// Appends the description of a piece's copies, which are in ascending order and do not overlap.
pub(crate) fn put(copies: &[Copy], piece: Piece, sinks: &mut Sinks) {
    let mut description = Description::new(piece);
    description.put(copies, sinks);
    description.finish(sinks);
}

/// The description of a piece's copies, which are not all known at once.
pub(crate) struct Description {
    piece: Piece,
    position: u64,
    distance: u64,
}

impl Description {
    pub(crate) fn new(piece: Piece) -> Self {
        Self {
            piece,
            position: piece.start,
            distance: 0,
        }
    }

    /// Appends further copies.
    pub(crate) fn put(&mut self, copies: &[Copy], sinks: &mut Sinks) {
        let kind = self.piece.kind;
        for copy in copies {
            sinks.number(Class::Runs, kind, copy.at - self.position);
            sinks.number(Class::Lengths, kind, copy.len);
            let next = copy.at - copy.source;
            let change = next.wrapping_sub(self.distance) as i64;
            sinks.number(Class::Sources, kind, zigzag(change));
            self.distance = next;
            self.position = copy.at + copy.len;
        }
    }

    /// Appends what is behind the last copy.
    pub(crate) fn finish(self, sinks: &mut Sinks) {
        if self.position < self.piece.end {
            let literals = self.piece.end - self.position;
            sinks.number(Class::Runs, self.piece.kind, literals);
        }
    }
}

/// Reads the copies of a piece one by one and checks each.
pub(crate) struct Cursor {
    piece: Piece,
    position: u64,
    distance: u64,
}

impl Cursor {
    pub(crate) fn new(piece: Piece) -> Self {
        Self {
            piece,
            position: piece.start,
            distance: 0,
        }
    }

    /// The next copy; `None` if only literals are left. `boundaries` are the ends of the bases.
    pub(crate) fn next(
        &mut self,
        control: &mut Readers<'_>,
        boundaries: &[u64],
    ) -> Result<Option<Copy>, DecodeError> {
        let Piece { kind, end, .. } = self.piece;
        if self.position == end {
            return Ok(None);
        }
        let run = control.number(Class::Runs, kind)?;
        let at = self.position.checked_add(run).filter(|at| *at <= end);
        let at = at.ok_or(invalid(
            Class::Runs,
            kind,
            "literals reach beyond the piece",
        ))?;
        if at == end {
            self.position = end;
            return Ok(None);
        }
        let len = control.number(Class::Lengths, kind)?;
        if len == 0 || len > end - at {
            return Err(invalid(Class::Lengths, kind, "length is zero or too long"));
        }
        let change = unzigzag(control.number(Class::Sources, kind)?);
        self.distance = self.distance.wrapping_add(change as u64);
        let source = self.source(at, len, boundaries);
        let source = source.ok_or(invalid(Class::Sources, kind, "copy of bytes not available"))?;
        self.position = at + len;
        Ok(Some(Copy { at, source, len }))
    }

    /// The source, if it lies in one base, or in this piece before `at`.
    fn source(&self, at: u64, len: u64, boundaries: &[u64]) -> Option<u64> {
        let source = at
            .checked_sub(self.distance)
            .filter(|source| *source < at)?;
        let base = boundaries.partition_point(|end| *end <= source);
        match boundaries.get(base) {
            Some(&end) => (len <= end - source).then_some(source),
            None => (source >= self.piece.start).then_some(source),
        }
    }
}

fn invalid(class: Class, kind: Kind, reason: &'static str) -> DecodeError {
    let kind = kind as u8;
    DecodeError::Invalid {
        stream: StreamId { class, kind },
        reason,
    }
}
