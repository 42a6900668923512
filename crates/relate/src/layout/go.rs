//! Go's table of functions and what its module says about itself.

use std::io;

use super::{Go, Part};
use crate::bytes::{u32_at, u64_at};
use crate::content::Content;
use crate::object::{Object, Section, bytes};
use crate::stream::Kind;

/// `.noptrdata` is searched for the module's description up to this length.
const MAX_MODULE: u64 = 64 << 20;
/// Read-only data is searched for the table of functions up to this length.
const MAX_READ_ONLY: u64 = 192 << 20;
/// The section with the table of functions.
pub(super) const TABLE: &[u8] = b".gopclntab";
/// Bytes of the header of the table of functions.
const TABLE_HEADER: u64 = 72;
/// The table starts at a multiple of this.
const TABLE_ALIGNMENT: usize = 16;
/// So many bytes are searched for the table at a time.
const SEARCHED: u64 = 1 << 20;
/// So many places that may be the start of the table are looked at.
const MAX_TABLES: usize = 8;

/// The table of functions of a program of Go.
pub(super) struct GoTable {
    pub(super) go: Go,
    pub(super) parts: Vec<Part>,
    /// Address and length of the index of functions.
    pub(super) index: Option<(u64, u64)>,
}

impl GoTable {
    /// `None` if the version of the table is not known or it is damaged.
    pub(super) fn read(
        content: &dyn Content,
        object: &Object,
        section: &Section,
    ) -> io::Result<Option<Self>> {
        let Some(header) = bytes(content, section.start, TABLE_HEADER)? else {
            return Ok(None);
        };
        let module = Module::find(content, object, section.address, &header)?;
        Ok(Self::parse(&header, section, module.as_ref()))
    }

    fn parse(header: &[u8], section: &Section, module: Option<&Module>) -> Option<Self> {
        let func_header = match u32_at(header, 0)? {
            0xffff_fff1 => 44,
            0xffff_fff0 => 40,
            _ => return None,
        };
        let offset = |index: usize| u64_at(header, 32 + 8 * index);
        let count = u64_at(header, 8).filter(|count| *count < 1 << 28)?;
        let table = offset(4)?;
        let mut go = module.map_or_else(Go::default, |module| module.go);
        go.func_header = func_header;
        let data = go.func_data.wrapping_sub(section.address);
        let data = if data > table && data < section.len {
            data
        } else {
            section.len
        };
        let bounds = [
            (Kind::FuncHeader, 0),
            (Kind::FuncNames, offset(0)?),
            (Kind::UnitFiles, offset(1)?),
            (Kind::FileNames, offset(2)?),
            (Kind::PcValues, offset(3)?),
            (Kind::FuncTable, table),
            (Kind::Funcs, table.checked_add(count * 8 + 4)?),
            (Kind::FuncData, data),
        ];
        let ends = bounds.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([section.len]);
        let mut parts = Vec::new();
        for ((kind, start), end) in bounds.into_iter().zip(ends) {
            let len = end.checked_sub(start)?;
            parts.push(Part {
                kind,
                start: section.start.checked_add(start)?,
                len,
            });
        }
        let index = module.map(|module| module.index);
        Some(Self { go, parts, index })
    }
}

/// Makes sections of the table of functions and of the links to types, which PE has within its read-only data.
pub(super) fn split(content: &dyn Content, object: &mut Object) -> io::Result<()> {
    if object.sections.iter().any(|section| section.name == TABLE) {
        return Ok(());
    }
    let is_searched =
        |section: &Section| section.name == b".rodata" && section.len <= MAX_READ_ONLY;
    let Some(number) = object.sections.iter().position(is_searched) else {
        return Ok(());
    };
    let section = object.sections[number].clone();
    for at in tables(content, &section)? {
        let Some(header) = bytes(content, section.start + at, TABLE_HEADER)? else {
            continue;
        };
        let address = section.address.wrapping_add(at);
        let Some(module) = Module::find(content, object, address, &header)? else {
            continue;
        };
        let (links, links_len) = module.type_links;
        let inside = [
            (TABLE, address, module.table_end.wrapping_sub(address)),
            (b".typelink", links, links_len),
        ];
        object
            .sections
            .splice(number..=number, pieces(&section, inside));
        break;
    }
    Ok(())
}

