//! Mach-O headers, of 64-bit programs for macOS.

use std::io;

use super::{Load, Machine, Object, Purpose, Section, bytes};
use crate::bytes::{u32_at, u64_at, until_zero};
use crate::content::Content;

const HEADER: u64 = 32;
const MAGIC: u32 = 0xfeed_facf;
/// More commands to the loader, in bytes, than any program has.
const MAX_COMMANDS: u64 = 1 << 20;
const SEGMENT: u32 = 0x19;
/// The command of a segment before its sections.
const SEGMENT_COMMAND: usize = 72;
const SECTION: usize = 80;
/// Types of sections without bytes in the file.
const ZERO_FILLED: [u32; 3] = [1, 12, 18];
/// Attributes of sections with instructions.
const INSTRUCTIONS: u32 = 0x8000_0400;
const WRITE: u32 = 2;

/// Reads the headers; `None` if they are not understood.
pub(super) fn read(content: &dyn Content) -> io::Result<Option<Object>> {
    let Some(header) = bytes(content, 0, HEADER)? else {
        return Ok(None);
    };
    let word = |at| u32_at(&header, at).unwrap_or(0);
    let len = u64::from(word(20));
    if word(0) != MAGIC || len > MAX_COMMANDS {
        return Ok(None);
    }
    let Some(commands) = bytes(content, HEADER, len)? else {
        return Ok(None);
    };
    let machine = match word(4) {
        0x0100_0007 => Machine::Amd64,
        0x0100_000c => Machine::Arm64,
        _ => Machine::Other,
    };
    let (mut sections, mut loads) = (Vec::new(), Vec::new());
    let mut rest = commands.as_slice();
    while let (Some(kind), Some(len)) = (u32_at(rest, 0), u32_at(rest, 4)) {
        let Some((command, after)) = rest.split_at_checked(len as usize).filter(|_| len >= 8)
        else {
            return Ok(None);
        };
        rest = after;
        if kind == SEGMENT {
            loads.extend(load(command));
            let table = command.get(SEGMENT_COMMAND..).unwrap_or_default();
            let writable = u32_at(command, 60).unwrap_or(0) & WRITE != 0;
            let raw = table.chunks_exact(SECTION);
            sections.extend(raw.filter_map(|raw| section(raw, writable)));
        }
    }
    Ok(Object::new(machine, sections, loads, content.len()))
}

/// Where a segment is loaded; `None` if it is not in the file.
fn load(command: &[u8]) -> Option<Load> {
    let load = Load {
        address: u64_at(command, 24)?,
        memory: u64_at(command, 32)?,
        start: u64_at(command, 40)?,
        len: u64_at(command, 48)?,
    };
    let is_debug = until_zero(&command[8..24]) == b"__DWARF";
    (load.len > 0 && !is_debug).then_some(load)
}

fn section(raw: &[u8], writable: bool) -> Option<Section> {
    let flags = u32_at(raw, 64)?;
    let len = u64_at(raw, 40)?;
    if ZERO_FILLED.contains(&(flags & 0xff)) || len == 0 {
        return None;
    }
    let purpose = match flags {
        _ if flags & INSTRUCTIONS != 0 => Purpose::Code,
        _ if writable => Purpose::Data,
        _ => Purpose::Other,
    };
    let name = until_zero(&raw[..16]);
    Some(Section {
        name: [b".", name.strip_prefix(b"__").unwrap_or(name)].concat(),
        address: u64_at(raw, 32)?,
        purpose,
        start: u64::from(u32_at(raw, 48)?),
        len,
    })
}
