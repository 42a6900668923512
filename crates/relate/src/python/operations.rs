//! Instructions without their arguments. Operations are followed by space that the interpreter uses, zeros in a
//! module; how much depends on the operation.

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;
use crate::stream::Class;

use super::coder::{Coder, get, get_length, put};
use super::stream::Stream;
use super::version::Version;

/// An instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instruction {
    pub(crate) operation: u8,
    /// Its position among the instructions, space included.
    pub(crate) at: usize,
    /// How many instructions it takes, with its space.
    pub(crate) units: usize,
}

/// How much space follows each operation.
pub(crate) struct Space {
    usual: [u64; 256],
    /// How many instructions came since the last one with other than the usual space.
    since: u64,
    /// How many come before the next one, as far as it is known.
    ahead: Option<u64>,
}

impl Space {
    pub(crate) fn new(version: Version) -> Self {
        let mut usual = [0; 256];
        if let Version::Ranges(table) = version {
            for &(operation, units) in table {
                usual[usize::from(operation)] = units;
            }
        }
        Self {
            usual,
            since: 0,
            ahead: None,
        }
    }

    fn put(&mut self, operation: u8, units: u64, sinks: &mut Sinks) {
        let usual = &mut self.usual[usize::from(operation)];
        if units == *usual {
            self.since += 1;
            return;
        }
        put(sinks, Stream::Space, self.since);
        put(sinks, Stream::Space, units);
        *usual = units;
        self.since = 0;
    }

    fn get(&mut self, operation: u8, readers: &mut Readers<'_>) -> Result<u64, DecodeError> {
        let ahead = match self.ahead {
            Some(ahead) => ahead,
            None if readers
                .reader(Class::Python, Stream::Space as u8)
                .is_at_end()? =>
            {
                u64::MAX
            }
            None => get(readers, Stream::Space)?,
        };
        let usual = &mut self.usual[usize::from(operation)];
        if ahead == 0 {
            *usual = get(readers, Stream::Space)?;
            self.ahead = None;
        } else {
            self.ahead = Some(ahead - 1);
        }
        Ok(*usual)
    }
}

/// Stores operations; arguments are left as zeros.
pub(crate) struct Operations<'a> {
    space: &'a mut Space,
    /// The instructions that were stored.
    pub(crate) instructions: Vec<Instruction>,
}

impl Coder for Operations<'_> {
    fn put(&mut self, _: &[u8], bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let (units, []) = bytes.as_chunks::<2>() else {
            return Err(Stream::Operations.invalid("half an instruction"));
        };
        put(sinks, Stream::Counts, units.len() as u64);
        let mut at = 0;
        while let Some(&[operation, _]) = units.get(at) {
            let behind = units[at + 1..].iter();
            let space = behind.take_while(|unit| **unit == [0, 0]).count();
            sinks
                .stream(Class::Python, Stream::Operations as u8)
                .push(operation);
            self.space.put(operation, space as u64, sinks);
            self.push(operation, &mut at, 1 + space);
        }
        Ok(())
    }

    fn get(
        &mut self,
        _: &[u8],
        room: usize,
        readers: &mut Readers<'_>,
    ) -> Result<Vec<u8>, DecodeError> {
        let count = get_length(readers, Stream::Counts, room / 2)?;
        let mut bytes = vec![0; count * 2];
        let mut at = 0;
        while at < count {
            let operation = readers
                .reader(Class::Python, Stream::Operations as u8)
                .byte()?;
            bytes[2 * at] = operation;
            let space = self.space.get(operation, readers)?;
            let space = usize::try_from(space)
                .ok()
                .filter(|space| *space < count - at);
            let space =
                space.ok_or_else(|| Stream::Space.invalid("longer than the instructions"))?;
            self.push(operation, &mut at, 1 + space);
        }
        Ok(bytes)
    }
}

impl<'a> Operations<'a> {
    pub(crate) fn new(space: &'a mut Space) -> Self {
        Self {
            space,
            instructions: Vec::new(),
        }
    }

    fn push(&mut self, operation: u8, at: &mut usize, units: usize) {
        self.instructions.push(Instruction {
            operation,
            at: *at,
            units,
        });
        *at += units;
    }
}
