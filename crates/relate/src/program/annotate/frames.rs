//! Call frames of `.eh_frame` and their index.

use crate::bytes::{Walker, name_at, u32_at};
use crate::field::Field;
use crate::program::found::Found;

/// Displacement of 32 bits from the field itself; the same through a pointer.
const RELATIVE: u8 = 0x1b;
const INDIRECT: u8 = 0x9b;
/// No pointer.
const OMITTED: u8 = 0xff;

/// Frames may refer to so many common entries.
const MAX_COMMONS: usize = 1 << 16;

/// How the frames that refer to a common entry encode pointers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Common {
    at: usize,
    has_augmentation: bool,
    pointers: u8,
    /// Of language-specific data.
    data: u8,
    /// Where the field with the personality routine is.
    personality: Option<usize>,
}

impl Common {
    /// Whether its frames say where their code is by the distance from the field.
    pub(crate) fn has_relative_code(&self) -> bool {
        self.pointers == RELATIVE
    }

    /// The same for language-specific data.
    pub(crate) fn has_relative_data(&self) -> bool {
        self.has_augmentation && self.data == RELATIVE
    }
}

/// Common entries, by position in ascending order.
#[derive(Default)]
pub(crate) struct Commons(Vec<Common>);

impl Commons {
    /// Adds the entry at `at`, which ends with the bytes, and returns it. It lies behind those before.
    pub(crate) fn add(&mut self, bytes: &[u8], at: usize) -> Common {
        let common = common(bytes, at).unwrap_or_default();
        if self.0.len() < MAX_COMMONS {
            self.0.push(common);
        }
        common
    }

    /// The entry that a frame at `at` refers to with its distance back; one that says nothing if there is none.
    pub(crate) fn of(&self, at: usize, back: u32) -> Common {
        let position = (at + 4).wrapping_sub(back as usize);
        let index = self.0.binary_search_by_key(&position, |common| common.at);
        index.map(|index| self.0[index]).unwrap_or_default()
    }
}

/// One entry: a common one, or a frame.
struct Entry {
    at: usize,
    end: usize,
    common: Common,
    is_frame: bool,
}

/// Goes through the entries. The common entry met last counts for frames that do not refer to one.
struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    commons: Commons,
}

impl<'a> Entries<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            commons: Commons::default(),
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let at = self.at;
        let end = entry_end(self.bytes, at)?;
        let id = u32_at(self.bytes, at + 4)?;
        self.at = end;
        if id == 0 {
            return Some(Entry {
                at,
                end,
                common: self.commons.add(&self.bytes[..end], at),
                is_frame: false,
            });
        }
        Some(Entry {
            at,
            end,
            common: self.commons.of(at, id),
            is_frame: true,
        })
    }
}

/// The end of the entry at `at`; `None` if there is none that fits. The largest lengths have other meanings.
pub(crate) fn entry_end(bytes: &[u8], at: usize) -> Option<usize> {
    let len = u32_at(bytes, at).filter(|len| (4..0xffff_fff0).contains(len))?;
    let end = at.checked_add(4 + len as usize)?;
    (end <= bytes.len()).then_some(end)
}

/// Reads a common entry; `None` if it is not understood.
fn common(bytes: &[u8], at: usize) -> Option<Common> {
    let augmentation = name_at(bytes, at + 9);
    let mut walker = Walker::new(bytes, at + 10 + augmentation.len());
    walker.leb()?;
    walker.leb()?;
    walker.leb()?;
    let mut common = Common {
        at,
        data: OMITTED,
        ..Common::default()
    };
    let Some((b'z', rest)) = augmentation.split_first() else {
        return Some(common);
    };
    common.has_augmentation = true;
    walker.leb()?;
    for letter in rest {
        match letter {
            b'R' => common.pointers = walker.byte()?,
            b'L' => common.data = walker.byte()?,
            b'P' => {
                let encoding = walker.byte()?;
                if matches!(encoding, RELATIVE | INDIRECT) {
                    common.personality = Some(walker.at);
                    walker.skip(4)?;
                } else {
                    return Some(common);
                }
            }
            _ => return Some(common),
        }
    }
    Some(common)
}

/// Fields of call frames.
pub(super) fn call_frames(bytes: &[u8]) -> Found {
    let mut found = Found::with_capacity(bytes.len() / 12);
    for entry in Entries::new(bytes) {
        if !entry.is_frame {
            let personality = entry.common.personality;
            found.extend(personality.map(|at| (at as u32, Field::SelfRelative)));
            continue;
        }
        found.push((entry.at as u32 + 4, Field::BackReference));
        if !entry.common.has_relative_code() || entry.end < entry.at + 17 {
            continue;
        }
        found.push((entry.at as u32 + 8, Field::SelfRelative));
        // Behind the length of the augmentation, which is one byte.
        let data = entry.at + 17;
        let has_data = entry.common.has_relative_data();
        let is_set = u32_at(&bytes[..entry.end], data).is_some_and(|value| value != 0);
        if has_data && bytes[data - 1] == 4 && is_set {
            found.push((data as u32, Field::SelfRelative));
        }
    }
    found
}

/// Positions of frames in `.eh_frame`, with the displacement to the code of each from the field that is eight bytes
/// behind.
pub(crate) fn frame_starts(bytes: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let frames = Entries::new(bytes).filter(|entry| entry.is_frame);
    frames.filter_map(|entry| Some((entry.at, u32_at(bytes, entry.at + 8)?)))
}

/// The index that linkers make of call frames: `frames` are at the address `from`, the index at `index`.
pub(crate) fn frame_index(frames: &[u8], from: u64, index: u64, len: usize) -> Vec<u8> {
    let relative = |position: usize| (from + position as u64).wrapping_sub(index) as u32;
    let mut rows = Vec::new();
    let entries = Entries::new(frames).filter(|entry| entry.is_frame);
    for entry in entries.take(len / 8) {
        let start = u32_at(frames, entry.at + 8).unwrap_or(0);
        rows.push((
            relative(entry.at + 8).wrapping_add(start),
            relative(entry.at),
        ));
    }
    // Stable: the order of equal starts is part of the format.
    rows.sort_by_key(|row| row.0 as i32);
    let mut bytes = vec![1, RELATIVE, 3, 0x3b];
    bytes.extend((from.wrapping_sub(index + 4) as u32).to_le_bytes());
    bytes.extend((rows.len() as u32).to_le_bytes());
    for (start, entry) in rows {
        bytes.extend(start.to_le_bytes());
        bytes.extend(entry.to_le_bytes());
    }
    bytes.resize(len, 0);
    bytes
}
