//! Passes the parts of a program, with their fields, from one side to the other.

use std::ops::Range;

use super::address::Addresses;
use super::annotate::{Block, Fields};
use super::found::MAX_FIELDS;
use super::predict::{Place, Prediction, Predictor};
use super::source::{MAX_PART, Source};
use super::symbols::Symbol;
use super::{FORMS, columns, literals};
use crate::bytes::{u64_at, word};
use crate::copies::{Copy, Piece};
use crate::error::DecodeError;
use crate::field::Field;
use crate::layout::{Layout, Part};
use crate::stream::Kind;
use crate::transfer::{self, CHUNK, Side, Space};
use crate::varint;

/// How many bytes before a field its prediction may look at.
const BEFORE: usize = 24;

/// Encoder or decoder on its way through the parts of a program.
pub(crate) struct Passage<'a, S> {
    side: &'a mut S,
    space: &'a Space<'a>,
    bases: &'a [Source<'a>],
    layout: &'a Layout,
    addresses: Addresses,
    /// The version of the codec.
    version: u8,
    predictor: Predictor<'a>,
    /// Fields of each base's parts of the kind that is passed.
    known: Vec<Vec<Option<Fields>>>,
    kind: Kind,
    /// How many more fields are looked for in parts of this kind, all bases together.
    fields_left: usize,
    /// Where bytes are while they are passed.
    buffer: Vec<u8>,
}

/// A range of bytes on its way: copied from a base, then changed to the new bytes from the front.
struct Chunk<'b> {
    bytes: &'b mut [u8],
    /// Its position in the new content.
    at: u64,
    /// How many bytes of the copy precede it.
    done: u64,
}

impl Chunk<'_> {
    /// Only the first `len` bytes are left.
    fn cut(&mut self, len: usize) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = &mut bytes[..len];
    }
}

/// Where a copy is from.
struct Origin {
    base: usize,
    /// The position in the base.
    source: u64,
    /// The part of the base that it lies in, by its number, and where that starts.
    number: usize,
    part: u64,
}

