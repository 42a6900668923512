//! The segments of an ELF program: where in the file an address in memory is.

use crate::bytes::{Order, slice};

pub(super) const MAGIC: &[u8] = b"\x7fELF";
/// The type of a segment that is loaded.
const LOAD: u32 = 1;

/// The segments of a program that are loaded.
pub(super) struct Segments<'a> {
    program: &'a [u8],
    loaded: Vec<Segment>,
}

struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

impl<'a> Segments<'a> {
    /// The segments of `program`; `None` if it is not an ELF program.
    pub(super) fn of(program: &'a [u8]) -> Option<Self> {
        if !program.starts_with(MAGIC) {
            return None;
        }
        let wide = match program.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let order = match program.get(5)? {
            1 => Order::Little,
            2 => Order::Big,
            _ => return None,
        };
        let (table, entry, count) = if wide {
            (
                order.u64(program, 32)?,
                order.u16(program, 54)?,
                order.u16(program, 56)?,
            )
        } else {
            let table = u64::from(order.u32(program, 28)?);
            (table, order.u16(program, 42)?, order.u16(program, 44)?)
        };
        let mut loaded = Vec::new();
        for index in 0..u64::from(count) {
            let at = table.checked_add(index * u64::from(entry))?;
            let header = slice(program, at, if wide { 56 } else { 32 })?;
            if order.u32(header, 0)? == LOAD {
                loaded.push(Segment::of(header, order, wide)?);
            }
        }
        Some(Self { program, loaded })
    }

    /// `length` bytes at an address in memory, if the file has them.
    pub(super) fn at(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        let segment = self.loaded.iter().find(|segment| {
            address
                .checked_sub(segment.address)
                .is_some_and(|into| into < segment.size)
        })?;
        let into = address - segment.address;
        if length > segment.size - into {
            return None;
        }
        slice(self.program, segment.offset.checked_add(into)?, length)
    }
}

impl Segment {
    fn of(header: &[u8], order: Order, wide: bool) -> Option<Self> {
        let [offset, address, size] = if wide { [8, 16, 32] } else { [4, 8, 16] };
        let width = if wide { 8 } else { 4 };
        Some(Self {
            offset: order.pointer(header, offset, width)?,
            address: order.pointer(header, address, width)?,
            size: order.pointer(header, size, width)?,
        })
    }
}
