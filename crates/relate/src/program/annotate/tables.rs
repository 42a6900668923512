//! Tables of displacements from their own start to code, as compilers make them of `switch` (amd64).

use std::io;

use super::text;
use crate::bytes::u32_at;
use crate::field::Field;
use crate::layout::Part;
use crate::object::Machine;
use crate::program::address::Target;
use crate::program::found::Found;
use crate::program::marks::Marks;
use crate::program::source::Source;
use crate::stream::Kind;

/// Code is searched for operands in this many parts.
const MAX_TEXTS: usize = 16;

/// Adds the tables to what else was found in a part.
pub(super) fn with_tables(
    source: &Source<'_>,
    part: &Part,
    bytes: &[u8],
    mut found: Found,
) -> io::Result<Marks> {
    // Go's tables have addresses of eight bytes.
    if source.layout.machine != Machine::Amd64 || source.layout.go.func_header != 0 {
        return Ok(Marks::sorted(found));
    }
    let code = code_ranges(source);
    let address = source.addresses.address_of(Target(part.start));
    let mut tables = Vec::new();
    let starts = operands(source, part)?;
    for (index, &start) in starts.iter().enumerate() {
        let end = starts
            .get(index + 1)
            .map_or(bytes.len(), |next| *next as usize);
        let before = found.len();
        for at in (start as usize..end).step_by(4) {
            let from = address.wrapping_add(u64::from(start));
            let leads_to_code = u32_at(bytes, at).is_some_and(|value| {
                let to = from.wrapping_add(i64::from(value as i32) as u64);
                let index = code.partition_point(|range| range.end <= to);
                code.get(index).is_some_and(|range| range.contains(&to))
            });
            if !leads_to_code || at + 4 > end {
                break;
            }
            found.push((at as u32, Field::TableEntry));
        }
        if found.len() > before {
            tables.push(start);
        }
    }
    Ok(Marks::sorted(found).with_tables(tables))
}

/// The addresses of all text, in ascending order.
fn code_ranges(source: &Source<'_>) -> Vec<std::ops::Range<u64>> {
    let text = source
        .layout
        .parts
        .iter()
        .filter(|part| part.kind == Kind::Text);
    let range = |part: &Part| {
        let start = source.addresses.address_of(Target(part.start));
        start..start.saturating_add(part.len)
    };
    let mut ranges: Vec<_> = text.map(range).collect();
    ranges.sort_by_key(|range| range.end);
    ranges
}

/// Where in `part` code takes addresses of multiples of four, in ascending order.
fn operands(source: &Source<'_>, part: &Part) -> io::Result<Vec<u32>> {
    let start_at = |address| {
        let position = source.addresses.target_of(address)?.position()?;
        let start = position.checked_sub(part.start)?;
        (start < part.len && start % 4 == 0).then_some(start as u32)
    };
    let mut starts = Vec::new();
    let text = source
        .layout
        .parts
        .iter()
        .filter(|part| part.kind == Kind::Text);
    for code in text.take(MAX_TEXTS) {
        let bytes = source.bytes(code)?;
        let is_start = |address| start_at(address).is_some();
        let taken = text::addresses_taken(source, code, &bytes, is_start);
        starts.extend(taken.into_iter().filter_map(start_at));
    }
    starts.sort_unstable();
    starts.dedup();
    Ok(starts)
}
