//! Go programs: the build information that the linker puts into each (Go's `debug/buildinfo`).

mod elf;
mod modules;

use crate::bytes::{Order, field, slice};

pub(crate) use modules::BuildInfo;
pub use modules::{GoModule, GoProgram};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The magic number, and the strings after it, begin at multiples of this.
const ALIGNMENT: usize = 16;
/// Where the strings begin since Go 1.18.
const STRINGS: usize = 32;
/// The flag of strings that follow the header, since Go 1.18, and that of numbers with the most significant byte first.
const INLINE: u8 = 2;
const BIG_ENDIAN: u8 = 1;
/// What surrounds the list of modules.
const SENTINEL: usize = 16;
/// The longest version of Go, in bytes: `devel go1.19-2b2b2b2 …`.
const MAX_VERSION: u64 = 256;
/// The longest list of modules, in bytes.
const MAX_LIST: u64 = 4 << 20;

/// Whether a file that begins with `head` is a program: ELF, PE or Mach-O.
pub(crate) fn is_program(head: &[u8]) -> bool {
    const MACH_O: [[u8; 4]; 4] = [
        [0xfe, 0xed, 0xfa, 0xce],
        [0xfe, 0xed, 0xfa, 0xcf],
        [0xce, 0xfa, 0xed, 0xfe],
        [0xcf, 0xfa, 0xed, 0xfe],
    ];
    head.starts_with(elf::MAGIC)
        || head.starts_with(b"MZ")
        || MACH_O.iter().any(|magic| head.starts_with(magic))
        // Several programs in one file; a Java class, which begins so too, has a version of at least 45 here.
        || head.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
            && Order::Big.u32(head, 4).is_some_and(|count| (1..30).contains(&count))
}

/// What the search for build information found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// Not a Go program, as far as one can see.
    Nothing,
    /// The build information.
    Found(BuildInfo),
    /// A Go program, or something that hides one: why it was not read.
    Unread(&'static str),
}

/// Searches a program for build information.
pub(crate) fn search(program: &[u8]) -> Search {
    let mut unread = Search::Nothing;
    for (index, block) in program.chunks(ALIGNMENT).enumerate() {
        if !block.starts_with(MAGIC) {
            continue;
        }
        match read(program, index * ALIGNMENT) {
            Some(info) => return Search::Found(info),
            // Programs that look for build information contain the magic number too.
            None if plausible(block) => {
                unread = Search::Unread("a Go program whose build information could not be read");
            }
            None => {}
        }
    }
    let start = &program[..program.len().min(4096)];
    if unread == Search::Nothing && start.windows(4).any(|window| window == b"UPX!") {
        return Search::Unread(
            "a program compressed by UPX was not searched for build information",
        );
    }
    unread
}

/// Whether the two bytes after the magic number can be a pointer size and flags.
fn plausible(block: &[u8]) -> bool {
    matches!(block.get(14), Some(0 | 4 | 8)) && block.get(15).is_some_and(|&flags| flags <= 3)
}

/// The build information whose header is at `at`.
fn read(program: &[u8], at: usize) -> Option<BuildInfo> {
    let header = program.get(at..)?;
    let flags = *header.get(15)?;
    let (version, list) = if flags & INLINE != 0 {
        let (version, end) = inline(header, STRINGS, MAX_VERSION)?;
        let (list, _) = inline(header, end, MAX_LIST)?;
        (version, list)
    } else {
        let order = if flags & BIG_ENDIAN != 0 {
            Order::Big
        } else {
            Order::Little
        };
        let size = usize::from(*header.get(14)?);
        let segments = elf::Segments::of(program)?;
        let string = |index: usize, most: u64| {
            let at = order.pointer(header, 16 + index * size, size)?;
            let pointed = segments.at(at, 2 * size as u64)?;
            let start = order.pointer(pointed, 0, size)?;
            let length = order
                .pointer(pointed, size, size)
                .filter(|length| *length <= most)?;
            if length == 0 {
                return Some(&[][..]);
            }
            segments.at(start, length)
        };
        (
            string(0, MAX_VERSION)?,
            string(1, MAX_LIST).unwrap_or_default(),
        )
    };
    let known = version.starts_with(b"go") || version.starts_with(b"devel");
    known.then(|| modules::parse(field(version), without_sentinels(list)))
}

/// A string with its length before it, and where it ends.
fn inline(header: &[u8], at: usize, most: u64) -> Option<(&[u8], usize)> {
    let (mut length, mut digits) = (0_u64, 0);
    for &byte in header.get(at..)?.iter().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * digits);
        digits += 1;
        if byte & 0x80 == 0 {
            let start = at + digits;
            let text = slice(header, start as u64, length).filter(|_| length <= most)?;
            return Some((text, start + text.len()));
        }
    }
    None
}

/// The list of modules inside of its sentinels; empty without them.
fn without_sentinels(list: &[u8]) -> &[u8] {
    let inner = list.get(SENTINEL..list.len().saturating_sub(SENTINEL));
    inner
        .filter(|inner| inner.ends_with(b"\n"))
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "go/tests.rs"]
mod tests;
