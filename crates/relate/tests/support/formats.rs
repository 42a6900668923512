//! The program of `mini.rs` in other formats than ELF: the same bytes at the same addresses behind other headers.

#![allow(dead_code, clippy::cast_possible_truncation, clippy::unwrap_used)]

use super::mini::BASE;

/// Where the bytes of the program start in the file.
const START: u64 = 0x1000;

/// The sections that other formats have, by their names in ELF.
struct Sections(Vec<(String, u64, u64)>);

impl Sections {
    /// Reads the table of sections of the program.
    fn of(elf: &[u8]) -> Self {
        let long = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().unwrap());
        let short =
            |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
        let header = |number: usize| long(0x28) as usize + 64 * number;
        let names = long(header(short(0x3e)) + 24) as usize;
        let section = |number: usize| {
            let at = header(number);
            let name = &elf[names + short(at)..];
            let name = name.split(|byte| *byte == 0).next().unwrap();
            let name = String::from_utf8(name.to_vec()).unwrap();
            (name, long(at + 24), long(at + 32))
        };
        Self((1..short(0x3c)).map(section).collect())
    }

    /// Where the first of some sections starts and the last one ends.
    fn range(&self, first: &str, last: &str) -> (u64, u64) {
        let find = |wanted: &str| self.0.iter().find(|(name, ..)| name == wanted).unwrap();
        let (start, (_, end, len)) = (find(first).1, find(last));
        (start, end + len)
    }
}

fn behind(header: Vec<u8>, elf: &[u8]) -> Vec<u8> {
    let mut file = header;
    assert!(file.len() <= START as usize);
    file.resize(START as usize, 0);
    file.extend(elf);
    file
}

/// The program for Windows. Its table of functions is within its read-only data; the description of the module says where
/// it ends.
pub(crate) fn pe(elf: &[u8]) -> Vec<u8> {
    let sections = Sections::of(elf);
    let machine: u16 = if elf[18] == 62 { 0x8664 } else { 0xaa64 };
    let ranges = [
        (".text", sections.range(".text", ".text"), 0x6000_0020u32),
        (
            ".rdata",
            sections.range(".rodata", ".gopclntab"),
            0x4000_0040,
        ),
        (".data", sections.range(".noptrdata", ".data"), 0xc000_0040),
    ];
    let mut header = b"MZ".to_vec();
    header.resize(60, 0);
    header.extend(64u32.to_le_bytes());
    header.extend(b"PE\0\0");
    header.extend(
        [machine, ranges.len() as u16]
            .map(u16::to_le_bytes)
            .concat(),
    );
    header.resize(header.len() + 12, 0);
    header.extend([240u16, 0x22].map(u16::to_le_bytes).concat());
    header.extend(0x20bu16.to_le_bytes());
    header.resize(header.len() + 22, 0);
    header.extend(BASE.to_le_bytes());
    header.resize(64 + 24 + 240, 0);
    for (name, (start, end), flags) in ranges {
        let mut raw = name.as_bytes().to_vec();
        raw.resize(8, 0);
        let len = end - start;
        let words = [len, start, len, START + start].map(|word| word as u32);
        raw.extend(words.map(u32::to_le_bytes).concat());
        raw.resize(36, 0);
        raw.extend(flags.to_le_bytes());
        header.extend(raw);
    }
    let mut file = behind(header, elf);
    let module = (START + sections.range(".noptrdata", ".noptrdata").0) as usize;
    let words = [BASE + sections.range(".gopclntab", ".gopclntab").1, 1, 2];
    file[module + 8 * 41..][..24].copy_from_slice(&words.map(u64::to_le_bytes).concat());
    file
}

/// The program for macOS.
pub(crate) fn mach_o(elf: &[u8]) -> Vec<u8> {
    let sections = Sections::of(elf);
    let machine: u32 = if elf[18] == 62 {
        0x0100_0007
    } else {
        0x0100_000c
    };
    let names = [".text", ".rodata", ".gopclntab", ".noptrdata", ".data"];
    let len = 72 + 80 * names.len() as u32;
    let words = [0xfeed_facf, machine, 0, 2, 1, len, 0, 0];
    let mut header = words.map(u32::to_le_bytes).concat();
    header.extend([0x19, len].map(u32::to_le_bytes).concat());
    header.extend(b"__ALL\0\0\0\0\0\0\0\0\0\0\0");
    let loaded = sections.range(".text", ".data").1;
    let words = [BASE, loaded + 0x1000, START, loaded];
    header.extend(words.map(u64::to_le_bytes).concat());
    let words = [7, 7, names.len() as u32, 0];
    header.extend(words.map(u32::to_le_bytes).concat());
    for name in names {
        let (start, end) = sections.range(name, name);
        let mut raw = name.replace('.', "__").into_bytes();
        raw.resize(32, 0);
        raw.extend([BASE + start, end - start].map(u64::to_le_bytes).concat());
        let flags = if name == ".text" { 0x8000_0400u32 } else { 0 };
        let words = [(START + start) as u32, 4, 0, 0, flags, 0, 0, 0];
        raw.extend(words.map(u32::to_le_bytes).concat());
        header.extend(raw);
    }
    behind(header, elf)
}
