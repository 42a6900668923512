//! Finds the fields of a part. These rules are part of the format: see the crate's documentation.

mod blocks;
mod dwarf;
mod frames;
mod func;
mod pages;
mod pointers;
mod tables;
mod text;

use std::io;

use super::found::Found;
use super::marks::Marks;
use super::source::Source;
use crate::bytes::{u32_at, u64_at};
use crate::field::Field;
use crate::layout::Part;
use crate::object::Machine;
use crate::stream::Kind;

pub(crate) use blocks::{Block, Fields};
pub(crate) use dwarf::{Abbreviations, Attribute, Tables, Unit, list_starts, units};
pub(crate) use frames::{Common, Commons, entry_end, frame_index, frame_starts};
pub(crate) use func::{Description, Descriptions, Funcs, func_index};
pub(crate) use pointers::TypeHeader;
pub(crate) use text::{displacement_origin, may_precede_displacement};

/// The fields of a part of a program, found in all of it at once.
fn whole(source: &Source<'_>, part: &Part) -> io::Result<Marks> {
    let bytes = source.bytes(part)?;
    let found = match part.kind {
        Kind::Text => match source.layout.machine {
            Machine::Amd64 => text::amd64(source, part, Found::default(), &bytes),
            Machine::Arm64 => text::arm64(&bytes),
            Machine::Other => Found::default(),
        },
        Kind::ReadOnly => {
            let mut found = pointers::types(source, part, &bytes);
            found.extend(func::lists(source, part, &bytes)?.into_vec());
            found.extend(pointers::addresses(source, &bytes).into_vec());
            return tables::with_tables(source, part, &bytes, found);
        }
        Kind::Data => pointers::addresses(source, &bytes),
        Kind::UnitFiles => every(&bytes, 4, Field::FileOffset),
        Kind::TypeLinks => every(&bytes, 4, Field::TypeOffset),
        Kind::FuncTable => every(&bytes, 8, Field::FunctionEntry),
        Kind::Funcs => func::descriptions(source, &bytes),
        Kind::FuncData => func::lists(source, part, &bytes)?,
        Kind::Lines => dwarf::lines(Found::default(), &bytes),
        Kind::Frames => dwarf::frames(&bytes),
        Kind::Addresses => dwarf::addresses(source, &bytes),
        Kind::Locations | Kind::Ranges => dwarf::lists(&bytes, part.kind),
        Kind::Info => dwarf::info(source, &bytes)?,
        Kind::Symbols => symbols(&bytes, Field::StringOffset, Field::SymbolValue),
        Kind::DynamicSymbols => symbols(&bytes, Field::DynamicStringOffset, Field::Address),
        Kind::CallFrames => frames::call_frames(&bytes),
        Kind::Relocations => relocations(&bytes),
        _ => Found::default(),
    };
    Ok(Marks::sorted(found))
}

fn every(bytes: &[u8], step: usize, field: Field) -> Found {
    let count = bytes.len() / step;
    (0..count)
        .map(|index| ((index * step) as u32, field))
        .collect()
}

/// Names and values of symbols, except values of zero.
fn symbols(bytes: &[u8], name: Field, value: Field) -> Found {
    let mut found = Found::with_capacity(bytes.len() / 12);
    for at in (0..bytes.len() / 24).map(|index| index * 24) {
        if u32_at(bytes, at).is_some() {
            found.push((at as u32, name));
        }
        if u64_at(bytes, at + 8).is_some_and(|value| value != 0) {
            found.push((at as u32 + 8, value));
        }
    }
    found
}

/// Addresses that relocations change, and addends that are addresses.
fn relocations(bytes: &[u8]) -> Found {
    // R_X86_64_RELATIVE, R_X86_64_IRELATIVE, R_AARCH64_RELATIVE, R_AARCH64_IRELATIVE
    const RELATIVE: [u32; 4] = [8, 37, 1027, 1032];
    let mut found = Found::with_capacity(bytes.len() / 12);
    for at in (0..bytes.len() / 24).map(|index| index * 24) {
        found.push((at as u32, Field::Address));
        if u32_at(bytes, at + 12).is_some_and(|symbol| symbol != 0) {
            found.push((at as u32 + 12, Field::SymbolIndex));
        }
        if u32_at(bytes, at + 8).is_some_and(|kind| RELATIVE.contains(&kind)) {
            found.push((at as u32 + 16, Field::Addend));
        }
    }
    found
}