impl<'a, S: Side> Passage<'a, S> {
    /// A passage of the parts of `layout`, given the copies of each.
    pub(crate) fn new(
        side: &'a mut S,
        space: &'a Space<'a>,
        bases: &'a [Source<'a>],
        layout: &'a Layout,
        version: u8,
        copies: &[Vec<Copy>],
    ) -> Self {
        let all = copies.iter().flatten().copied();
        Self {
            side,
            space,
            bases,
            layout,
            addresses: Addresses::new(layout),
            version,
            predictor: Predictor::new(bases, layout, all),
            known: Vec::new(),
            kind: Kind::Other,
            fields_left: 0,
            buffer: Vec::new(),
        }
    }

    /// Passes all parts, in the order of their kinds.
    pub(crate) fn run(mut self, copies: &[Vec<Copy>]) -> Result<(), DecodeError> {
        let layout = self.layout;
        for index in coding_order(layout, self.version) {
            let part = &layout.parts[index];
            self.begin(part.kind);
            if is_derived(layout, part) {
                self.derived(part)?;
            } else {
                self.part(part, &copies[index])?;
            }
            if Predictor::wants(part.kind) {
                let bytes = self.passed(part)?;
                self.predictor.completed(part, bytes);
            }
        }
        Ok(())
    }

    /// Drops the fields of another kind.
    fn begin(&mut self, kind: Kind) {
        if kind != self.kind || self.known.is_empty() {
            let parts = |base: &Source<'_>| base.layout.parts.iter().map(|_| None).collect();
            self.known = self.bases.iter().map(parts).collect();
            self.kind = kind;
            self.fields_left = MAX_FIELDS;
        }
    }

    /// The bytes of a part that was passed; nothing if it is too long to look at.
    fn passed(&mut self, part: &Part) -> Result<Vec<u8>, DecodeError> {
        if part.len > MAX_PART {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; part.len as usize];
        self.side.read_back(part.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Passes a part that follows from another: only differences from what is expected are stored.
    fn derived(&mut self, part: &Part) -> Result<(), DecodeError> {
        let origin = match self.layout.part(Predictor::origin_of(part.kind)) {
            Some(origin) => self.passed(origin)?,
            None => Vec::new(),
        };
        let mut expected = self.predictor.derived(part, &origin);
        self.side
            .differences(part.kind, part.start, &mut expected)?;
        self.side.write(part.start, &expected)
    }

    /// Passes a part: literals and copies in turn.
    fn part(&mut self, part: &Part, copies: &[Copy]) -> Result<(), DecodeError> {
        let start = self.space.new_start();
        let mut piece = Piece::of(part, start);
        if copies.is_empty() && columns::is_divided(self.layout, part, self.version) {
            piece.start += self.divided(part)?;
        }
        let mut buf = std::mem::take(&mut self.buffer);
        let stored = literals::stored(self.layout, &self.addresses, part, self.version);
        let mut position = piece.start;
        for copy in copies {
            let literals = position..copy.at;
            transfer::literals(self.side, self.space, &stored, literals, &mut buf)?;
            match self.origin(part.kind, copy) {
                Some(origin) => self.related(part, copy, &origin, &mut buf)?,
                None => transfer::copied(self.side, self.space, part.kind, *copy, &mut buf)?,
            }
            position = copy.at + copy.len;
        }
        let literals = position..piece.end;
        transfer::literals(self.side, self.space, &stored, literals, &mut buf)?;
        self.buffer = buf;
        Ok(())
    }

    /// Passes as much of a part from its start as is divided into columns; returns how much that is.
    fn divided(&mut self, part: &Part) -> Result<u64, DecodeError> {
        let abbreviations = match self.layout.part(Kind::Abbreviations) {
            Some(abbreviations) if part.kind == Kind::Info => self.passed(abbreviations)?,
            _ => Vec::new(),
        };
        let divided = columns::Divided {
            kind: part.kind,
            known: columns::Known {
                abbreviations: &abbreviations,
                lists: self.predictor.list_starts(),
            },
        };
        self.side.columns(&divided, part.start, part.len)
    }

    /// Where a copy is from; `None` if the fields there do not count.
    fn origin(&self, kind: Kind, copy: &Copy) -> Option<Origin> {
        let base = self.space.base_of(copy.source);
        let position = copy.source - self.space.start_of(base);
        let parts = &self.bases.get(base)?.layout.parts;
        let number = parts.partition_point(|part| part.end() <= position);
        let part = parts.get(number).filter(|part| part.kind == kind)?;
        Some(Origin {
            base,
            source: position,
            number,
            part: part.start,
        })
    }

    /// The block of fields around a position of the part that a copy is from.
    fn block(&mut self, origin: &Origin, position: u64) -> Result<Block, DecodeError> {
        let source = &self.bases[origin.base];
        let failed = |source| DecodeError::Base {
            index: origin.base,
            source,
        };
        self.predictor.prepare(origin.base).map_err(failed)?;
        let slot = &mut self.known[origin.base][origin.number];
        let fields = if let Some(fields) = slot {
            fields
        } else {
            let part = &source.layout.parts[origin.number];
            slot.insert(Fields::new(source, part).map_err(failed)?)
        };
        fields
            .around(source, position, &mut self.fields_left)
            .map_err(failed)
    }

    /// Passes a copy with the fields in it.
    fn related(
        &mut self,
        part: &Part,
        copy: &Copy,
        origin: &Origin,
        buf: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let (mut block, mut next) = (Block::default(), 0);
        let start = copy.at - self.space.new_start();
        let mut done = 0;
        while done < copy.len {
            let position = origin.source + done - origin.part;
            if !block.range.contains(&position) {
                block = self.block(origin, position)?;
                next = block.marks.seek(position);
            }
            let len = (copy.len - done).min(block.range.end - position);
            let bytes = transfer::room(buf, len.min(CHUNK) as usize);
            self.space.read(self.side, copy.source + done, bytes)?;
            let at = start + done;
            let mut chunk = Chunk { bytes, at, done };
            let passed = self.fields(part, copy, origin, &block, &mut chunk, &mut next)?;
            let len = chunk.bytes.len();
            self.plain(part.kind, &mut chunk, passed..len)?;
            self.side.write(at, chunk.bytes)?;
            done += len as u64;
        }
        Ok(())
    }

    /// Passes a chunk up to and including its last field. Cuts the chunk before a field that does not fit. `next` is
    /// the index of the first mark.
    fn fields(
        &mut self,
        part: &Part,
        copy: &Copy,
        origin: &Origin,
        block: &Block,
        chunk: &mut Chunk<'_>,
        next: &mut usize,
    ) -> Result<usize, DecodeError> {
        let mut passed = 0;
        while let Some((mark, field)) = block.marks.get(*next) {
            let start = (mark + origin.part - origin.source - chunk.done) as usize;
            if start >= chunk.bytes.len() {
                break;
            }
            let rest = copy.len - chunk.done - start as u64;
            let end = field_end(chunk, start, field, rest);
            let here = chunk.bytes.len() - start;
            if end.is_none() && start > 0 && here < varint::MAX_LEN && rest > here as u64 {
                chunk.cut(start);
                break;
            }
            *next += 1;
            let Some(end) = end.filter(|_| start >= passed) else {
                continue;
            };
            self.plain(part.kind, chunk, passed..start)?;
            let place = Place {
                field,
                kind: part.kind,
                base: origin.base,
                source: origin.source + chunk.done + start as u64,
                at: chunk.at + start as u64,
                old: 0,
                about: about(origin, block, mark, field),
            };
            let known = self.field(part, place, copy, chunk, start..end)?;
            passed = if known { end } else { start };
        }
        Ok(passed)
    }

    /// Passes bytes that are not of a field.
    fn plain(
        &mut self,
        kind: Kind,
        chunk: &mut Chunk<'_>,
        range: Range<usize>,
    ) -> Result<(), DecodeError> {
        let at = chunk.at + range.start as u64;
        self.side.differences(kind, at, &mut chunk.bytes[range])
    }

    /// Passes a field; `false` if its bytes have to be passed like others.
    fn field(
        &mut self,
        part: &Part,
        mut place: Place,
        copy: &Copy,
        chunk: &mut Chunk<'_>,
        range: Range<usize>,
    ) -> Result<bool, DecodeError> {
        if place.field == Field::AddressIndex {
            return self.index(&place, chunk, range);
        }
        let width = range.len();
        place.old = get_word(&chunk.bytes[range.clone()]);
        let before = self.before(part, &place, chunk, range.start)?;
        let prediction = match place.field {
            Field::SymbolValue | Field::StringOffset if before.is_none() => None,
            Field::Addend => self.addend(&place, copy, chunk, range.start)?,
            Field::SymbolValue => self.symbol_value(&place, before.as_ref(), chunk, range.end),
            _ => {
                let before = before.unwrap_or([0; BEFORE]);
                self.predictor.predict(&place, copy, &before)
            }
        };
        let Some(prediction) = prediction else {
            return Ok(false);
        };
        let value = self
            .side
            .field(place.field, place.at, width, prediction.value)?;
        put_word(&mut chunk.bytes[range], value);
        self.predictor.learn(&place, &prediction, value);
        Ok(true)
    }

    /// The entry of a table before the field; `None` where predictions do not look at it, or at the start of the part.
    fn before(
        &mut self,
        part: &Part,
        place: &Place,
        chunk: &Chunk<'_>,
        start: usize,
    ) -> Result<Option<[u8; BEFORE]>, DecodeError> {
        let back = match (place.field, place.kind) {
            (Field::SymbolValue, _) => 8,
            (Field::StringOffset, Kind::Symbols) | (Field::Address, Kind::Addresses) => 0,
            _ => return Ok(None),
        };
        let entry = BEFORE as u64;
        // How much of the part is before the entry that the field is in.
        let passed = (place.at - part.start).checked_sub(back);
        let in_table = |passed: &u64| passed.is_multiple_of(entry) || back == 0;
        let Some(passed) = passed.filter(|passed| *passed >= entry).filter(in_table) else {
            return Ok(None);
        };
        let mut bytes = [0; BEFORE];
        let from = part.start + passed - entry;
        if from >= chunk.at {
            let from = start - back as usize - BEFORE;
            bytes.copy_from_slice(&chunk.bytes[from..from + BEFORE]);
        } else {
            let outside = (chunk.at - from).min(BEFORE as u64) as usize;
            self.side.read_back(from, &mut bytes[..outside])?;
            bytes[outside..].copy_from_slice(&chunk.bytes[..BEFORE - outside]);
        }
        Ok(Some(bytes))
    }

    /// The expected value of a symbol.
    fn symbol_value(
        &mut self,
        place: &Place,
        before: Option<&[u8; BEFORE]>,
        chunk: &Chunk<'_>,
        end: usize,
    ) -> Option<Prediction> {
        let before = Symbol::at(before?, 0)?;
        // The symbol's own name, kind and section are passed already, its size is still the base's.
        let info = *chunk.bytes.get(end.checked_sub(12)?)?;
        let size = u64_at(chunk.bytes, end)?;
        Some(self.predictor.symbol_value(place, &before, info, size))
    }

    /// The expected addend of a relocation: what is at the address that it changes, if that is set.
    fn addend(
        &mut self,
        place: &Place,
        copy: &Copy,
        chunk: &Chunk<'_>,
        start: usize,
    ) -> Result<Option<Prediction>, DecodeError> {
        let address = start.checked_sub(16).and_then(|at| u64_at(chunk.bytes, at));
        let position = address.and_then(|address| self.predictor.relocated(address));
        if let Some(position) = position {
            let mut bytes = [0; 8];
            self.side.read_back(position, &mut bytes)?;
            let value = u64::from_le_bytes(bytes);
            if value != 0 {
                return Ok(Some(Predictor::addend(value)));
            }
        }
        Ok(self.predictor.predict(place, copy, &[0; BEFORE]))
    }

    /// Passes an index of an address; `false` if its length has changed.
    fn index(
        &mut self,
        place: &Place,
        chunk: &mut Chunk<'_>,
        range: Range<usize>,
    ) -> Result<bool, DecodeError> {
        let Some((old, _)) = varint::get(&chunk.bytes[range.clone()]) else {
            return Ok(false);
        };
        let expected = self.predictor.index(place.kind, old);
        let value = self
            .side
            .integer(place.field, place.at, range.len(), expected)?;
        let Some(value) = value else {
            return Ok(false);
        };
        let mut bytes = Vec::with_capacity(varint::MAX_LEN);
        varint::put(&mut bytes, value);
        chunk.bytes[range].copy_from_slice(&bytes);
        self.predictor.learn_index(place.kind, old, value);
        Ok(true)
    }
}

/// What has to be known about the field at a mark besides its value.
fn about(origin: &Origin, block: &Block, mark: u64, field: Field) -> u64 {
    match field {
        Field::TableEntry => origin.part + block.marks.table_of(mark).unwrap_or(0),
        Field::PageStart | Field::PageOffset => block.marks.address_at(mark).unwrap_or(0),
        _ => 0,
    }
}

/// The value of a field of four or eight bytes. A single load for each width is faster than copying into a buffer of eight
/// bytes.
fn get_word(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => word(bytes),
    }
}

