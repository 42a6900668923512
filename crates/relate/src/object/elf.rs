//! ELF headers: sections, and where segments are loaded.
//!
//! Only 64-bit little-endian files are recognised. A file whose compressed sections were opened in place
//! (the compression header stays, the stream after it is replaced by its plain bytes) is recognised too.

use std::io;

use super::{Load, Machine, Object, Purpose, Section, bytes};
use crate::bytes::{name_at, u16_at, u32_at, u64_at};
use crate::content::Content;

const HEADER: usize = 64;
const SECTION_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const MAX_HEADERS: usize = 2048;
const MAX_NAMES: u64 = 1 << 20;
const PT_LOAD: u32 = 1;
const SHT_PROGBITS: u32 = 1;
const SHT_RELA: u32 = 4;
const SHT_NOBITS: u32 = 8;
const SHF_WRITE: u64 = 1;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;
const SHF_COMPRESSED: u64 = 0x800;
/// The length of a compression header.
const CHDR: u64 = 24;

/// Reads the headers; `None` if they are not understood.
pub(super) fn read(content: &dyn Content) -> io::Result<Option<Object>> {
    let Some(header) = bytes(content, 0, HEADER as u64)? else {
        return Ok(None);
    };
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let parsed = Headers::read(content, &header)?;
    Ok(parsed.and_then(|headers| headers.object(content.len())))
}

/// The raw header tables.
struct Headers {
    machine: u16,
    programs: Vec<u8>,
    sections: Vec<u8>,
    names: Vec<u8>,
    /// Where opened sections start, and how much longer each is than its header says.
    opened: Vec<(u64, u64)>,
}

impl Headers {
    fn read(content: &dyn Content, header: &[u8]) -> io::Result<Option<Self>> {
        let field = |at| u64_at(header, at).unwrap_or(0);
        let count = |at| usize::from(u16_at(header, at).unwrap_or(0));
        let (programs, sections) = (count(0x38), count(0x3c));
        let sized = count(0x36) == PROGRAM_HEADER && count(0x3a) == SECTION_HEADER;
        if !sized || programs > MAX_HEADERS || sections > MAX_HEADERS || sections == 0 {
            return Ok(None);
        }
        let programs_len = (programs * PROGRAM_HEADER) as u64;
        let Some(programs) = bytes(content, field(0x20), programs_len)? else {
            return Ok(None);
        };
        // Behind opened sections, the table lies at the end instead of where the header says.
        let len = (sections * SECTION_HEADER) as u64;
        for start in [field(0x28), content.len().saturating_sub(len)] {
            let Some(table) = bytes(content, start, len)? else {
                continue;
            };
            let mut headers = Self {
                machine: u16_at(header, 18).unwrap_or(0),
                programs: programs.clone(),
                sections: table,
                names: Vec::new(),
                opened: Vec::new(),
            };
            if headers.complete(content, count(0x3e))? {
                return Ok(Some(headers));
            }
        }
        Ok(None)
    }

    fn section(&self, index: usize) -> Option<&[u8]> {
        let start = index * SECTION_HEADER;
        self.sections.get(start..start + SECTION_HEADER)
    }

    /// Finds opened sections and the names. Whether the table makes sense.
    fn complete(&mut self, content: &dyn Content, names: usize) -> io::Result<bool> {
        if self
            .section(0)
            .is_none_or(|first| u32_at(first, 4) != Some(0))
        {
            return Ok(false);
        }
        self.find_opened(content)?;
        let Some(section) = self.section(names) else {
            return Ok(false);
        };
        let (start, len) = (
            u64_at(section, 24).unwrap_or(0),
            u64_at(section, 32).unwrap_or(0),
        );
        if len > MAX_NAMES {
            return Ok(false);
        }
        let names = bytes(content, self.moved(start), len)?;
        let is_names = |names: &Vec<u8>| name_at(names, 0).is_empty() && len > 1;
        self.names = names.filter(is_names).unwrap_or_default();
        Ok(!self.names.is_empty())
    }

    /// Finds the compressed sections that were opened in place.
    fn find_opened(&mut self, content: &dyn Content) -> io::Result<()> {
        let mut compressed: Vec<(u64, u64)> = self
            .sections
            .chunks_exact(SECTION_HEADER)
            .filter(|section| u64_at(section, 8).unwrap_or(0) & SHF_COMPRESSED != 0)
            .filter_map(|section| Some((u64_at(section, 24)?, u64_at(section, 32)?)))
            .collect();
        compressed.sort_unstable();
        for (start, len) in compressed {
            let Some(front) = bytes(content, self.moved(start), CHDR + 2)? else {
                return Ok(());
            };
            let plain = u64_at(&front, 8).unwrap_or(0).saturating_add(CHDR);
            let zlib = u16::from_be_bytes([front[24], front[25]]);
            let is_zlib = front[24] == 0x78 && zlib.is_multiple_of(31);
            if u32_at(&front, 0) == Some(1) && !is_zlib && plain > len {
                self.opened.push((start, plain - len));
            }
        }
        Ok(())
    }

    /// Where an offset of the headers is in the content.
    fn moved(&self, offset: u64) -> u64 {
        let before = self.opened.iter().take_while(|(start, _)| *start < offset);
        before.fold(offset, |sum, (_, more)| sum.saturating_add(*more))
    }

    fn object(&self, len: u64) -> Option<Object> {
        let table = self.sections.chunks_exact(SECTION_HEADER).skip(1);
        let sections = table.filter_map(|raw| self.parse(raw)).collect();
        let machine = match self.machine {
            62 => Machine::Amd64,
            183 => Machine::Arm64,
            _ => Machine::Other,
        };
        Object::new(machine, sections, self.loads()?, len)
    }

    fn parse(&self, raw: &[u8]) -> Option<Section> {
        let (start, len) = (u64_at(raw, 24)?, u64_at(raw, 32)?);
        if u32_at(raw, 4)? == SHT_NOBITS || len == 0 {
            return None;
        }
        let opened = self.opened.iter().find(|(at, _)| *at == start);
        let header = if opened.is_some() { CHDR } else { 0 };
        let more = opened.map_or(0, |(_, more)| *more);
        Some(Section {
            name: name_at(&self.names, u32_at(raw, 0)? as usize).to_vec(),
            address: u64_at(raw, 16)?,
            purpose: purpose(u32_at(raw, 4)?, u64_at(raw, 8)?),
            start: self.moved(start).checked_add(header)?,
            len: len.checked_add(more)?.checked_sub(header)?,
        })
    }

    /// The loaded segments.
    fn loads(&self) -> Option<Vec<Load>> {
        let table = self.programs.chunks_exact(PROGRAM_HEADER);
        table
            .filter(|raw| u32_at(raw, 0) == Some(PT_LOAD))
            .map(|raw| {
                Some(Load {
                    address: u64_at(raw, 16)?,
                    start: u64_at(raw, 8)?,
                    len: u64_at(raw, 32)?,
                    memory: u64_at(raw, 40)?,
                })
            })
            .collect()
    }
}

/// What a section is for, by its type and flags.
fn purpose(kind: u32, flags: u64) -> Purpose {
    match kind {
        _ if flags & SHF_ALLOC == 0 => Purpose::Other,
        SHT_RELA => Purpose::Relocations,
        SHT_PROGBITS if flags & SHF_EXECINSTR != 0 => Purpose::Code,
        SHT_PROGBITS if flags & SHF_WRITE != 0 => Purpose::Data,
        _ => Purpose::Other,
    }
}
