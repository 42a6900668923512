//! Things with an identity that is the same in two programs, so that the encoder can pair them: functions by name,
//! types by their hash, debug entries by name, and so on.
//!
//! This is the encoder's business alone: pairing well makes results small, pairing badly makes them large,
//! and the decoder does not notice.

mod debug;
mod followers;
mod go;

use std::io;

use super::address::Target;
use super::source::Source;
use super::symbols::{self, hash};
use crate::bytes::{name_at, until_zero};
use crate::layout::Part;
use crate::stream::Kind;

pub(crate) use followers::{anchors, follows, pairs as follower_pairs};

/// A thing at a position of a content, with the hash of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entity {
    pub(crate) identity: u64,
    pub(crate) position: u64,
}

/// What kind of thing an identity is of; keeps names of different things apart.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Thing {
    Text = 1,
    Function = 2,
    FunctionData = 3,
    PcValues = 4,
    UnitFiles = 5,
    Type = 6,
    Frame = 7,
    Lines = 8,
    String = 10,
    Unit = 31,
    Entry = 30,
    Locations = 32,
    Ranges = 33,
    Symbol = 40,
    Variable = 41,
}

/// The entities of one program, collected part by part.
struct Collector {
    entities: Vec<Entity>,
}

impl Collector {
    /// Adds the thing at `position` that is told by a hash of its name and a number.
    fn add(&mut self, thing: Thing, position: u64, name: u64, number: u64) {
        let number = number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let identity = (name ^ number).wrapping_add((thing as u64) << 56);
        self.entities.push(Entity { identity, position });
    }
}

/// Names of functions by address.
#[derive(Default)]
struct FunctionNames {
    names: Vec<(u64, u64)>,
}

impl FunctionNames {
    fn new(mut names: Vec<(u64, u64)>) -> Self {
        names.sort_unstable();
        Self { names }
    }

    /// The hash of the name of the function that starts at an address.
    fn at(&self, address: u64) -> Option<u64> {
        let index = self.names.partition_point(|name| name.0 < address);
        let (start, name) = *self.names.get(index)?;
        (start == address).then_some(name)
    }
}

/// All entities of a program, in no particular order.
pub(crate) fn entities(source: &Source<'_>) -> io::Result<Vec<Entity>> {
    let mut collector = Collector {
        entities: Vec::new(),
    };
    if !source.layout.is_program() {
        return Ok(collector.entities);
    }
    let mut functions = go::functions(source, &mut collector)?;
    let with_text = functions.is_empty();
    for tables in [
        (Kind::Symbols, Kind::Strings),
        (Kind::DynamicSymbols, Kind::DynamicStrings),
    ] {
        functions.extend(symbols_of(source, &mut collector, tables, with_text)?);
    }
    let functions = FunctionNames::new(functions);
    for part in &source.layout.parts {
        match part.kind {
            Kind::ReadOnly => go::types(source, part, &mut collector)?,
            Kind::Frames => debug::frames(part, &source.bytes(part)?, &functions, &mut collector),
            Kind::Lines => debug::lines(part, &source.bytes(part)?, &functions, &mut collector),
            Kind::Info => debug::info(source, part, &mut collector)?,
            Kind::Strings | Kind::DynamicStrings | Kind::FuncNames | Kind::FileNames => {
                strings(part, &source.bytes(part)?, &mut collector);
            }
            _ => {}
        }
    }
    let len = source.content.len();
    collector.entities.retain(|entity| entity.position < len);
    Ok(collector.entities)
}

/// Strings that end with a zero byte, by themselves.
fn strings(part: &Part, bytes: &[u8], collector: &mut Collector) {
    let mut at = 0;
    while at < bytes.len() {
        let string = until_zero(&bytes[at..]);
        if string.len() >= 3 {
            let name = hash(string).wrapping_add(part.kind as u64);
            collector.add(Thing::String, part.start + at as u64, name, 0);
        }
        at += string.len() + 1;
    }
}

/// Symbols and the variables that they name; if `with_text`, also functions, whose names are returned.
fn symbols_of(
    source: &Source<'_>,
    collector: &mut Collector,
    (table_kind, names_kind): (Kind, Kind),
    with_text: bool,
) -> io::Result<Vec<(u64, u64)>> {
    let table = source.bytes_of(table_kind)?;
    let names = source.bytes_of(names_kind)?;
    let (start, _) = source.addresses.area(table_kind);
    let mut functions = Vec::new();
    for (index, symbol) in symbols::all(&table).enumerate() {
        let name = hash(name_at(&names, symbol.name as usize));
        let at = start + (index * symbols::SYMBOL) as u64;
        collector.add(Thing::Symbol, at, name, u64::from(symbol.info));
        let target = source.addresses.target_of(symbol.value);
        let Some(position) = target.and_then(Target::position) else {
            continue;
        };
        if symbol.info & 15 == 1 {
            collector.add(Thing::Variable, position, name, 0);
        } else if with_text && symbol.is_function() {
            collector.add(Thing::Text, position, name, 0);
            functions.push((symbol.value, name));
        }
    }
    Ok(functions)
}
