//! The walk through a module that both sides take.

use std::ops::Range;
use std::rc::Rc;

use crate::error::DecodeError;

use super::arguments::Predictions;
use super::coder::Plain;
use super::instructions::{CacheEntries, Instructions};
use super::locations::Locations;
use super::side::{Side, Width};
use super::stream::Stream;
use super::text::{Qualified, Role, Texts};
use super::tokens::Source;
use super::value::Value;
use super::version::Version;

/// The greatest depth of nested objects: the walk is recursive.
const MAX_DEPTH: usize = 64;
/// So many items of a tuple are remembered: larger numbers do not fit into an argument.
const MAX_ITEMS: usize = 256;
/// Longer names of code objects count as empty.
const MAX_NAME: usize = 4096;
/// The bit of a type that says that later objects may refer to the object.
const REFERRED: u8 = 0x80;
/// So many references are remembered for each part.
const RECENT: usize = 8;
const PARTS: usize = 8;

/// What an object is in a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Constants,
    Names,
    Locals,
    File,
    Name,
    QualifiedName,
    Instructions,
    Table,
}

impl Part {
    fn role(self) -> Role {
        match self {
            Self::Constants | Self::Instructions | Self::Table => Role::Constant,
            Self::Names => Role::Name,
            Self::Locals => Role::Local,
            Self::File | Self::Name | Self::QualifiedName => Role::Title,
        }
    }
}

/// A walk.
struct Walk<'a, S> {
    side: &'a mut S,
    source: &'a Source<'a>,
    version: Version,
    caches: CacheEntries,
    texts: Texts<'a>,
    predictions: Predictions<'a>,
    /// The objects that others can refer to.
    referred: Vec<Value>,
    /// The last references of each part, the latest first.
    recent: [Vec<usize>; PARTS],
    qualified: Vec<u8>,
    line: u32,
}

/// Passes a whole module.
pub(crate) fn module<S: Side>(side: &mut S, source: &Source<'_>) -> Result<(), DecodeError> {
    side.bytes(Stream::Header, 12)?;
    side.integer(Stream::Header, source.bytes().len() as u32)?;
    let version = Version::of(side.content());
    let version = version.ok_or_else(|| Stream::Header.invalid("an unknown version"))?;
    Walk::new(side, source, version).object(Part::Constants, 0)?;
    side.end()
}

/// How the length of a string of this type is written; `None` if it is not a string.
fn width_of_text(kind: u8) -> Option<Width> {
    match kind {
        b'z' | b'Z' => Some(Width::One),
        b'a' | b'A' | b'u' | b't' => Some(Width::Four),
        _ => None,
    }
}

/// The depth of what is inside an object.
fn deeper(depth: usize) -> Result<usize, DecodeError> {
    if depth == MAX_DEPTH {
        return Err(Stream::Types.invalid("nested too deeply"));
    }
    Ok(depth + 1)
}

impl<'a, S: Side> Walk<'a, S> {
    fn new(side: &'a mut S, source: &'a Source<'a>, version: Version) -> Self {
        Self {
            side,
            source,
            version,
            caches: CacheEntries::new(version),
            texts: Texts::new(source),
            predictions: Predictions::new(source),
            referred: Vec::new(),
            recent: Default::default(),
            qualified: Vec::new(),
            line: 0,
        }
    }

    /// Passes an object.
    fn object(&mut self, part: Part, depth: usize) -> Result<Value, DecodeError> {
        let kind = self.side.byte(Stream::Types)?;
        let number = self.reserve(kind);
        let value = match kind & !REFERRED {
            b'N' => self.scalar("None"),
            b'T' => self.scalar("True"),
            b'F' => self.scalar("False"),
            b'S' | b'.' => Value::Other,
            b'i' => self.integer()?,
            b'g' => self.value(8)?,
            b'y' => self.value(16)?,
            b'l' => self.long()?,
            b's' => self.plain(part)?,
            b')' => self.items(part, Width::One, depth)?,
            b'(' | b'[' | b'<' | b'>' => self.items(part, Width::Four, depth)?,
            b'c' => self.code(depth)?,
            b'r' => self.reference(part)?,
            b':' => self.slice(part, depth)?,
            kind => match width_of_text(kind) {
                Some(width) => self.text(part, width)?,
                None => return Err(Stream::Types.invalid("an unknown type")),
            },
        };
        self.fill(number, &value);
        Ok(value)
    }