/// Writes the value of a field of four or eight bytes.
fn put_word(bytes: &mut [u8], value: u64) {
    if let Ok(bytes) = <&mut [u8; 4]>::try_from(&mut *bytes) {
        *bytes = (value as u32).to_le_bytes();
    } else {
        bytes.copy_from_slice(&value.to_le_bytes()[..bytes.len()]);
    }
}

/// Where a field that starts at `start` ends; `None` if not within the chunk.
fn field_end(chunk: &Chunk<'_>, start: usize, field: Field, rest: u64) -> Option<usize> {
    let width = match field {
        Field::AddressIndex => varint::get(&chunk.bytes[start..])?.1,
        field => field.width(),
    };
    let end = start + width;
    (end <= chunk.bytes.len() && width as u64 <= rest).then_some(end)
}

/// Parts in the order in which they are passed: by kind, then by position. From version [`FORMS`] on, abbreviations come
/// before what they describe.
pub(crate) fn coding_order(layout: &Layout, version: u8) -> Vec<usize> {
    let mut order: Vec<usize> = (0..layout.parts.len()).collect();
    order.sort_by_key(|index| match layout.parts[*index].kind {
        Kind::Abbreviations if version >= FORMS => (Kind::Info, 0),
        kind => (kind, 1),
    });
    order
}

/// Whether a part follows from another, so that it has no copies. Of each kind only the first does.
pub(crate) fn is_derived(layout: &Layout, part: &Part) -> bool {
    matches!(
        part.kind,
        Kind::FuncTable | Kind::CallFrameIndex | Kind::FuncIndex
    ) && part.len <= MAX_PART
        && layout.is_first(part)
}
