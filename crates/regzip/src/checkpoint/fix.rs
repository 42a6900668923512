//! What is wrong in a search table after a search that began too late.

use crate::coding::token::WINDOW;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};

/// One entry of an encoder's search table that a search that began later does not restore, if that
/// matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// The index in the encoder's tables.
    pub(crate) slot: u32,
    /// Plain bytes from the entry's position to the checkpoint, a window at most; 0 if it has none in reach.
    pub(crate) distance: u16,
}

impl Fix {
    /// More are not worth their bytes.
    pub(crate) const MOST: usize = 1024;

    /// The fixes of slots, which may be named more than once, out of the distances of all slots.
    pub(crate) fn of(mut slots: Vec<u32>, distances: &[u16]) -> Vec<Self> {
        slots.sort_unstable();
        slots.dedup();
        let fix = |slot| Self {
            slot,
            distance: distances[slot as usize],
        };
        slots.into_iter().map(fix).collect()
    }

    /// Appends fixes, in the order of their slots, which are relative to the one before.
    pub(super) fn put_all(fixes: &[Self], out: &mut Vec<u8>) {
        varint::put(out, fixes.len() as u64);
        let mut next = 0;
        for fix in fixes {
            varint::put(out, u64::from(fix.slot - next));
            out.extend_from_slice(&fix.distance.to_le_bytes());
            next = fix.slot + 1;
        }
    }

    /// Reads what [`Fix::put_all`] wrote.
    pub(super) fn get_all(fields: &mut Fields<'_>) -> Result<Vec<Self>> {
        let bad = Error::BadRecipe("impossible checkpoint");
        let count = fields.number()?;
        if count > Self::MOST as u64 {
            return Err(bad);
        }
        let mut fixes = Vec::with_capacity(count as usize);
        let mut next = 0u64;
        for _ in 0..count {
            let slot = next.saturating_add(fields.number()?);
            let distance = u16::from_le_bytes([fields.byte()?, fields.byte()?]);
            if slot >= u32::MAX.into() || usize::from(distance) > WINDOW {
                return Err(bad);
            }
            fixes.push(Self {
                slot: slot as u32,
                distance,
            });
            next = slot + 1;
        }
        Ok(fixes)
    }
}
