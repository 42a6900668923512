//! What symbol tables say: where functions start, and names of memory that is not in the file.

use std::io;

use super::address::Target;
use super::source::Source;
use crate::bytes::{name_at, u8_at, u32_at, u64_at};
use crate::object::Machine;
use crate::stream::Kind;

/// Bytes of a symbol.
pub(crate) const SYMBOL: usize = 24;
const FUNCTION: u8 = 2;
/// More variables are not looked at.
pub(crate) const MAX_VARIABLES: usize = 1 << 20;

/// One entry of a symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    pub(crate) info: u8,
    pub(crate) value: u64,
    pub(crate) size: u64,
}

impl Symbol {
    pub(crate) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self {
            name: u32_at(bytes, at)?,
            info: u8_at(bytes, at + 4)?,
            value: u64_at(bytes, at + 8)?,
            size: u64_at(bytes, at + 16)?,
        })
    }

    pub(crate) fn is_function(&self) -> bool {
        self.info & 15 == FUNCTION
    }
}

/// All symbols of a table.
pub(crate) fn all(bytes: &[u8]) -> impl Iterator<Item = Symbol> {
    let count = bytes.len() / SYMBOL;
    (0..count).filter_map(|index| Symbol::at(bytes, index * SYMBOL))
}

/// A hash of a name.
pub(crate) fn hash(name: &[u8]) -> u64 {
    let mut hash = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash =
            (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    hash ^ hash >> 29
}

/// Named memory that is not in the file, by address.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Address, size and hash of the name.
    variables: Vec<(u64, u64, u64)>,
}

impl Memory {
    pub(crate) fn of(source: &Source<'_>) -> io::Result<Self> {
        let symbols = source.bytes_of(Kind::Symbols)?;
        let strings = source.bytes_of(Kind::Strings)?;
        let is_memory = |symbol: &Symbol| {
            let target = source.addresses.target_of(symbol.value);
            target.and_then(Target::memory).is_some()
        };
        let variable = |symbol: Symbol| {
            let name = name_at(&strings, symbol.name as usize);
            (symbol.value, symbol.size, hash(name))
        };
        let mut variables: Vec<_> = all(&symbols)
            .filter(is_memory)
            .take(MAX_VARIABLES)
            .map(variable)
            .collect();
        variables.sort_unstable();
        Ok(Self { variables })
    }

    /// The hash of the name of the variable at an address, and the offset within the variable.
    pub(crate) fn find(&self, address: u64) -> Option<(u64, u64)> {
        let index = self
            .variables
            .partition_point(|variable| variable.0 <= address);
        let (start, size, name) = *self.variables.get(index.checked_sub(1)?)?;
        let offset = address - start;
        (offset < size.max(1)).then_some((name, offset))
    }
}

/// Where functions start, by address.
pub(crate) fn function_starts(symbols: &[u8]) -> Vec<u64> {
    let functions = all(symbols).filter(Symbol::is_function);
    let mut starts: Vec<u64> = functions.map(|symbol| symbol.value).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The name offset to expect after `before`: names follow each other.
pub(crate) fn next_name(before: &Symbol, strings: &[u8]) -> u64 {
    let len = name_at(strings, before.name as usize).len();
    u64::from(before.name.wrapping_add(len as u32).wrapping_add(1))
}

/// The value to expect after `before` if it is next in memory: its end, aligned.
pub(crate) fn next_value(before: &Symbol, is_function: bool, size: u64, machine: Machine) -> u64 {
    let align = match (is_function, machine) {
        (true, Machine::Amd64) => 32,
        (true, _) => 16,
        (false, _) if size >= 32 => 32,
        (false, _) if size >= 8 => 8,
        _ => 1,
    };
    let end = before.value.wrapping_add(before.size);
    end.wrapping_add(align - 1) & !(align - 1)
}
