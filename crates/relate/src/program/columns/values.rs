//! Go's tables of values by program counter: changes of a value and distances in turn, up to a change of zero that is not
//! the first.

use super::tokens::{Stop, Tokens};
use crate::stream::Column;

#[derive(Default)]
pub(crate) struct Values {
    /// Whether a table has begun.
    is_inside: bool,
}

impl Values {
    /// Passes a value with its distance, or the end of a table.
    pub(super) fn entry(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        if tokens.at() == 0 {
            // No table is at offset zero.
            return tokens.bytes(Column::Headers as u8, 1);
        }
        let change = tokens.leb(Column::Values as u8)?;
        let is_end = change == 0 && self.is_inside;
        self.is_inside = !is_end;
        if self.is_inside {
            tokens.leb(Column::Distances as u8)?;
        }
        Ok(())
    }
}
