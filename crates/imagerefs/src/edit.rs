//! Changes of a text, and making them.

use std::ops::Range;

use sealift_oci::Digest;
use thiserror::Error;

use crate::encoding::{decode, encode};

/// One change of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes of the original text that are replaced; none where something is put in.
    pub span: Range<usize>,
    /// What they are.
    pub old: String,
    /// The new text.
    pub new: String,
    /// Line of the change, from 1.
    pub line: usize,
    /// Column of the change in characters, from 1.
    pub column: usize,
    /// Why: the resource, the path in it and what it becomes.
    pub why: String,
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The bytes are not those that were planned for.
    #[error("the text changed since the rewrite was planned; plan it again")]
    Changed,
    /// The result would differ from the original in more than what was planned.
    #[error(
        "the rewritten text would not read as intended near line {line}, so nothing is changed; edit that line by hand"
    )]
    Inconsistent {
        /// Line in the original, from 1.
        line: usize,
    },
}

/// The text with the edits made, which are in its order and do not touch each other, stored as it was.
/// `verify` compares the text before and after, as UTF-8; it is not asked if there are no edits.
///
/// # Errors
/// If the bytes are not those that the edits are for, whose digest is `source`, or `verify` refuses.
pub(crate) fn splice(
    bytes: &[u8],
    source: &Digest,
    edits: &[Edit],
    verify: impl FnOnce(&[u8], &[u8]) -> Result<(), RewriteError>,
) -> Result<Vec<u8>, RewriteError> {
    if Digest::sha256(bytes) != *source {
        return Err(RewriteError::Changed);
    }
    if edits.is_empty() {
        return Ok(bytes.to_vec());
    }
    let (text, encoding) = decode(bytes, "").map_err(|_| RewriteError::Changed)?;
    let grown: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut out = Vec::with_capacity(text.len() + grown);
    let mut at = 0;
    for edit in edits {
        let between = text.get(at..edit.span.start);
        out.extend_from_slice(between.ok_or(RewriteError::Changed)?);
        out.extend_from_slice(edit.new.as_bytes());
        at = edit.span.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    verify(&text, &out)?;
    Ok(encode(out, encoding))
}
