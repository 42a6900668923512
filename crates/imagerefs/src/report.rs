//! What a walk reports: references, names without a tag, and what was skipped.

use std::fmt::Write as _;
use std::ops::Range;

use sealift_oci::Reference;

use crate::check::check;
use crate::error::{FindError, Reason};
use crate::occurrence::{Kind, NotUnderstood, Occurrence, Piece, Site};
use crate::scalar::Scalar;
use crate::tree::Id;
use crate::walk::{Segment, Walk};

/// Longest key that a path repeats, in bytes; a label's name is no longer than this.
const MAX_KEY: usize = 128;

impl Walk<'_, '_> {
    /// A scalar that must be a reference.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn required(&mut self, id: Id, kind: Kind) -> Result<(), FindError> {
        let text = self.document.scalar(id).unwrap_or_default();
        match check(text) {
            Ok(reference) => {
                self.report(id, 0..text.len(), reference, kind);
                Ok(())
            }
            Err(reason) => Err(self.error(id, text, reason)),
        }
    }

    /// An error at a node.
    pub(crate) fn error(&self, id: Id, text: &str, reason: Reason) -> FindError {
        self.text.error(self.start(id), text, reason)
    }

    /// Where a node's value begins in the text's body.
    fn start(&self, id: Id) -> usize {
        Scalar::of(self.text, self.document, id).map_or_else(
            || self.document.node(id).span.start,
            |scalar| scalar.raw.start - self.text.base,
        )
    }

    /// Reports that a stretch of a scalar's value is a reference.
    pub(crate) fn report(
        &mut self,
        id: Id,
        within: Range<usize>,
        reference: Reference,
        kind: Kind,
    ) {
        let Some(scalar) = Scalar::of(self.text, self.document, id) else {
            return;
        };
        // Several references in one argument are told apart by where they begin.
        if within.start == 0 && !self.seen.insert(id) {
            return;
        }
        let text = scalar
            .value
            .get(within.clone())
            .unwrap_or_default()
            .to_owned();
        let occurrence = self.occurrence(&scalar, &within, reference, text, kind);
        let site = Site::Whole(scalar, within);
        self.found
            .occurrences
            .push(Occurrence { site, ..occurrence });
    }

    /// The same for a name whose tag is filled in by something else.
    pub(crate) fn report_incomplete(
        &mut self,
        id: Id,
        within: Range<usize>,
        reference: Reference,
        kind: Kind,
    ) {
        let before = self.found.occurrences.len();
        self.report(id, within, reference, kind);
        let reported = self.found.occurrences.split_off(before);
        self.found.incomplete.extend(reported);
    }

    /// Reports a reference that the scalar `id` stands for, and that cannot be edited there.
    pub(crate) fn report_fixed(&mut self, id: Id, reference: Reference, text: String, kind: Kind) {
        let Some(scalar) = Scalar::of(self.text, self.document, id) else {
            return;
        };
        if !self.seen.insert(id) {
            return;
        }
        let within = 0..scalar.value.len();
        let occurrence = self.occurrence(&scalar, &within, reference, text, kind);
        self.found.occurrences.push(occurrence);
    }

    /// Reports a reference that several scalars make; its position is that of the name.
    pub(crate) fn report_split(
        &mut self,
        pieces: &[(Piece, Id)],
        reference: Reference,
        text: String,
        complete: bool,
        kind: Kind,
    ) {
        let name = pieces.iter().find(|(piece, _)| piece.is_name());
        let Some(&(_, name)) = name else {
            return;
        };
        self.seen.insert(name);
        // A merged mapping may have the same name with another tag.
        let ids = pieces.iter().map(|(_, id)| *id).collect();
        if !self.joined.insert(ids) {
            return;
        }
        let scalars = pieces.iter().filter_map(|&(piece, id)| {
            Scalar::of(self.text, self.document, id).map(|scalar| (piece, scalar))
        });
        let scalars: Vec<_> = scalars.collect();
        let Some((_, scalar)) = scalars.iter().find(|(piece, _)| piece.is_name()) else {
            return;
        };
        let within = 0..scalar.value.len();
        let occurrence = self.occurrence(scalar, &within, reference, text, kind);
        let occurrence = Occurrence {
            site: Site::Split(scalars),
            ..occurrence
        };
        if complete {
            self.found.occurrences.push(occurrence);
        } else {
            self.found.incomplete.push(occurrence);
        }
    }

    fn occurrence(
        &self,
        scalar: &Scalar,
        within: &Range<usize>,
        reference: Reference,
        text: String,
        kind: Kind,
    ) -> Occurrence {
        let base = self.text.base;
        let here = Range {
            start: scalar.raw.start - base,
            end: scalar.raw.end - base,
        };
        let relative = Scalar {
            raw: here.clone(),
            ..scalar.clone()
        };
        let span = relative
            .locate(self.text.body.as_bytes(), within)
            .unwrap_or(here);
        let (line, column) = self.text.position(span.start);
        Occurrence {
            reference,
            text,
            span: span.start + base..span.end + base,
            line,
            column,
            document: self.document.number,
            object: self.object.clone(),
            path: self.path_text(),
            kind,
            site: Site::Fixed,
        }
    }

    /// Reports something that is skipped.
    pub(crate) fn leave(&mut self, id: Id, text: &str, reason: Reason) {
        let (line, column) = self.text.position(self.start(id));
        self.found.not_understood.push(NotUnderstood {
            line,
            column,
            document: self.document.number,
            object: self.object.clone(),
            path: self.path_text(),
            text: if self.confidential {
                String::new()
            } else {
                reason.excerpt(text)
            },
            reason,
        });
    }

    /// The path, without the rest of keys that are too long to be one.
    pub(crate) fn path_text(&self) -> String {
        let mut out = String::new();
        for segment in &self.path {
            let segment = match *segment {
                Segment::Key(key) => Segment::Key(key.get(..MAX_KEY).unwrap_or(key)),
                index @ Segment::Index(_) => index,
            };
            let simple = |key: &str| {
                let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                !key.is_empty() && key.bytes().all(word)
            };
            // Writing to a string cannot fail.
            let _ = match segment {
                Segment::Index(index) => write!(out, "[{index}]"),
                Segment::Key(key) if simple(key) => write!(out, ".{key}"),
                Segment::Key(key) => write!(out, "[{key:?}]"),
            };
        }
        out
    }
}
