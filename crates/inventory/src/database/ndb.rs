//! rpm's own database format, `Packages.db`: pages of slots, each of which points at a header.

use super::{Headers, report};
use crate::bytes::{Order, slice};
use crate::limits::MAX_PACKAGES;

pub(super) const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB_START: &[u8] = b"BlbS";
const BLOCK: u64 = 16;
const SLOTS_PER_PAGE: usize = 4096 / 16;
/// The header of the file takes the space of the first two slots.
const FIRST_SLOT: usize = 2;

/// The headers that the slots of `bytes` point at.
///
/// # Errors
/// If it is not such a database, or of another version.
pub(super) fn read(bytes: &[u8]) -> Result<Headers<'_>, String> {
    let number = |at| Order::Little.u32(bytes, at);
    let (Some(version), Some(pages)) = (number(4), number(12)) else {
        return Err("the database of packages ends in its header".to_owned());
    };
    if version != 0 {
        return Err(format!(
            "a database of packages of version {version}, expected 0"
        ));
    }
    let slots = usize::try_from(pages)
        .unwrap_or(usize::MAX)
        .saturating_mul(SLOTS_PER_PAGE);
    let mut headers = Headers::default();
    for slot in bytes.chunks_exact(16).take(slots).skip(FIRST_SLOT) {
        if !slot.starts_with(SLOT) {
            report(&mut headers.problems, || {
                "a page of slots is malformed".to_owned()
            });
            break;
        }
        let [index, block] = [4, 8].map(|at| Order::Little.u32(slot, at).unwrap_or(0));
        if block == 0 {
            continue;
        }
        if headers.headers.len() == MAX_PACKAGES {
            report(&mut headers.problems, || {
                format!("only the first {MAX_PACKAGES} packages were read")
            });
            break;
        }
        match blob(bytes, index, block) {
            Some(header) => headers.headers.push(header.into()),
            None => report(&mut headers.problems, || {
                format!("package {index} is malformed")
            }),
        }
    }
    Ok(headers)
}

fn blob(bytes: &[u8], index: u32, block: u32) -> Option<&[u8]> {
    let start = u64::from(block) * BLOCK;
    let head = slice(bytes, start, BLOCK)?;
    let length = Order::Little.u32(head, 12)?;
    let same = head.starts_with(BLOB_START) && Order::Little.u32(head, 4) == Some(index);
    same.then(|| slice(bytes, start + BLOCK, u64::from(length)))
        .flatten()
}
