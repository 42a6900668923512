//! YAML inside a scalar: manifests in a `ConfigMap`, values in a chart's resource.

use std::ops::Range;

use crate::check::fully_qualified;
use crate::error::FindError;
use crate::form;
use crate::occurrence::{Findings, InputKind, Kind, NotUnderstood, Occurrence, Site};
use crate::scalar::{Locator, Scalar, Style};
use crate::text::{Text, trim};
use crate::tree::{Documents, Id};
use crate::walk::Walk;

/// How deep texts inside of texts are read: a Secret that holds a `ConfigMap` that holds a manifest.
const MAX_INNER: usize = 3;

impl Walk<'_, '_> {
    /// Reads a scalar as YAML. Returns whether it is some that has images; scripts, settings and prose are
    /// not.
    pub(crate) fn inner_yaml(&mut self, id: Id) -> bool {
        let Some(scalar) = Scalar::of(self.text, self.document, id) else {
            return false;
        };
        let Some(found) = self.read_inner(&scalar.value) else {
            return false;
        };
        // `scalar` counts in the whole text, marks of byte order included.
        let base = self.text.base;
        let body = Scalar {
            raw: scalar.raw.start - base..scalar.raw.end - base,
            ..scalar.clone()
        };
        let Some(locator) = body.locator(self.text.body.as_bytes()) else {
            return false;
        };
        let inner = Inner {
            scalar: &scalar,
            value: &scalar.value,
            locator: Some(locator),
            path: self.path_text(),
        };
        self.adopt(&inner, found);
        true
    }

    /// Reads a text that the scalar `id` holds in an encoded form: a reference, or YAML.
    pub(crate) fn decoded(&mut self, id: Id, text: &str, kind: Kind) {
        if let Some(reference) = fully_qualified(trim(text)) {
            self.report_fixed(id, reference, trim(text).to_owned(), kind);
            return;
        }
        let Some(scalar) = Scalar::of(self.text, self.document, id) else {
            return;
        };
        if let Some(found) = self.read_inner(text) {
            let inner = Inner {
                scalar: &scalar,
                value: text,
                locator: None,
                path: self.path_text(),
            };
            self.adopt(&inner, found);
        }
    }

    fn read_inner(&self, value: &str) -> Option<Findings> {
        // Every form has the word in it, or the key of a patch.
        let may_have = value.contains("mage") || value.contains("path");
        if self.depth >= MAX_INNER || !may_have {
            return None;
        }
        read(self, value).ok().flatten()
    }

    /// Takes over what was found inside, with its position in the whole text.
    fn adopt(&mut self, inner: &Inner<'_>, found: Findings) {
        for occurrence in found.occurrences {
            let occurrence = self.outer(inner, occurrence);
            self.found.occurrences.push(occurrence);
        }
        for occurrence in found.incomplete {
            let occurrence = self.outer(inner, occurrence);
            self.found.incomplete.push(occurrence);
        }
        let starts = line_starts(inner.value);
        for left in found.not_understood {
            let start = starts.get(left.line - 1).copied().unwrap_or_default();
            let at = inner.locate(&(start..start + 1));
            let begin = inner.scalar.raw.start - self.text.base;
            let located = at.is_some();
            let (line, column) = self.text.position(at.map_or(begin, |at| at.start));
            let path = inner.path(left.object.as_deref(), &left.path);
            self.found.not_understood.push(NotUnderstood {
                line,
                column: if located {
                    column + left.column - 1
                } else {
                    column
                },
                document: self.document.number,
                object: self.object.clone(),
                path,
                ..left
            });
        }
    }

    fn outer(&self, inner: &Inner<'_>, occurrence: Occurrence) -> Occurrence {
        let base = self.text.base;
        let located = inner.locate(&occurrence.span);
        let begin = inner.scalar.raw.start - base;
        let span = located
            .clone()
            .unwrap_or(begin..inner.scalar.raw.end - base);
        let (line, column) = self.text.position(span.start);
        let whole = matches!(occurrence.site, Site::Whole(..));
        let literal = inner.value.get(occurrence.span.clone()) == Some(&occurrence.text);
        // A text in quotes can be written anew, a block only where it says what it means letter for letter.
        let quoted = matches!(inner.scalar.style, Style::Single | Style::Double);
        let writable = located.is_some() || (quoted && inner.locator.is_some());
        let site = if writable && whole && literal {
            Site::Whole(inner.scalar.clone(), occurrence.span.clone())
        } else {
            Site::Fixed
        };
        Occurrence {
            span: span.start + base..span.end + base,
            line,
            column,
            document: self.document.number,
            path: inner.path(occurrence.object.as_deref(), &occurrence.path),
            object: self.object.clone(),
            site,
            ..occurrence
        }
    }
}

/// The scalar around a text.
struct Inner<'a> {
    scalar: &'a Scalar,
    /// The text inside.
    value: &'a str,
    /// Finds stretches of the text inside in the text around it; `None` if they are encoded there.
    locator: Option<Locator<'a>>,
    path: String,
}

impl Inner<'_> {
    fn locate(&self, within: &Range<usize>) -> Option<Range<usize>> {
        self.locator.as_ref()?.locate(within)
    }

    /// The path outside, then the resource and the path inside.
    fn path(&self, object: Option<&str>, path: &str) -> String {
        match object {
            Some(object) => format!("{} {object} {path}", self.path),
            None => format!("{} {path}", self.path),
        }
    }
}

/// What is found in a text, if it is YAML whose every document is a mapping or a patch.
fn read(outer: &Walk<'_, '_>, value: &str) -> Result<Option<Findings>, FindError> {
    let text = Text::new(value.as_bytes(), outer.text.name)?;
    let mut documents = Documents::new(&text);
    let mut found = Findings::new(InputKind::Values);
    let mut known = false;
    while let Some(document) = documents.next()? {
        let root = document.root();
        let Some(form) = form::recognise(&text, &document)? else {
            continue;
        };
        let items = document.sequence(root);
        let mappings = items.iter().all(|item| document.is_mapping(*item));
        if !document.is_mapping(root) && !mappings {
            return Ok(None);
        }
        known |= form != InputKind::Values;
        let mut walk = Walk::new(&text, &document, &mut found);
        walk.depth = outer.depth + 1;
        walk.confidential = outer.confidential;
        walk.kustomize = outer.kustomize;
        form::read(&mut walk, form)?;
    }
    let named = !found.occurrences.is_empty() || !found.incomplete.is_empty();
    Ok((named || (known && !found.is_empty())).then_some(found))
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}
