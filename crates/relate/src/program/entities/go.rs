//! Functions and types of Go.

use std::io;

use super::{Collector, Thing};
use crate::bytes::{name_at, u32_at};
use crate::layout::Part;
use crate::program::annotate::{Funcs, TypeHeader};
use crate::program::source::Source;
use crate::program::symbols::hash;
use crate::stream::Kind;

/// Functions, their descriptions and tables; returns the names by address.
pub(super) fn functions(
    source: &Source<'_>,
    collector: &mut Collector,
) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let funcs = source.bytes_of(Kind::Funcs)?;
    let names = source.bytes_of(Kind::FuncNames)?;
    let start = |kind| source.addresses.area(kind).0;
    let (descriptions, values) = (start(Kind::Funcs), start(Kind::PcValues));
    let go = &source.layout.go;
    let position_of = |address| source.addresses.target_of(address)?.position();
    for func in Funcs::of(source, &funcs) {
        let name = hash(name_at(&names, func.name() as usize));
        let entry = go.text.wrapping_add(u64::from(func.entry()));
        found.push((entry, name));
        if let Some(position) = position_of(entry) {
            collector.add(Thing::Text, position, name, 0);
        }
        collector.add(Thing::Function, descriptions + func.at as u64, name, 0);
        for (index, at) in func.values().enumerate() {
            let offset = u32_at(&funcs, at).unwrap_or(0);
            if offset != 0 {
                let position = values + u64::from(offset);
                collector.add(Thing::PcValues, position, name, index as u64);
            }
        }
        for (index, at) in func.data().enumerate() {
            let offset = u32_at(&funcs, at).filter(|offset| *offset != u32::MAX);
            let address = offset.map(|offset| go.func_data.wrapping_add(u64::from(offset)));
            if let Some(position) = address.and_then(position_of) {
                collector.add(Thing::FunctionData, position, name, index as u64);
            }
        }
        let unit = start(Kind::UnitFiles) + 4 * u64::from(func.unit());
        collector.add(Thing::UnitFiles, unit, name, 0);
    }
    Ok(found)
}

/// Descriptions of types, by hash and size.
pub(super) fn types(source: &Source<'_>, part: &Part, collector: &mut Collector) -> io::Result<()> {
    if source.layout.go.types == 0 {
        return Ok(());
    }
    let bytes = source.bytes(part)?;
    for at in (0..bytes.len()).step_by(8) {
        if let Some(header) = TypeHeader::at(source, &bytes, at) {
            let position = part.start + at as u64;
            collector.add(Thing::Type, position, header.identity, header.size);
        }
    }
    Ok(())
}
