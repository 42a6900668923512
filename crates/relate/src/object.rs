//! What the headers of a program say, whatever its format: instruction set, sections, and where it is loaded.

mod elf;
mod macho;
mod pe;

use std::io;

use crate::content::Content;

/// More ranges than any program has loaded.
pub(crate) const MAX_LOADS: usize = 64;

/// Instruction sets whose references are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Machine {
    #[default]
    Other,
    Amd64,
    Arm64,
}

/// A range of the file with one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// The name that ELF gives to such a section.
    pub(crate) name: Vec<u8>,
    pub(crate) address: u64,
    pub(crate) purpose: Purpose,
    /// Where its bytes start in the content.
    pub(crate) start: u64,
    /// How many bytes it has in the content.
    pub(crate) len: u64,
}

/// What a section is for, if its name does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Code,
    /// Data that can be written.
    Data,
    /// Relocations of ELF with addends.
    Relocations,
    Other,
}

/// A range of the file that is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) address: u64,
    /// Where its bytes start in the content.
    pub(crate) start: u64,
    /// How many bytes are in the content.
    pub(crate) len: u64,
    /// How many bytes it has in memory.
    pub(crate) memory: u64,
}

/// What the headers of a program say.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) machine: Machine,
    /// Sections with bytes in the file, in ascending order, without overlap.
    pub(crate) sections: Vec<Section>,
    /// In ascending order of addresses, without overlap.
    pub(crate) loads: Vec<Load>,
}

impl Object {
    /// Reads the headers of a program, of the formats that a version of the codec knows; `None` if they are not
    /// understood.
    pub(crate) fn read(content: &dyn Content, version: u8) -> io::Result<Option<Self>> {
        let readers = [elf::read, pe::read, macho::read];
        let known = if version > 2 { readers.len() } else { 1 };
        for read in &readers[..known] {
            if let Some(object) = read(content)? {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// Puts sections and loads in order, leaves out sections that overlap the ones before or reach beyond `len`, the
    /// length of the content; `None` if loads do.
    fn new(
        machine: Machine,
        mut sections: Vec<Section>,
        mut loads: Vec<Load>,
        len: u64,
    ) -> Option<Self> {
        sections.sort_by_key(|section| (section.start, section.len));
        let mut end = 0;
        sections.retain(|section| {
            let its_end = section.start.checked_add(section.len);
            let fits = section.start >= end && its_end.is_some_and(|end| end <= len);
            if fits {
                end = section.start + section.len;
            }
            fits
        });
        loads.sort_by_key(|load| load.address);
        let valid = loads.len() <= MAX_LOADS && are_valid(&loads, len);
        valid.then_some(Self {
            machine,
            sections,
            loads,
        })
    }
}

/// `len` bytes from `start` on; `None` if the content is shorter.
pub(crate) fn bytes(content: &dyn Content, start: u64, len: u64) -> io::Result<Option<Vec<u8>>> {
    if start.checked_add(len).is_none_or(|end| end > content.len()) {
        return Ok(None);
    }
    let mut bytes = vec![0; len as usize];
    content.read_at(&mut bytes, start)?;
    Ok(Some(bytes))
}

/// Whether loads are in order, do not overlap and lie within `len` bytes.
pub(crate) fn are_valid(loads: &[Load], len: u64) -> bool {
    let mut end = 0;
    loads.iter().all(|load| {
        let in_order = load.address >= end;
        end = load.address.saturating_add(load.memory);
        let in_file = load
            .start
            .checked_add(load.len)
            .is_some_and(|end| end <= len);
        in_order && in_file && load.len <= load.memory && end < 1 << 62
    })
}
