//! Where the pieces of a program are.
//!
//! The layout of bases is read from their headers. That of the new content is part of its streams, so that the
//! decoder knows it before it has a single byte; it is numbers as LEB128: machine, count of loads, for each address,
//! start, length and length in memory; address of text, of types and their end, of functions' data; bytes of a
//! function's description; address of read-only data (from version 2 on); count of parts, for each kind and length.
//! Parts cover the content.

mod go;

use std::io;

use crate::bytes::Walker;
use crate::content::Content;
use crate::object::{self, Load, MAX_LOADS, Machine, Object, Purpose, Section};
use crate::stream::Kind;
use crate::varint;
use go::GoTable;

/// No layout in the form of the streams is longer.
pub(crate) const MAX_BYTES: usize = 256 << 10;
const MAX_PARTS: usize = 4096;
/// What follows the index of functions starts at a multiple of this, counted from the start of the part that it is in.
const INDEX_ALIGNMENT: u64 = 16;

/// Consecutive bytes of one kind, relative to the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: Kind,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Part {
    pub(crate) fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// What the runtime of Go is told about the program; zeros if it is not of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Go {
    /// Address of the text.
    pub(crate) text: u64,
    /// Address of the types.
    pub(crate) types: u64,
    /// Address behind the types.
    pub(crate) types_end: u64,
    /// Address of the functions' data.
    pub(crate) func_data: u64,
    /// Bytes of a function's description before its tables.
    pub(crate) func_header: u64,
    /// Address of the read-only data; 0 in version 1 of the codec.
    pub(crate) rodata: u64,
}

/// Where the pieces of a program are and where they are loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    pub(crate) machine: Machine,
    pub(crate) loads: Vec<Load>,
    pub(crate) go: Go,
    /// In order, without gaps.
    pub(crate) parts: Vec<Part>,
}

impl Layout {
    /// Reads the headers of a program, by the rules of a version of the codec. Anything else is a single part.
    pub(crate) fn of(content: &dyn Content, version: u8) -> io::Result<Self> {
        let Some(mut object) = Object::read(content, version)? else {
            return Ok(Self::whole(content.len()));
        };
        if version > 2 {
            go::split(content, &mut object)?;
        }
        let mut parts = Vec::new();
        let mut go = Go::default();
        let mut index = None;
        for section in &object.sections {
            if section.name == go::TABLE
                && let Some(table) = GoTable::read(content, &object, section)?
            {
                go = table.go;
                if version > 1 {
                    index = table.index;
                } else {
                    go.rodata = 0;
                }
                parts.extend(table.parts);
                continue;
            }
            parts.push(Part {
                kind: kind_of(section, version),
                start: section.start,
                len: section.len,
            });
        }
        let mut parts = covering(&parts, content.len());
        let Object { machine, loads, .. } = object;
        if let Some(index) = index {
            split_index(&mut parts, &loads, index);
        }
        let layout = Self {
            machine,
            loads,
            go,
            parts,
        };
        let small = layout.parts.len() <= MAX_PARTS;
        Ok(if small {
            layout
        } else {
            Self::whole(content.len())
        })
    }

    fn whole(len: u64) -> Self {
        Self {
            parts: covering(&[], len),
            ..Self::default()
        }
    }

    /// Whether it is of a program whose parts are known.
    pub(crate) fn is_program(&self) -> bool {
        self.parts.len() > 1
    }

    /// The length of the content.
    pub(crate) fn len(&self) -> u64 {
        self.parts.last().map_or(0, Part::end)
    }

    /// Whether a part is the first of its kind.
    pub(crate) fn is_first(&self, part: &Part) -> bool {
        self.part(part.kind) == Some(part)
    }

    /// The first part of a kind.
    pub(crate) fn part(&self, kind: Kind) -> Option<&Part> {
        self.parts.iter().find(|part| part.kind == kind)
    }

