//! YAML inside a scalar: manifests in a `ConfigMap`, values in a chart's resource.

use crate::error::FindError;
use crate::find::kind;
use crate::occurrence::{Found, InputKind, NotUnderstood, Occurrence, Site};
use crate::scalar::{Locator, Scalar, Style};
use crate::text::Text;
use crate::tree::{Documents, Id};
use crate::walk::Walk;

impl Walk<'_, '_> {
    /// Reads a literal block as YAML. Returns whether it is some that has images; scripts, settings and
    /// prose are not.
    pub(crate) fn inner_yaml(&mut self, id: Id) -> bool {
        let Some(scalar) = Scalar::of(self.text, self.document, id) else {
            return false;
        };
        // One level: what is inside the inside is left.
        if self.inner || scalar.style != Style::Literal || !scalar.value.contains("mage") {
            return false;
        }
        let Ok(Some(found)) = read(self.text.name, &scalar.value) else {
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
            locator,
            path: self.path_text(),
        };
        self.adopt(&inner, found);
        true
    }

    /// Takes over what was found inside, with its place in the whole text.
    fn adopt(&mut self, inner: &Inner<'_>, found: Found) {
        for occurrence in found.occurrences {
            let occurrence = self.outer(inner, occurrence);
            self.found.occurrences.push(occurrence);
        }
        for occurrence in found.incomplete {
            let occurrence = self.outer(inner, occurrence);
            self.found.incomplete.push(occurrence);
        }
        let starts = line_starts(&inner.scalar.value);
        for left in found.not_understood {
            let start = starts.get(left.line - 1).copied().unwrap_or_default();
            let at = inner.locator.locate(&(start..start + 1));
            let begin = inner.scalar.raw.start - self.text.base;
            let (line, column) = self.text.position(at.map_or(begin, |at| at.start));
            let path = inner.path(left.object.as_deref(), &left.path);
            self.found.not_understood.push(NotUnderstood {
                line,
                column: column + left.column - 1,
                document: self.document.number,
                object: self.object.clone(),
                path,
                ..left
            });
        }
    }

    fn outer(&self, inner: &Inner<'_>, occurrence: Occurrence) -> Occurrence {
        let base = self.text.base;
        let place = inner.locator.locate(&occurrence.span);
        let begin = inner.scalar.raw.start - base;
        let span = place.clone().unwrap_or(begin..inner.scalar.raw.end - base);
        let (line, column) = self.text.position(span.start);
        let whole = matches!(occurrence.site, Site::Whole(..));
        let literal = inner.scalar.value.get(occurrence.span.clone()) == Some(&occurrence.text);
        let site = if place.is_some() && whole && literal {
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
    locator: Locator<'a>,
    path: String,
}

impl Inner<'_> {
    /// The path outside, then the resource and the path inside.
    fn path(&self, object: Option<&str>, path: &str) -> String {
        match object {
            Some(object) => format!("{} {object} {path}", self.path),
            None => format!("{} {path}", self.path),
        }
    }
}

/// What is found in a text, if it is YAML whose every document is a resource or a mapping.
fn read(name: &str, value: &str) -> Result<Option<Found>, FindError> {
    let text = Text::new(value.as_bytes(), name)?;
    let mut documents = Documents::new(&text);
    let mut found = Found::new(InputKind::Values);
    while let Some(document) = documents.next()? {
        match kind(&text, &document)? {
            Some(InputKind::Manifests | InputKind::Values)
                if document.is_mapping(document.root()) =>
            {
                let mut walk = Walk::new(&text, &document, &mut found);
                walk.inner = true;
                walk.run()?;
            }
            None => {}
            Some(_) => return Ok(None),
        }
    }
    let nothing = found.occurrences.is_empty() && found.incomplete.is_empty();
    Ok((!nothing).then_some(found))
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}
