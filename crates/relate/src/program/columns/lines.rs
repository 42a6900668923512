//! Line programs: their opcodes, and their operands by opcode.

use super::tokens::{Stop, Tokens};
use crate::stream::Column;

/// Opcode that others follow, and opcode with an operand of two bytes (`DW_LNS_fixed_advance_pc`).
const EXTENDED: u8 = 0;
const FIXED_ADVANCE: u8 = 9;
/// Operands of these opcodes have streams of their own: addresses, lines, files.
const ADVANCE: u8 = 2;
const LINE: u8 = 3;
const FILE: u8 = 4;

#[derive(Default)]
pub(crate) struct Lines {
    unit_end: u64,
    /// How many operands the opcodes below the first special one have, from opcode 1 on.
    operands: Vec<u8>,
}

impl Lines {
    /// Passes an instruction, or the header of a unit.
    pub(super) fn entry(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        if tokens.at() >= self.unit_end {
            return self.header(tokens);
        }
        let [opcode] = tokens.fixed(Column::LineCodes as u8)?;
        let rest = Column::LineOperands as u8;
        match (opcode, opcode.checked_sub(1).map(usize::from)) {
            (EXTENDED, _) => {
                let len = tokens.leb(rest)?;
                tokens.bytes(rest, len)?;
            }
            (FIXED_ADVANCE, _) => tokens.bytes(rest, 2)?,
            (opcode, number) => {
                let count = number.and_then(|number| self.operands.get(number));
                let column = match opcode {
                    ADVANCE => Column::LineAdvances as u8,
                    LINE => Column::LineSteps as u8,
                    FILE => Column::LineFiles as u8,
                    _ => rest,
                };
                for _ in 0..count.copied().unwrap_or(0) {
                    tokens.leb(column)?;
                }
            }
        }
        let is_inside = tokens.at() <= self.unit_end;
        is_inside.then_some(()).ok_or(Stop::Unknown)
    }

    fn header(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        let column = Column::LineHeaders as u8;
        let start = tokens.at();
        let len = u32::from_le_bytes(tokens.fixed(column)?);
        self.unit_end = start + 4 + u64::from(len);
        let version = u16::from_le_bytes(tokens.fixed(column)?);
        match version {
            2..=4 => {}
            5 => tokens.bytes(column, 2)?,
            _ => return Err(Stop::Unknown),
        }
        let rest = u32::from_le_bytes(tokens.fixed(column)?);
        let program = tokens.at() + u64::from(rest);
        tokens.bytes(column, if version < 4 { 4 } else { 5 })?;
        let [first_special] = tokens.fixed(column)?;
        self.operands.clear();
        for _ in 1..first_special {
            let [count] = tokens.fixed(column)?;
            self.operands.push(count);
        }
        let left = program.checked_sub(tokens.at()).ok_or(Stop::Unknown)?;
        tokens.bytes(column, left)?;
        let is_inside = program <= self.unit_end;
        is_inside.then_some(()).ok_or(Stop::Unknown)
    }
}
