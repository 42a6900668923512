//! Deflate streams that no known encoder wrote.

use std::io::{Read, Seek};
use std::sync::Arc;

use super::analyser::{Analyser, STEADY, trailer};
use super::replay::{prove, skim};
use super::stop::{Reason, Stop};
use crate::corrections::make::{Made, make};
use crate::corrections::{Corrections, MEASURES, burden};
use crate::encoder::Encoder;
use crate::error::Result;
use crate::inflate::Inflater;
use crate::recipe::{Member, Method};
use crate::wrapper::Wrapper;

/// Plain bytes on which the measures are compared.
const TRIAL: u64 = 1 << 18;
/// Thousandths of a stream below which no other measure is tried.
const GOOD: u64 = 2;
/// Fits most streams somewhat: for those that do not continue as they begin.
const USUAL: u8 = 0;

impl<R: Read + Seek> Analyser<'_, R> {
    /// Keeps a short stream as it is, and corrections for a longer one.
    pub(super) fn unknown(
        &mut self,
        wrapper: Wrapper,
        header: Arc<[u8]>,
        at: u64,
        best: Option<(Encoder, u64)>,
    ) -> std::result::Result<(Member, u64), Stop> {
        let mut inflater = Inflater::new(self.input(at)?);
        let sums = skim(&mut inflater, wrapper)?;
        let len = inflater.bits.input.offset() - at;
        let (trailer, end) = trailer(&mut inflater.bits.input, wrapper, &sums)?;
        let method = if len <= self.options.literal_limit as u64 {
            let bytes = self.input(at)?.take(len as usize)?.to_vec();
            Method::Literal(bytes.into())
        } else {
            let corrections = self.corrections(at)?;
            let corrections = corrections.ok_or(Stop::Verbatim(Reason::UnknownEncoder(best)))?;
            self.corrected += 1;
            self.memory.measure = Some(corrections.measure);
            Method::Corrected(corrections)
        };
        let member = Member {
            wrapper,
            header,
            method,
            plain_len: sums.len,
            plain_sum: sums.sum(),
            trailer,
            events: Vec::new(),
            checkpoints: Vec::new(),
            start: None,
        };
        Ok((member, end))
    }

    /// The corrections of the stream at `at`, proven; `None` if they do not pay.
    fn corrections(&mut self, at: u64) -> Result<Option<Corrections>> {
        let share = self.options.corrections;
        if share == 0 {
            return Ok(None);
        }
        let Some((measure, trial)) = self.best_measure(at)? else {
            return Ok(None);
        };
        let (measure, made) = if trial.whole {
            let few = trial.bytes.len() as u64 * 1000 <= trial.read * u64::from(share);
            (measure, few.then_some(trial))
        } else {
            match make(self.input(at)?, measure, share, u64::MAX)? {
                None if measure != USUAL => {
                    let usual = make(self.input(at)?, USUAL, share, u64::MAX)?;
                    (USUAL, usual)
                }
                made => (measure, made),
            }
        };
        let Some(made) = made else { return Ok(None) };
        let corrections = Corrections {
            measure,
            bytes: made.bytes.into(),
        };
        let mut inflater = Inflater::new(self.input(at)?);
        let equal = prove(&mut inflater, corrections.start().as_mut())?;
        Ok(equal.then_some(corrections))
    }

    /// The measure that needs the fewest corrections at the stream's start.
    fn best_measure(&mut self, at: u64) -> Result<Option<(u8, Made)>> {
        let mut best: Option<(u8, Made, u64)> = None;
        let before = self.memory.measure;
        for measure in before.into_iter().chain(0..MEASURES) {
            let Some(made) = make(self.input(at)?, measure, 1000, TRIAL)? else {
                continue;
            };
            let size = made.bytes.len() as u64;
            let cost = size + made.read * burden(measure) / 100_000;
            if best.as_ref().is_none_or(|&(_, _, least)| cost < least) {
                let good = size * 1000 < made.read * GOOD;
                let good = good || self.corrected >= STEADY;
                best = Some((measure, made, cost));
                if good {
                    break;
                }
            }
        }
        Ok(best.map(|(measure, made, _)| (measure, made)))
    }
}
