//! What one analysis learns for the next.

use crate::encoder::Encoder;

/// Encoders that fitted before, the latest first: the next stream is likely to be by the same.
#[derive(Default)]
pub(crate) struct Memory {
    pub(super) recent: Vec<Encoder>,
    /// The measure of the last stream that took corrections.
    pub(super) measure: Option<u8>,
}

/// So many encoders are remembered.
const RECENT: usize = 4;

impl Memory {
    /// As if one had fitted before.
    #[cfg(test)]
    pub(crate) fn of(encoder: Encoder) -> Self {
        Self {
            recent: vec![encoder],
            ..Self::default()
        }
    }

    /// This one has fitted.
    pub(super) fn note(&mut self, encoder: Encoder) {
        self.recent.retain(|&e| e != encoder);
        self.recent.insert(0, encoder);
        self.recent.truncate(RECENT);
    }
}
