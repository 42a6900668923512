//! The recipe: what is needed besides the plain content to write a stream again.
//! [`crate::format`] describes its bytes.

mod events;
mod member;

use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::varint::{self, Fields};
pub(crate) use events::{Event, EventCursor, EventKind, push_event};
pub(crate) use member::{Member, Method, Start, get_members, put_members};

const MAGIC: [u8; 2] = *b"RZ";
const VERSION: u8 = 1;

/// How to write a stream again, given its plain content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub(crate) stream_len: u64,
    pub(crate) stream_crc: u32,
    pub(crate) members: Vec<Member>,
    pub(crate) tail: Tail,
}

/// Bytes after the last member.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Tail {
    #[default]
    None,
    Zeros(u64),
    Bytes(Vec<u8>),
}

impl Recipe {
    /// The length of the stream that this recipe makes.
    pub fn stream_len(&self) -> u64 {
        self.stream_len
    }

    /// The length of the plain content that it needs.
    pub fn plain_len(&self) -> u64 {
        self.members
            .iter()
            .fold(0, |sum, m| sum.saturating_add(m.plain_len))
    }

    /// How many members the stream has.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How many checkpoints it has: positions inside members at which a rebuild can start.
    pub fn checkpoints(&self) -> usize {
        self.members.iter().map(|m| m.checkpoints.len()).sum()
    }

    /// Offsets in the stream at which a rebuild can start, in order, 0 first.
    pub fn starts(&self) -> Vec<u64> {
        let mut offsets = vec![0];
        for (index, member) in self.members.iter().enumerate() {
            let start = member.start.map(|start| start.offset);
            offsets.extend(start);
            let Some(start) = start.or((index == 0).then_some(0)) else {
                continue;
            };
            let deflate = start.saturating_add(member.header.len() as u64);
            let checkpoints = member.checkpoints.iter().map(|c| c.bits / 8);
            offsets.extend(checkpoints.map(|at| deflate.saturating_add(at)));
        }
        offsets
    }

    /// The same recipe without checkpoints and starts of members: smaller, but a rebuild starts at the beginning
    /// and uses one thread for a member.
    pub fn without_checkpoints(&self) -> Self {
        let mut recipe = self.clone();
        for member in &mut recipe.members {
            member.checkpoints.clear();
            member.start = None;
        }
        recipe
    }

    /// The encoder of each member; `None` if the recipe carries the member's bytes, or corrections.
    pub fn encoders(&self) -> impl Iterator<Item = Option<Encoder>> + '_ {
        self.members.iter().map(|m| match m.method {
            Method::Replay(encoder) => Some(encoder),
            Method::Literal(_) | Method::Corrected(_) => None,
        })
    }

    /// Bytes of corrections: 0 if known encoders wrote all members that are not carried as they are.
    pub fn corrections(&self) -> usize {
        let of_member = |member: &Member| match &member.method {
            Method::Corrected(corrections) => corrections.bytes.len(),
            Method::Replay(_) | Method::Literal(_) => 0,
        };
        self.members.iter().map(of_member).sum()
    }

    /// The recipe as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        varint::put(&mut out, self.stream_len);
        out.extend_from_slice(&self.stream_crc.to_le_bytes());
        put_members(&mut out, &self.members, None);
        match &self.tail {
            Tail::None => out.push(0),
            Tail::Zeros(n) => {
                out.push(1);
                varint::put(&mut out, *n);
            }
            Tail::Bytes(bytes) => {
                out.push(2);
                varint::put_bytes(&mut out, bytes);
            }
        }
        out
    }

    /// Reads a recipe.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecipe`] for anything that [`Recipe::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        if [fields.byte()?, fields.byte()?] != MAGIC {
            return Err(Error::BadRecipe("not a recipe"));
        }
        if fields.byte()? != VERSION {
            return Err(Error::BadRecipe("unknown version"));
        }
        let stream_len = fields.number()?;
        let stream_crc = fields.u32()?;
        let members = get_members(&mut fields, None)?;
        let tail = match fields.byte()? {
            0 => Tail::None,
            1 => Tail::Zeros(fields.number()?),
            2 => Tail::Bytes(fields.bytes()?.to_vec()),
            _ => return Err(Error::BadRecipe("unknown tail")),
        };
        if fields.remaining() != 0 {
            return Err(Error::BadRecipe("bytes after its end"));
        }
        Ok(Self {
            stream_len,
            stream_crc,
            members,
            tail,
        })
    }
}
