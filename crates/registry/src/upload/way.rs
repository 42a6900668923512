use crate::client::Profile;
use crate::error::{ErrorCode, ErrorKind, SpecCode};

/// Up to this size a blob goes in one PUT: the answer to a PATCH costs more than sending it twice.
pub(super) const ONE_PUT: u64 = 256 << 10;
/// The first chunk size that is tried after a whole blob was too large.
const FIRST_CHUNK: u64 = 32 << 20;
/// No chunk is smaller. Registries take 4 MiB or more (GHCR exactly that, ECR from 5 MB on); what is below
/// gets through proxies that were left at a megabyte.
const MIN_CHUNK: u64 = 512 << 10;
/// So often a whole blob may break off before it is cut into chunks: some proxies end what lasts too long.
const WHOLE_ATTEMPTS: u32 = 2;

/// One rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All in the PUT that commits it.
    OnePut,
    /// In pieces of this size (`u64::MAX`: in one), each a PATCH, then an empty PUT.
    Patches(u64),
}

/// All in one PATCH.
pub(super) const WHOLE: Way = Way::Patches(u64::MAX);

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

impl Way {
    /// The way that is tried first, by what the host has taught.
    pub(super) fn first(size: u64, profile: &Profile) -> Self {
        let one_put = profile.one_put.unwrap_or(size <= ONE_PUT);
        match profile.chunk {
            _ if one_put => Self::OnePut,
            Some(chunk) => Self::Patches(chunk),
            None => WHOLE,
        }
    }

    /// Another way where this one was refused; nothing where the refusal means the blob.
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
            // What was sent in pieces may have been put together wrongly.
            Some(ErrorCode::Spec(SpecCode::DigestInvalid)) => {
                return (self != WHOLE && self != Self::OnePut)
                    .then(|| untried(&[Self::OnePut, WHOLE], refused))
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
                || untried(&[WHOLE], refused),
                |chunk| Some(Self::Patches(chunk)),
            ),
            (Self::OnePut, _, 400 | 404 | 405 | 411 | 415 | 416 | 501) => {
                untried(&[WHOLE], refused)
            }
            _ => None,
        }
    }

    /// The way after `breaks` connections that ended without getting anywhere.
    pub(super) fn after_breaks(self, breaks: u32, size: u64, refused: &[Self]) -> Self {
        if self == WHOLE && breaks >= WHOLE_ATTEMPTS && size > FIRST_CHUNK {
            return untried(&[Self::Patches(FIRST_CHUNK)], refused).unwrap_or(self);
        }
        self
    }

    /// What a host that took this way after it had refused others is remembered by.
    pub(super) fn teach(self, size: u64, profile: &mut Profile) {
        match self {
            Self::OnePut if size > ONE_PUT => profile.one_put = Some(true),
            Self::OnePut => {}
            Self::Patches(chunk) => {
                if size <= ONE_PUT {
                    profile.one_put = Some(false);
                }
                if chunk != u64::MAX {
                    profile.one_put = Some(false);
                    profile.chunk = Some(chunk.min(profile.chunk.unwrap_or(chunk)));
                }
            }
        }
    }
}

fn untried(ways: &[Way], refused: &[Way]) -> Option<Way> {
    ways.iter().copied().find(|way| !refused.contains(way))
}

/// A chunk that is smaller than one that was too large; nothing below the least.
fn smaller(chunk: u64, size: u64) -> Option<u64> {
    let half = (chunk.min(size) / 2).min(FIRST_CHUNK);
    let next = if half >= MIN_CHUNK {
        // Round down to a power of two, so that the ladder has few rungs.
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
        let (mut way, mut refused, mut sizes) = (WHOLE, Vec::new(), Vec::new());
        while let Some(next) = way.after(&status(413, ""), Stage::First, size, &refused) {
            refused.push(way);
            way = next;
            match way {
                Way::Patches(chunk) => sizes.push(chunk >> 10),
                Way::OnePut => break,
            }
        }
        assert_eq!(sizes, [32768, 16384, 8192, 4096, 2048, 1024, 512]);
        assert_eq!(way, Way::OnePut);
    }

    #[test]
    fn a_refused_patch_leads_to_one_put_and_back_only_once() {
        let put = WHOLE.after(&status(405, ""), Stage::First, 1 << 20, &[]);
        assert_eq!(put, Some(Way::OnePut));
        let back = Way::OnePut.after(&status(405, ""), Stage::Commit, 1 << 20, &[WHOLE]);
        assert_eq!(back, None);
    }

    #[test]
    fn what_is_said_of_the_blob_is_no_reason_to_try_otherwise() {
        for (number, code) in [
            (400, "DIGEST_INVALID"),
            (404, "NAME_UNKNOWN"),
            (400, "DENIED"),
        ] {
            let kind = status(number, code);
            assert_eq!(
                WHOLE.after(&kind, Stage::First, 1 << 20, &[]),
                None,
                "{code}"
            );
            assert_eq!(Way::OnePut.after(&kind, Stage::Commit, 1 << 20, &[]), None);
        }
        let pieces = Way::Patches(1 << 20);
        let together = pieces.after(
            &status(400, "DIGEST_INVALID"),
            Stage::Commit,
            1 << 30,
            &[pieces],
        );
        assert_eq!(together, Some(Way::OnePut));
    }
}
