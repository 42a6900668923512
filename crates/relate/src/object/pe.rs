//! PE headers, of 64-bit programs for Windows.

use std::io;

use super::{Load, Machine, Object, Purpose, Section, bytes};
use crate::bytes::{name_at, u16_at, u32_at, u64_at, until_zero};
use crate::content::Content;

/// Bytes of the header of MS-DOS, which says where that of PE is.
const DOS_HEADER: u64 = 64;
/// Signature, header of COFF, and the part of the optional header up to the address of the image.
const HEADER: u64 = 4 + 20 + 32;
const SECTION_HEADER: usize = 40;
const SYMBOL: u64 = 18;
/// More sections than any program has.
const MAX_SECTIONS: usize = 96;
/// Names of sections are looked up in this many bytes of the table of strings.
const MAX_STRINGS: u64 = 64 << 10;
/// The optional header of 64-bit programs.
const PE32_PLUS: u16 = 0x20b;
const EXECUTE: u32 = 0x2000_0000;
const WRITE: u32 = 0x8000_0000;
const UNINITIALISED: u32 = 0x80;

/// Reads the headers; `None` if they are not understood.
pub(super) fn read(content: &dyn Content) -> io::Result<Option<Object>> {
    let Some(dos) = bytes(content, 0, DOS_HEADER)?.filter(|dos| dos.starts_with(b"MZ")) else {
        return Ok(None);
    };
    let at = u64::from(u32_at(&dos, 60).unwrap_or(0));
    let header = bytes(content, at, HEADER)?;
    let Some(header) = header.filter(|header| header.starts_with(b"PE\0\0")) else {
        return Ok(None);
    };
    let short = |at| u16_at(&header, at).unwrap_or(0);
    let word = |at| u32_at(&header, at).unwrap_or(0);
    let count = usize::from(short(6));
    if short(24) != PE32_PLUS || count > MAX_SECTIONS {
        return Ok(None);
    }
    let start = at + 24 + u64::from(short(20));
    let Some(table) = bytes(content, start, (count * SECTION_HEADER) as u64)? else {
        return Ok(None);
    };
    // Behind the symbols; it begins with its own length.
    let strings = u64::from(word(12)) + SYMBOL * u64::from(word(16));
    let len = content.len().saturating_sub(strings).min(MAX_STRINGS);
    let strings = bytes(content, strings, len)?.unwrap_or_default();
    let image = u64_at(&header, 48).unwrap_or(0);
    let machine = match short(4) {
        0x8664 => Machine::Amd64,
        0xaa64 => Machine::Arm64,
        _ => Machine::Other,
    };
    let raw = table.chunks_exact(SECTION_HEADER);
    let both: Vec<_> = raw
        .filter_map(|raw| section(raw, &strings, image))
        .collect();
    let loads = both.iter().map(|(_, load)| *load).collect();
    let sections = both.into_iter().map(|(section, _)| section);
    let sections = sections.filter(|section| section.len > 0).collect();
    Ok(Object::new(machine, sections, loads, content.len()))
}

/// A section and where it is loaded, for an image at an address.
fn section(raw: &[u8], strings: &[u8], image: u64) -> Option<(Section, Load)> {
    let word = |at| u32_at(raw, at).map(u64::from);
    let (memory, address, start) = (word(8)?, image.checked_add(word(12)?)?, word(20)?);
    let flags = u32_at(raw, 36)?;
    // The file contains it in multiples of a block.
    let len = if flags & UNINITIALISED != 0 {
        0
    } else {
        word(16)?.min(memory)
    };
    let name = until_zero(&raw[..8]);
    let long = name
        .strip_prefix(b"/")
        .and_then(|offset| str::from_utf8(offset).ok()?.parse().ok());
    let name = long.map_or(name, |offset| name_at(strings, offset));
    let purpose = match flags {
        _ if flags & EXECUTE != 0 => Purpose::Code,
        _ if flags & WRITE != 0 => Purpose::Data,
        _ => Purpose::Other,
    };
    let name: &[u8] = match name {
        b".rdata" => b".rodata",
        // Symbols of COFF have another form.
        b".symtab" => b"",
        name => name,
    };
    let section = Section {
        name: name.to_vec(),
        address,
        purpose,
        start,
        len,
    };
    Some((
        section,
        Load {
            address,
            start,
            len,
            memory,
        },
    ))
}