    /// Numbers an object that others may refer to; its parts come after it.
    fn reserve(&mut self, kind: u8) -> Option<usize> {
        (kind & REFERRED != 0).then(|| {
            self.referred.push(Value::Other);
            self.referred.len() - 1
        })
    }

    fn fill(&mut self, number: Option<usize>, value: &Value) {
        if let Some(number) = number {
            self.referred[number] = value.clone();
        }
    }

    fn integer(&mut self) -> Result<Value, DecodeError> {
        self.side.bytes(Stream::Values, 4)?;
        let (_, last) = self.side.content().split_at(self.side.content().len() - 4);
        let value = i32::from_le_bytes(last.try_into().unwrap_or_default());
        Ok(self.scalar(&value.to_string()))
    }

    /// A value that is written so in a source.
    fn scalar(&self, text: &str) -> Value {
        let word = self.source.number(text.as_bytes());
        Value::Scalar(word.map(|word| word as u32))
    }

    fn value(&mut self, len: usize) -> Result<Value, DecodeError> {
        self.side.bytes(Stream::Values, len)?;
        Ok(Value::Other)
    }

    /// A long integer: the number of its digits, negative for a negative integer, and two bytes for each digit.
    fn long(&mut self) -> Result<Value, DecodeError> {
        let digits = self.side.integer(Stream::Counts, 0)? as i32;
        let len = digits.unsigned_abs() as usize;
        self.side.bytes(Stream::Values, len.saturating_mul(2))?;
        Ok(Value::Other)
    }

    fn plain(&mut self, part: Part) -> Result<Value, DecodeError> {
        let stream = if part == Part::Locals {
            Stream::LocalKinds
        } else {
            Stream::Values
        };
        self.side.coded(Width::Four, &mut Plain(stream))?;
        Ok(Value::Other)
    }

    fn text(&mut self, part: Part, width: Width) -> Result<Value, DecodeError> {
        let range = self.side.coded(width, &mut self.texts.coder(part.role()))?;
        Ok(self.text_at(range))
    }

    fn items(&mut self, part: Part, width: Width, depth: usize) -> Result<Value, DecodeError> {
        let depth = deeper(depth)?;
        let count = self.side.count(width)?;
        let mut items = Vec::new();
        for _ in 0..count {
            let item = self.object(part, depth)?;
            if items.len() < MAX_ITEMS {
                // Tuples in tuples are not looked into, and references could nest them to any depth.
                items.push(match item {
                    Value::Tuple(_) => Value::Other,
                    item => item,
                });
            }
        }
        Ok(Value::Tuple(Rc::from(items)))
    }

    /// A slice, since Python 3.14: its start, its end and its step.
    fn slice(&mut self, part: Part, depth: usize) -> Result<Value, DecodeError> {
        let depth = deeper(depth)?;
        for _ in 0..3 {
            self.object(part, depth)?;
        }
        Ok(Value::Other)
    }

    /// A reference: one of the last of its part, or how many objects ago it was.
    fn reference(&mut self, part: Part) -> Result<Value, DecodeError> {
        let recent = &self.recent[part as usize];
        let count = self.referred.len();
        let stored = self.side.choice(Stream::References, &|rest| {
            let number = rest
                .first_chunk()
                .map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
            let number = number as usize;
            let position = recent.iter().position(|known| *known == number);
            // What is not a reference to an earlier object is refused below.
            let ago = count.saturating_sub(number);
            position.unwrap_or(RECENT + ago) as u64
        })?;
        let stored = usize::try_from(stored).unwrap_or(usize::MAX);
        let number = match stored.checked_sub(RECENT) {
            None => recent.get(stored).copied(),
            Some(ago) => count.checked_sub(ago),
        };
        let value = number.and_then(|number| Some((number, self.referred.get(number)?.clone())));
        let Some((number, value)) = value else {
            return Err(Stream::References.invalid("no such object"));
        };
        self.side.derived(&(number as u32).to_le_bytes())?;
        let recent = &mut self.recent[part as usize];
        let position = recent.iter().position(|known| *known == number);
        if let Some(position) = position {
            recent[..=position].rotate_right(1);
        } else {
            recent.truncate(RECENT - 1);
            recent.insert(0, number);
        }
        Ok(value)
    }