    /// Appends the layout in the form of the streams of the latest version.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let mut number = |value| varint::put(out, value);
        number(match self.machine {
            Machine::Other => 0,
            Machine::Amd64 => 1,
            Machine::Arm64 => 2,
        });
        number(self.loads.len() as u64);
        for load in &self.loads {
            let fields = [load.address, load.start, load.len, load.memory];
            fields.into_iter().for_each(&mut number);
        }
        let Go {
            text,
            types,
            types_end,
            func_data,
            func_header,
            rodata,
        } = self.go;
        let fields = [text, types, types_end, func_data, func_header, rodata];
        fields.into_iter().for_each(&mut number);
        number(self.parts.len() as u64);
        for part in &self.parts {
            number(part.kind as u64);
            number(part.len);
        }
    }

    /// Reads what [`Layout::put`] wrote, for a content of `len` bytes; `None` if it is invalid in this version.
    pub(crate) fn get(bytes: &[u8], len: u64, version: u8) -> Option<Self> {
        let mut walker = Walker::new(bytes, 0);
        let machine = match walker.leb()? {
            0 => Machine::Other,
            1 => Machine::Amd64,
            2 => Machine::Arm64,
            _ => return None,
        };
        let mut loads = Vec::new();
        for _ in 0..bounded(walker.leb()?, MAX_LOADS)? {
            loads.push(Load {
                address: walker.leb()?,
                start: walker.leb()?,
                len: walker.leb()?,
                memory: walker.leb()?,
            });
        }
        let go = Go {
            text: walker.leb()?,
            types: walker.leb()?,
            types_end: walker.leb()?,
            func_data: walker.leb()?,
            func_header: walker.leb()?,
            rodata: if version > 1 { walker.leb()? } else { 0 },
        };
        let mut parts = Vec::new();
        let mut start = 0u64;
        for _ in 0..bounded(walker.leb()?, MAX_PARTS)? {
            let kind = Kind::from_number(u8::try_from(walker.leb()?).ok()?)?;
            if kind > Kind::Relocations && version == 1 {
                return None;
            }
            let part = Part {
                kind,
                start,
                len: walker.leb()?,
            };
            start = start.checked_add(part.len)?;
            parts.push(part);
        }
        let valid = start == len && walker.at == bytes.len() && object::are_valid(&loads, len);
        valid.then_some(Self {
            machine,
            loads,
            go,
            parts,
        })
    }
}

fn bounded(count: u64, max: usize) -> Option<usize> {
    usize::try_from(count).ok().filter(|count| *count <= max)
}

/// The parts that are in order, with the bytes between them as parts of their own.
fn covering(parts: &[Part], len: u64) -> Vec<Part> {
    let mut all = Vec::new();
    let mut end = 0;
    let fill = |all: &mut Vec<Part>, start: u64, end: u64| {
        if end > start {
            let len = end - start;
            all.push(Part {
                kind: Kind::Other,
                start,
                len,
            });
        }
    };
    for part in parts.iter().filter(|part| part.len > 0) {
        if part.start >= end && part.end() <= len {
            fill(&mut all, end, part.start);
            all.push(*part);
            end = part.end();
        }
    }
    fill(&mut all, end, len);
    all
}

/// Makes a part of the index of functions, which is at an address and has a length, within the part that it lies in. What
/// follows starts at a multiple of [`INDEX_ALIGNMENT`], so that its fields stay aligned.
fn split_index(parts: &mut Vec<Part>, loads: &[Load], (address, len): (u64, u64)) {
    let inside = |load: &&Load| address.wrapping_sub(load.address) < load.len;
    let Some(load) = loads.iter().find(inside) else {
        return;
    };
    let start = load.start + (address - load.address);
    let number = parts.partition_point(|part| part.end() <= start);
    let Some(&whole) = parts.get(number) else {
        return;
    };
    let start = start - whole.start;
    let known = matches!(whole.kind, Kind::ReadOnly | Kind::FuncData);
    if !known || len == 0 || len > whole.len - start {
        return;
    }
    let end = (start + len)
        .next_multiple_of(INDEX_ALIGNMENT)
        .min(whole.len);
    let piece = |kind, start, end| Part {
        kind,
        start: whole.start + start,
        len: end - start,
    };
    let pieces = [
        piece(whole.kind, 0, start),
        piece(Kind::FuncIndex, start, end),
        piece(whole.kind, end, whole.len),
    ];
    let pieces = pieces.into_iter().filter(|part| part.len > 0);
    parts.splice(number..=number, pieces);
}

/// The kind of a section by its name or else by its purpose.
fn kind_of(section: &Section, version: u8) -> Kind {
    match section.name.as_slice() {
        b".rodata" | b".data.rel.ro" => Kind::ReadOnly,
        b".typelink" if version > 1 => Kind::TypeLinks,
        b".typelink" | b".itablink" | b".init_array" | b".fini_array" | b".dynamic" => Kind::Data,
        b".eh_frame" => Kind::CallFrames,
        b".eh_frame_hdr" => Kind::CallFrameIndex,
        b".dynstr" => Kind::DynamicStrings,
        b".dynsym" => Kind::DynamicSymbols,
        b".debug_line" => Kind::Lines,
        b".debug_frame" => Kind::Frames,
        b".debug_info" => Kind::Info,
        b".debug_loclists" => Kind::Locations,
        b".debug_rnglists" => Kind::Ranges,
        b".debug_addr" => Kind::Addresses,
        b".debug_abbrev" => Kind::Abbreviations,
        b".symtab" => Kind::Symbols,
        b".strtab" => Kind::Strings,
        _ => match section.purpose {
            Purpose::Relocations => Kind::Relocations,
            Purpose::Code => Kind::Text,
            Purpose::Data => Kind::Data,
            Purpose::Other => Kind::Other,
        },
    }
}
