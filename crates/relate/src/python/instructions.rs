//! Instructions without their arguments. Some are followed by cache entries, which are zeros in a module; how many
//! depends on the opcode.

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;

use super::coder::{Coder, get, get_length, put, reader, sink};
use super::stream::Stream;
use super::version::Version;

/// An instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instruction {
    pub(crate) opcode: u8,
    /// Its position in units, cache entries included.
    pub(crate) at: u32,
    /// How many units it takes, with its cache entries.
    pub(crate) units: u32,
}

/// How many cache entries follow each opcode.
pub(crate) struct CacheEntries {
    usual: [u64; 256],
    /// Instructions since the last one with an unusual number of cache entries.
    since: u64,
    /// How many come before the next one, as far as it is known.
    ahead: Option<u64>,
}

impl CacheEntries {
    pub(crate) fn new(version: Version) -> Self {
        let mut usual = [0; 256];
        if let Version::Ranges(table) = version {
            for &(opcode, units) in table {
                usual[usize::from(opcode)] = units;
            }
        }
        Self {
            usual,
            since: 0,
            ahead: None,
        }
    }

    fn put(&mut self, opcode: u8, units: u64, sinks: &mut Sinks) {
        let usual = &mut self.usual[usize::from(opcode)];
        if units == *usual {
            self.since += 1;
            return;
        }
        put(sinks, Stream::CacheEntries, self.since);
        put(sinks, Stream::CacheEntries, units);
        *usual = units;
        self.since = 0;
    }

    fn get(&mut self, opcode: u8, readers: &mut Readers<'_>) -> Result<u64, DecodeError> {
        let ahead = match self.ahead {
            Some(ahead) => ahead,
            None if reader(readers, Stream::CacheEntries).is_at_end()? => u64::MAX,
            None => get(readers, Stream::CacheEntries)?,
        };
        let usual = &mut self.usual[usize::from(opcode)];
        if ahead == 0 {
            *usual = get(readers, Stream::CacheEntries)?;
            self.ahead = None;
        } else {
            self.ahead = Some(ahead - 1);
        }
        Ok(*usual)
    }
}

/// Stores opcodes; arguments are left as zeros.
pub(crate) struct Instructions<'a> {
    caches: &'a mut CacheEntries,
    /// The instructions that were stored.
    pub(crate) instructions: Vec<Instruction>,
}

impl Coder for Instructions<'_> {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let (units, []) = bytes.as_chunks::<2>() else {
            return Err(Stream::Opcodes.invalid("an odd number of bytes"));
        };
        put(sinks, Stream::Counts, units.len() as u64);
        let mut at = 0;
        while let Some(&[opcode, _]) = units.get(at) {
            let behind = units[at + 1..].iter();
            let cached = behind.take_while(|unit| **unit == [0, 0]).count();
            sink(sinks, Stream::Opcodes).push(opcode);
            self.caches.put(opcode, cached as u64, sinks);
            self.push(opcode, &mut at, 1 + cached);
        }
        Ok(())
    }

    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        let count = get_length(readers, Stream::Counts, remaining / 2)?;
        let mut bytes = vec![0; count * 2];
        let mut at = 0;
        while at < count {
            let opcode = reader(readers, Stream::Opcodes).byte()?;
            bytes[2 * at] = opcode;
            let cached = self.caches.get(opcode, readers)?;
            let cached = usize::try_from(cached)
                .ok()
                .filter(|cached| *cached < count - at);
            let cached = cached
                .ok_or_else(|| Stream::CacheEntries.invalid("longer than the instructions"))?;
            self.push(opcode, &mut at, 1 + cached);
        }
        Ok(bytes)
    }
}

impl<'a> Instructions<'a> {
    pub(crate) fn new(caches: &'a mut CacheEntries) -> Self {
        Self {
            caches,
            instructions: Vec::new(),
        }
    }

    fn push(&mut self, opcode: u8, at: &mut usize, units: usize) {
        self.instructions.push(Instruction {
            opcode,
            at: *at as u32,
            units: units as u32,
        });
        *at += units;
    }
}