/// Where in a section a table of functions may start.
fn tables(content: &dyn Content, section: &Section) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < section.len && found.len() < MAX_TABLES {
        let len = (section.len - at).min(SEARCHED);
        let Some(searched) = bytes(content, section.start + at, len)? else {
            break;
        };
        let starts = (0..searched.len()).step_by(TABLE_ALIGNMENT);
        let is_table = |start: &usize| {
            let magic = u32_at(&searched, *start);
            matches!(magic, Some(0xffff_fff0 | 0xffff_fff1))
                && matches!(searched.get(start + 4..start + 8), Some([0, 0, 1 | 4, 8]))
        };
        found.extend(starts.filter(is_table).map(|start| at + start as u64));
        at += len;
    }
    found.truncate(MAX_TABLES);
    Ok(found)
}

/// A section in pieces: those given by name, address and length that lie in it, and what is between them.
fn pieces(section: &Section, mut inside: [(&[u8], u64, u64); 2]) -> Vec<Section> {
    inside.sort_unstable_by_key(|(_, address, _)| *address);
    let piece = |name: &[u8], start: u64, end: u64| Section {
        name: name.to_vec(),
        address: section.address.wrapping_add(start),
        purpose: section.purpose,
        start: section.start + start,
        len: end - start,
    };
    let mut pieces = Vec::new();
    let mut passed = 0;
    for (name, address, len) in inside {
        let start = address.wrapping_sub(section.address);
        let end = start.checked_add(len).filter(|end| *end <= section.len);
        if let Some(end) = end.filter(|end| start >= passed && *end > start) {
            pieces.push(piece(&section.name, passed, start));
            pieces.push(piece(name, start, end));
            passed = end;
        }
    }
    pieces.push(piece(&section.name, passed, section.len));
    pieces.retain(|piece| piece.len > 0);
    pieces
}

/// The bytes of the index of functions for so many bytes of text: a number of four bytes for each 4096 bytes, and one
/// byte for each 256. 0 if there cannot be so many.
fn index_len(text: u64) -> u64 {
    if text < 1 << 32 {
        text.div_ceil(4096) * 4 + text.div_ceil(256)
    } else {
        0
    }
}

/// What the module's description in the data says.
struct Module {
    go: Go,
    /// Address and length of the index of functions.
    index: (u64, u64),
    /// Address behind the table of functions.
    table_end: u64,
    /// Address and length of the links to types.
    type_links: (u64, u64),
}

impl Module {
    /// Searches the data for the description, which starts with the address of the table of functions.
    fn find(
        content: &dyn Content,
        object: &Object,
        table: u64,
        header: &[u8],
    ) -> io::Result<Option<Self>> {
        let names = table.wrapping_add(u64_at(header, 32).unwrap_or(0));
        // Go 1.20 added two fields before the addresses of the types.
        let skip = if u32_at(header, 0) == Some(0xffff_fff0) {
            0
        } else {
            2
        };
        for name in [&b".go.module"[..], b".noptrdata", b".data"] {
            let section = object.sections.iter().find(|section| section.name == name);
            let Some(section) = section.filter(|section| section.len <= MAX_MODULE) else {
                continue;
            };
            let Some(data) = bytes(content, section.start, section.len)? else {
                continue;
            };
            let word = |at: usize, index: usize| u64_at(&data, at + 8 * index);
            let starts = (0..data.len()).step_by(8);
            let mut found =
                starts.filter(|at| word(*at, 0) == Some(table) && word(*at, 1) == Some(names));
            if let Some(at) = found.next() {
                let read = |index| word(at, index).unwrap_or(0);
                let types = read(35 + skip);
                // Go 1.27 has the length of the descriptions between the addresses of types and their end.
                let more = usize::from(read(36 + skip) < types);
                let go = Go {
                    text: read(22),
                    types,
                    types_end: read(36 + skip + more),
                    func_data: read(38 + skip + 3 * more),
                    func_header: 0,
                    rodata: read(37 + skip + 3 * more),
                };
                // Go 1.26 added the end of the table before the map of sections, whose length and capacity are equal.
                let map = 39 + skip + 3 * more;
                let has_end = read(map + 1) != read(map + 2);
                let table_end = if has_end {
                    read(map)
                } else {
                    read(13).wrapping_add(read(14))
                };
                let links = map + 3 + usize::from(has_end);
                let text_len = read(21).wrapping_sub(read(20));
                let index = (read(19), index_len(text_len));
                return Ok(Some(Self {
                    go,
                    index,
                    table_end,
                    type_links: (read(links), read(links + 1).saturating_mul(4)),
                }));
            }
        }
        Ok(None)
    }
}
