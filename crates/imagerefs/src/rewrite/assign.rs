//! The text that each scalar must have for an occurrence to become another reference.

use std::ops::Range;

use sealift_oci::{Algorithm, Digest, Reference};

use crate::check::selector;
use crate::error::Reason;
use crate::occurrence::{Occurrence, Piece, Site};
use crate::scalar::Scalar;
use crate::text::trim;

/// A stretch of a scalar's value and its new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) scalar: Scalar,
    pub(crate) within: Range<usize>,
    pub(crate) new: String,
}

impl Change {
    /// All of a scalar but blanks around it, which the lines of a block end in.
    fn whole(scalar: &Scalar, new: String) -> Self {
        let text = trim(&scalar.value);
        let start = scalar.value.find(text).unwrap_or_default();
        let within = start..start + text.len();
        Self {
            scalar: scalar.clone(),
            within,
            new,
        }
    }

    /// Whether it changes nothing.
    pub(crate) fn is_none(&self) -> bool {
        self.scalar.value.get(self.within.clone()) == Some(self.new.as_str())
    }
}

/// What must stay, so that an occurrence keeps its reference.
pub(crate) fn kept(occurrence: &Occurrence) -> Vec<Change> {
    let keep = |scalar: &Scalar, within: Range<usize>| Change {
        scalar: scalar.clone(),
        new: scalar
            .value
            .get(within.clone())
            .unwrap_or_default()
            .to_owned(),
        within,
    };
    match &occurrence.site {
        Site::Whole(scalar, within) => vec![keep(scalar, within.clone())],
        Site::Split(pieces) => pieces
            .iter()
            .map(|(_, scalar)| Change::whole(scalar, trim(&scalar.value).to_owned()))
            .collect(),
        Site::Fixed => Vec::new(),
    }
}

/// What must change for an occurrence to become `new`; stretches that stay are included.
///
/// # Errors
/// If the occurrence has no field for a part of `new`.
pub(crate) fn changes(
    occurrence: &Occurrence,
    new: &Reference,
    complete: bool,
) -> Result<Vec<Change>, Reason> {
    match &occurrence.site {
        Site::Whole(scalar, within) => {
            let text = if complete {
                new.to_string()
            } else {
                new.name()
            };
            let whole = Change {
                scalar: scalar.clone(),
                within: within.clone(),
                new: text,
            };
            Ok(vec![if occurrence.reference == *new && complete {
                // Another spelling of the same is no reason to touch it.
                kept(occurrence).pop().unwrap_or(whole)
            } else {
                whole
            }])
        }
        Site::Fixed => Err(Reason::Unwritable),
        Site::Split(pieces) => {
            let mut fields = Fields {
                pieces,
                changes: Vec::new(),
            };
            fields.name(&occurrence.reference, new)?;
            if complete {
                fields.selector(&occurrence.reference, new)?;
            }
            fields.rest();
            Ok(fields.changes)
        }
    }
}

/// The fields of one image, and what each has to say.
struct Fields<'a> {
    pieces: &'a [(Piece, Scalar)],
    changes: Vec<Change>,
}

