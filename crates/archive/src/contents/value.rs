//! The contents of a bundle as one value: a record that keeps to the rules, with its identity.

use sealift_oci::Digest;

use crate::contents::record::{Identity, Record};
use crate::contents::rules::RuleError;

/// What a bundle carries. The record is in its canonical order and keeps to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    record: Record,
    identity: Identity,
}

impl Contents {
    /// The contents that `record` describes.
    ///
    /// # Errors
    /// If the record breaks a rule.
    pub fn new(record: Record) -> Result<Self, RuleError> {
        let record = record.canonical();
        record.check_rules()?;
        let identity = record.identity();
        Ok(Self { record, identity })
    }

    /// The contents of a record that was read from bytes with the digest `identity`.
    ///
    /// # Errors
    /// If the record breaks a rule.
    pub(crate) fn parsed(record: Record, identity: Identity) -> Result<Self, RuleError> {
        record.check_rules()?;
        Ok(Self { record, identity })
    }

    /// The same without the blobs that `is_left_out` selects. A part of contents that keep to the rules keeps to
    /// them too; manifests may need what is left out.
    pub fn without(&self, is_left_out: impl Fn(&Digest) -> bool) -> Self {
        let mut record = self.record.clone();
        record.blobs.retain(|blob| !is_left_out(&blob.digest));
        let identity = record.identity();
        Self { record, identity }
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The digest of the record.
    pub fn identity(&self) -> Identity {
        self.identity
    }
}
