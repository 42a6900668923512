//! Encoders that can start over, as pgzip lets them with every block.

use crate::coding::bits::BitWriter;
use crate::encode::Encode;

/// An encoder that can start over.
pub(super) trait Restart: Encode {
    /// Starts over with `dictionary` as history.
    fn restart(&mut self, dictionary: &[u8]);

    /// Where its output goes.
    fn bits(&self) -> &BitWriter;
}