impl<'a> Fields<'a> {
    fn get(&self, wanted: Piece) -> Option<&'a Scalar> {
        let mut found = self.pieces.iter().filter(|(piece, _)| *piece == wanted);
        found.next().map(|(_, scalar)| scalar)
    }

    fn set(&mut self, piece: Piece, new: &str) {
        let Some(scalar) = self.get(piece) else {
            return;
        };
        // Templates that put registry and name together without a slash have it here.
        let slash = matches!(piece, Piece::Registry | Piece::Hub | Piece::Namespace)
            && trim(&scalar.value).ends_with('/');
        let new = format!("{new}{}", if slash { "/" } else { "" });
        self.changes.push(Change::whole(scalar, new));
    }

    /// Registry and repository, over the fields that there are.
    fn name(&mut self, old: &Reference, new: &Reference) -> Result<(), Reason> {
        if self.get(Piece::FixedName).is_some() {
            let same = old.name() == new.name();
            return if same {
                Ok(())
            } else {
                Err(Reason::NoField("newName"))
            };
        }
        let (path, last) = match new.repository().rsplit_once('/') {
            Some((path, last)) => (Some(path), last),
            None => (None, new.repository()),
        };
        let selector = self.selector_in_name(new);
        if self.get(Piece::Hub).is_some() {
            let path = path.map(|path| format!("/{path}")).unwrap_or_default();
            self.set(Piece::Hub, &format!("{}{path}", new.registry()));
            self.set(Piece::Name, &format!("{last}{selector}"));
        } else if self.get(Piece::Namespace).is_some() && self.get(Piece::Registry).is_some() {
            self.set(Piece::Registry, new.registry());
            self.set(Piece::Namespace, path.ok_or(Reason::EmptyPath)?);
            self.set(Piece::Name, &format!("{last}{selector}"));
        } else if self.get(Piece::Registry).is_some() {
            self.set(Piece::Registry, new.registry());
            self.set(Piece::Name, &format!("{}{selector}", new.repository()));
        } else {
            self.set(Piece::Name, &format!("{}{selector}", new.name()));
        }
        Ok(())
    }

    /// Tag and digest that the name has to end in, because it does so now.
    fn selector_in_name(&self, new: &Reference) -> String {
        let Some((tag, digest)) = self.name_selector() else {
            return String::new();
        };
        let tag = new.tag().or(tag).filter(|_| tag.is_some());
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let own = self.get(Piece::Digest).is_some() || self.get(Piece::Sha).is_some();
        let digest = match new.digest() {
            Some(digest) => Some(digest.to_string()),
            None => digest.map(str::to_owned),
        };
        let digest = digest.filter(|_| !own).map(|digest| format!("@{digest}"));
        format!("{tag}{}", digest.unwrap_or_default())
    }

    /// Tag and digest that the name ends in.
    fn name_selector(&self) -> Option<(Option<&'a str>, Option<&'a str>)> {
        selector(trim(&self.get(Piece::Name)?.value))
    }

    /// Tag and digest, over the fields that there are.
    fn selector(&mut self, old: &Reference, new: &Reference) -> Result<(), Reason> {
        if old.tag() == new.tag() && old.digest() == new.digest() {
            return Ok(());
        }
        let digest = new.digest().map(ToString::to_string);
        let mut in_tag = String::new();
        if self.get(Piece::Digest).is_some() {
            self.set(Piece::Digest, digest.as_deref().unwrap_or_default());
        } else if self.get(Piece::Sha).is_some() {
            let hex = match new.digest() {
                Some(digest) if digest.algorithm() != Algorithm::Sha256 => {
                    return Err(Reason::NoField("digest"));
                }
                digest => digest.map(Digest::hex).unwrap_or_default(),
            };
            self.set(Piece::Sha, &hex);
        } else if let Some(digest) = &digest
            && self.name_selector().is_none()
        {
            // A chart prints NAME:TAG, so that a digest can follow the tag.
            in_tag = format!("@{digest}");
        }
        if digest.is_some() && self.get(Piece::UseDigest).is_some() {
            self.set(Piece::UseDigest, "true");
        }
        if self.name_selector().is_some() {
            return Ok(());
        }
        self.tag(old, new, &in_tag)
    }

    fn tag(&mut self, old: &Reference, new: &Reference, digest: &str) -> Result<(), Reason> {
        let wanted = new.tag().or_else(|| old.tag());
        let Some(field) = self.get(Piece::Tag) else {
            return if !digest.is_empty() {
                Err(Reason::NoField("digest"))
            } else if new.tag() == old.tag() || new.tag().is_none() {
                Ok(())
            } else {
                Err(Reason::NoField("tag"))
            };
        };
        let Some(wanted) = wanted else {
            return Err(Reason::NoField("tag"));
        };
        if let Some(variant) = self.get(Piece::Variant) {
            let end = format!("-{}", trim(&variant.value));
            if let Some(tag) = wanted.strip_suffix(&end).filter(|_| digest.is_empty()) {
                self.set(Piece::Tag, tag);
                return Ok(());
            }
            self.set(Piece::Variant, "");
        }
        let text = format!("{wanted}{digest}");
        if *trim(&field.value) != *text {
            self.set(Piece::Tag, &text);
        }
        Ok(())
    }

    /// Fields that need no change must not be changed for another image's sake either.
    fn rest(&mut self) {
        for (_, scalar) in self.pieces {
            if !self
                .changes
                .iter()
                .any(|change| change.scalar.raw == scalar.raw)
            {
                self.changes
                    .push(Change::whole(scalar, trim(&scalar.value).to_owned()));
            }
        }
    }
}