    /// A code object.
    fn code(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let depth = deeper(depth)?;
        let has_ranges = matches!(self.version, Version::Ranges(_));
        // Arguments of three kinds, before 3.11 locals, slots on the stack, flags.
        for _ in 0..if has_ranges { 5 } else { 6 } {
            self.side.integer(Stream::Numbers, 0)?;
        }
        let mut instructions = Vec::new();
        let mut bytes = 0..0;
        if self.begin_run(Part::Instructions)? {
            let mut coder = Instructions::new(&mut self.caches);
            bytes = self.side.coded(Width::Four, &mut coder)?;
            instructions = coder.instructions;
        }
        let constants = self.object(Part::Constants, depth)?;
        let names = self.object(Part::Names, depth)?;
        let locals = self.object(Part::Locals, depth)?;
        // What the locals are; before 3.11, those that other code objects share instead.
        for _ in 0..if has_ranges { 1 } else { 2 } {
            self.object(Part::Locals, depth)?;
        }
        self.object(Part::File, depth)?;
        let name = self.object(Part::Name, depth)?;
        if has_ranges {
            self.qualified_name(&name)?;
        }
        self.line = self.side.integer(Stream::FirstLines, self.line)?;
        let mut locations = Locations::new(self.source, &instructions, self.line);
        if has_ranges && self.begin_run(Part::Table)? {
            self.side.coded(Width::Four, &mut locations)?;
        }
        let spans = locations.spans;
        // Exceptions; before 3.11, lines.
        if self.begin_run(Part::Table)? {
            self.side.coded(Width::Four, &mut Plain(Stream::Tables))?;
        }
        let tables = [&names, &locals, &constants];
        let mut patch = self.predictions.patch(tables, &instructions, &spans);
        self.side.patch(bytes, &mut patch)?;
        Ok(Value::Other)
    }

    /// Passes the type of a run of bytes; false if the module refers to an earlier one instead.
    fn begin_run(&mut self, part: Part) -> Result<bool, DecodeError> {
        let kind = self.side.byte(Stream::Types)?;
        let number = self.reserve(kind);
        match kind & !REFERRED {
            b's' => Ok(true),
            b'r' if number.is_none() => self.reference(part).map(|_| false),
            _ => Err(Stream::Types.invalid("not a run of bytes")),
        }
    }

    fn qualified_name(&mut self, name: &Value) -> Result<(), DecodeError> {
        let kind = self.side.byte(Stream::Types)?;
        let number = self.reserve(kind);
        let value = match kind & !REFERRED {
            b'r' => self.reference(Part::QualifiedName)?,
            kind => {
                let width = width_of_text(kind);
                let width = width.ok_or_else(|| Stream::Types.invalid("not a string"))?;
                let name = self.name_of(name);
                let mut coder = Qualified {
                    texts: &mut self.texts,
                    last: &self.qualified,
                    name: &name,
                };
                let range = self.side.coded(width, &mut coder)?;
                self.text_at(range)
            }
        };
        self.qualified = self.name_of(&value);
        self.fill(number, &value);
        Ok(())
    }

    /// The text of a name, if it is not too long.
    fn name_of(&self, value: &Value) -> Vec<u8> {
        let text = value.text(self.side.content());
        let text = if text.len() > MAX_NAME { &[] } else { text };
        text.to_vec()
    }

    fn text_at(&self, range: Range<usize>) -> Value {
        let word = self.source.number(&self.side.content()[range.clone()]);
        Value::Text(
            range.start as u32..range.end as u32,
            word.map(|word| word as u32),
        )
    }
}
