//! Streams of encoders that are not known, or that differ from a known one here and there.
//!
//! Most encoders choose much alike: they choose the longest match among the candidates that they look
//! at, or wait for a better one. So the choices of a known one serve as the measure, and the recipe lists only
//! where the stream's differ. Everything is coded adaptively: where an
//! encoder always differs in the same way, that soon costs little.
//!
//! What is coded, in this order, for each block: whether it is the last, its kind, its length in
//! tokens or stored bytes; its tokens; then how its header differs from what the tokens imply. A
//! long block is cut into pieces, and the header comes after the first. The reader has the plain
//! content before it, so that both sides search the same bytes.

mod blocks;
mod coder;
mod codes;
mod finder;
pub(crate) mod make;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
mod tokens;
mod write;

use std::sync::Arc;

use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};
use finder::EFFORTS;

/// How many measures there are.
pub(crate) const MEASURES: u8 = EFFORTS.len() as u8;

/// What corrections may cost more, in hundred-thousandths of the stream, if that avoids a measure that
/// searches long.
pub(crate) fn burden(measure: u8) -> u64 {
    EFFORTS
        .get(usize::from(measure))
        .map_or(0, |effort| u64::from(effort.depth) / 16)
}

/// What a stream differs in from its measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Corrections {
    /// The index of the measure.
    pub(crate) measure: u8,
    pub(crate) bytes: Arc<[u8]>,
}

impl Corrections {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.measure);
        varint::put_bytes(out, &self.bytes);
    }

    pub(crate) fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let measure = fields.byte()?;
        if measure >= MEASURES {
            return Err(Error::BadRecipe("unknown measure"));
        }
        Ok(Self {
            measure,
            bytes: fields.bytes()?.into(),
        })
    }

    /// Starts to write the stream.
    pub(crate) fn start(&self) -> Box<dyn Encode> {
        let effort = EFFORTS[usize::from(self.measure)];
        Box::new(write::Corrected::new(effort, self.bytes.clone()))
    }
}
