//! How a blob is sent: the steps of the ladder, and which one follows a refusal.

use crate::error::{ErrorCode, ErrorKind, SpecCode};
use crate::quirks::learned::Learned;

/// Up to this size a blob is sent in one PUT: the response to a PATCH costs more than sending it twice.
pub(super) const ONE_PUT: u64 = 256 << 10;
/// The first chunk size that is tried after the complete blob was too large.
const FIRST_CHUNK: u64 = 32 << 20;
/// No chunk is smaller. Registries take 4 MiB or more (GHCR exactly that, ECR from 5 MB on); what is below
/// gets through proxies that were left at a megabyte.
const MIN_CHUNK: u64 = 512 << 10;
/// How often one PATCH may break off before the blob is cut into chunks: some proxies end what takes too long.
const ONE_PATCH_ATTEMPTS: u32 = 2;

/// One step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Everything in the PUT that commits it.
    OnePut,
    /// In chunks of this size (`u64::MAX`: in one), each a PATCH, then an empty PUT.
    Patches(u64),
}

/// Everything in one PATCH.
pub(super) const ONE_PATCH: Strategy = Strategy::Patches(u64::MAX);

/// At which request an upload failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first that carries content.
    First,
    /// A later one.
    Later,
    /// The PUT that commits.
    Commit,
}

impl Strategy {
    /// The strategy that is tried first, by what was learned about the host.
    pub(super) fn first(size: u64, learned: &Learned) -> Self {
        let one_put = learned.one_put.unwrap_or(size <= ONE_PUT);
        match learned.chunk {
            _ if one_put => Self::OnePut,
            Some(chunk) => Self::Patches(chunk),
            None => ONE_PATCH,
        }
    }

    /// Another strategy if this one was refused; `None` if the refusal means the blob.
    pub(super) fn after(
        self,
        kind: &ErrorKind,
        stage: Stage,
        size: u64,
        refused: &[Self],
    ) -> Option<Self> {
        let (ErrorKind::Status(refusal) | ErrorKind::NotFound(refusal)) = kind else {
            return None;
        };
        match &refusal.code {
            // What was sent in chunks may have been put together wrongly.
            Some(ErrorCode::Spec(SpecCode::DigestInvalid)) => {
                return (self != ONE_PATCH && self != Self::OnePut)
                    .then(|| untried(&[Self::OnePut, ONE_PATCH], refused))
                    .flatten();
            }
            Some(ErrorCode::Spec(
                SpecCode::NameInvalid | SpecCode::NameUnknown | SpecCode::Denied,
            )) => return None,
            _ => {}
        }
        match (self, stage, refusal.status) {
            (Self::Patches(chunk), Stage::First, 413 | 416) => smaller(chunk, size)
                .map(Self::Patches)
                .or_else(|| untried(&[Self::OnePut], refused)),
            (Self::Patches(_), Stage::First, 400 | 404 | 405 | 411 | 415 | 501) => {
                untried(&[Self::OnePut], refused)
            }
            (Self::OnePut, _, 413) => smaller(u64::MAX, size).map_or_else(
                || untried(&[ONE_PATCH], refused),
                |chunk| Some(Self::Patches(chunk)),
            ),
            (Self::OnePut, _, 400 | 404 | 405 | 411 | 415 | 416 | 501) => {
                untried(&[ONE_PATCH], refused)
            }
            _ => None,
        }
    }

    /// The strategy after `breaks` connections that ended without progress.
    pub(super) fn after_breaks(self, breaks: u32, size: u64, refused: &[Self]) -> Self {
        if self == ONE_PATCH && breaks >= ONE_PATCH_ATTEMPTS && size > FIRST_CHUNK {
            return untried(&[Self::Patches(FIRST_CHUNK)], refused).unwrap_or(self);
        }
        self
    }

    /// Remembers that a host accepted this strategy after it had refused others.
    pub(super) fn remember(self, size: u64, learned: &mut Learned) {
        match self {
            Self::OnePut if size > ONE_PUT => learned.one_put = Some(true),
            Self::OnePut => {}
            Self::Patches(chunk) => {
                if size <= ONE_PUT {
                    learned.one_put = Some(false);
                }
                if chunk != u64::MAX {
                    learned.one_put = Some(false);
                    learned.chunk = Some(chunk.min(learned.chunk.unwrap_or(chunk)));
                }
            }
        }
    }
}

fn untried(strategies: &[Strategy], refused: &[Strategy]) -> Option<Strategy> {
    strategies
        .iter()
        .copied()
        .find(|strategy| !refused.contains(strategy))
}

/// A chunk that is smaller than one that was too large; `None` below the minimum.
fn smaller(chunk: u64, size: u64) -> Option<u64> {
    let half = (chunk.min(size) / 2).min(FIRST_CHUNK);
    let next = if half >= MIN_CHUNK {
        // Round down to a power of two, so that the ladder has few steps.
        1 << half.ilog2()
    } else {
        return None;
    };
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;

    fn status(status: u16, code: &str) -> ErrorKind {
        ErrorKind::Status(Refusal {
            status,
            code: ErrorCode::parse(code),
            ..Refusal::default()
        })
    }

    #[test]
    fn chunks_are_halved_down_to_what_a_small_proxy_takes() {
        let size = 1 << 30;
        let (mut strategy, mut refused, mut sizes) = (ONE_PATCH, Vec::new(), Vec::new());
        while let Some(next) = strategy.after(&status(413, ""), Stage::First, size, &refused) {
            refused.push(strategy);
            strategy = next;
            match strategy {
                Strategy::Patches(chunk) => sizes.push(chunk >> 10),
                Strategy::OnePut => break,
            }
        }
        assert_eq!(sizes, [32768, 16384, 8192, 4096, 2048, 1024, 512]);
        assert_eq!(strategy, Strategy::OnePut);
    }

    #[test]
    fn a_refused_patch_leads_to_one_put_and_back_only_once() {
        let put = ONE_PATCH.after(&status(405, ""), Stage::First, 1 << 20, &[]);
        assert_eq!(put, Some(Strategy::OnePut));
        let back = Strategy::OnePut.after(&status(405, ""), Stage::Commit, 1 << 20, &[ONE_PATCH]);
        assert_eq!(back, None);
    }

    #[test]
    fn a_refusal_of_the_blob_does_not_change_the_strategy() {
        for (number, code) in [
            (400, "DIGEST_INVALID"),
            (404, "NAME_UNKNOWN"),
            (400, "DENIED"),
        ] {
            let kind = status(number, code);
            assert_eq!(
                ONE_PATCH.after(&kind, Stage::First, 1 << 20, &[]),
                None,
                "{code}"
            );
            assert_eq!(
                Strategy::OnePut.after(&kind, Stage::Commit, 1 << 20, &[]),
                None
            );
        }
        let chunks = Strategy::Patches(1 << 20);
        let together = chunks.after(
            &status(400, "DIGEST_INVALID"),
            Stage::Commit,
            1 << 30,
            &[chunks],
        );
        assert_eq!(together, Some(Strategy::OnePut));
    }
}
