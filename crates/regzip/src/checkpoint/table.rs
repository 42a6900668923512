//! A search table that is filled by searching again, and mended where that goes wrong.

use crate::error::{Error, Result};
use crate::token::WINDOW;
use crate::varint::{self, Fields};

/// For encoders with one candidate a hash: which candidates they have depends on what they found, so
/// that a search from further on takes a while to come to the same.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct TableState {
    /// Pieces that are searched again.
    pub(crate) warm: u8,
    /// What is still wrong in the table after that, nearest first; at most [`TableState::MOST`].
    pub(crate) mends: Vec<Mend>,
}

/// One entry of the table. The four bytes at its place say where in the table it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mend {
    /// Plain bytes from the entry's place to the checkpoint.
    pub(crate) distance: u16,
    /// The place is not the last one that was entered, but there is none that counts.
    pub(crate) empty: bool,
}

impl Mend {
    /// An entry is made of four bytes, which lie before the checkpoint and in reach of a match.
    pub(crate) const DISTANCES: std::ops::RangeInclusive<u32> = 4..=WINDOW as u32;
}

/// One entry of a table that is not at the place that its string says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotMend {
    /// The index in the encoder's tables.
    pub(crate) slot: u32,
    /// Plain bytes from the entry's place to the checkpoint, less than a window; 0 if there is none.
    pub(crate) distance: u16,
}

impl SlotMend {
    /// More are not worth their bytes.
    const MOST: usize = 128;

    /// What makes one table's distances the other's, if it is worth it.
    pub(crate) fn between(wrong: &[u16], right: &[u16]) -> Option<Vec<Self>> {
        let mut mends = Vec::new();
        for (slot, (wrong, &distance)) in (0..).zip(wrong.iter().zip(right)) {
            if *wrong == distance {
                continue;
            }
            if mends.len() == Self::MOST {
                return None;
            }
            mends.push(Self { slot, distance });
        }
        Some(mends)
    }

    /// Appends mends, in the order of their slots, which are relative to the one before.
    pub(super) fn put_all(mends: &[Self], out: &mut Vec<u8>) {
        varint::put(out, mends.len() as u64);
        let mut next = 0;
        for mend in mends {
            varint::put(out, u64::from(mend.slot - next));
            varint::put(out, mend.distance.into());
            next = mend.slot + 1;
        }
    }

    /// Reads what [`SlotMend::put_all`] wrote.
    pub(super) fn get_all(fields: &mut Fields<'_>) -> Result<Vec<Self>> {
        let bad = Error::BadRecipe("impossible checkpoint");
        let count = fields.number()?;
        if count > Self::MOST as u64 {
            return Err(bad);
        }
        let mut mends = Vec::with_capacity(count as usize);
        let mut next = 0u64;
        for _ in 0..count {
            let slot = next.saturating_add(fields.number()?);
            let distance = fields.number()?;
            if slot >= u32::MAX.into() || distance >= WINDOW as u64 {
                return Err(bad);
            }
            mends.push(Self {
                slot: slot as u32,
                distance: distance as u16,
            });
            next = slot + 1;
        }
        Ok(mends)
    }
}

impl TableState {
    /// More are not worth their bytes: another piece that is searched again saves most of them.
    pub(crate) const MOST: usize = 512;

    /// Appends the mends; the distances are relative to the one before.
    pub(super) fn put_mends(&self, out: &mut Vec<u8>) {
        varint::put(out, self.mends.len() as u64);
        let mut before = 0;
        for mend in &self.mends {
            let step = u64::from(mend.distance - before);
            varint::put(out, step << 1 | u64::from(mend.empty));
            before = mend.distance;
        }
    }

    /// Reads what [`TableState::put_mends`] wrote.
    pub(super) fn get_mends(fields: &mut Fields<'_>) -> Result<Vec<Mend>> {
        let bad = Error::BadRecipe("impossible checkpoint");
        let count = fields.number()?;
        if count > Self::MOST as u64 {
            return Err(bad);
        }
        let mut mends = Vec::with_capacity(count as usize);
        let mut distance = 0u64;
        for _ in 0..count {
            let field = fields.number()?;
            let step = field >> 1;
            distance = distance.saturating_add(step);
            let possible = u32::try_from(distance).is_ok_and(|d| Mend::DISTANCES.contains(&d));
            if step == 0 || !possible {
                return Err(bad);
            }
            mends.push(Mend {
                distance: distance as u16,
                empty: field & 1 != 0,
            });
        }
        Ok(mends)
    }
}
