//! Where a rebuild can start if it does not start at the beginning of the stream.

use crate::recipe::{Member, Method, Recipe};

/// The start of the stream, of a member or a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResumePoint {
    pub(crate) member: usize,
    /// The member's checkpoint, `None` for its start.
    pub(crate) checkpoint: Option<usize>,
    /// Bytes of the stream before it.
    pub(crate) offset: u64,
    /// Plain bytes before it, of all members together and of its own.
    pub(crate) plain: u64,
    pub(crate) inside: u64,
    /// Plain bytes before it that are read again.
    pub(crate) history: u64,
    /// CRC-32 of the stream from there on.
    pub(crate) rest_crc: u32,
}

impl ResumePoint {
    /// The start of the stream.
    pub(crate) fn start(recipe: &Recipe) -> Self {
        Self {
            rest_crc: recipe.stream_crc,
            ..Self::default()
        }
    }

    /// The last one at or before an offset in the stream.
    pub(crate) fn before(recipe: &Recipe, offset: u64) -> Self {
        let mut last = Self::start(recipe);
        let mut plain = 0u64;
        for (index, member) in recipe.members.iter().enumerate() {
            let start = match member.start {
                Some(start) => Some(Self {
                    member: index,
                    offset: start.offset,
                    plain,
                    rest_crc: start.rest_crc,
                    ..Self::default()
                }),
                None => (index == 0).then_some(last),
            };
            if let Some(start) = start.filter(|start| start.offset <= offset) {
                last = start.last_checkpoint(member, offset).unwrap_or(start);
            }
            plain = plain.saturating_add(member.plain_len);
        }
        last
    }

    /// The last checkpoint of a member that starts here, at or before an offset in the stream.
    fn last_checkpoint(self, member: &Member, offset: u64) -> Option<Self> {
        let Method::Replay(encoder) = member.method else {
            return None;
        };
        let deflate = self.offset.checked_add(member.header.len() as u64)?;
        let reached = offset.checked_sub(deflate)?;
        let count = member
            .checkpoints
            .partition_point(|c| c.bits / 8 <= reached);
        let index = count.checked_sub(1)?;
        let checkpoint = &member.checkpoints[index];
        Some(Self {
            checkpoint: Some(index),
            offset: deflate + checkpoint.bits / 8,
            plain: self.plain + checkpoint.plain,
            inside: checkpoint.plain,
            history: encoder.limits()?.history(checkpoint) as u64,
            rest_crc: checkpoint.rest_crc,
            ..self
        })
    }
}
