//! Sets texts in the `spec` of a custom resource, and changes nothing else.

mod verify;

use std::ops::Range;

use sealift_oci::{Digest, is_subdomain};

use crate::edit::{Edit, RewriteError, splice};
use crate::encoding::decode;
use crate::error::{FindError, Reason};
use crate::occurrence::NotUnderstood;
use crate::scalar::{Scalar, trimmed};
use crate::secret::{PullSecretError, before_first, insertion, key, over_null, own};
use crate::text::Text;
use crate::tree::{Document, Documents, Id};

/// The mapping that the fields are in.
const SPEC: &str = "spec";
/// What a `List` holds.
const ITEMS: &str = "items";
/// The list of pull secrets beside them.
const SECRETS: &str = "imagePullSecrets";

/// What the `spec` of each resource of a kind is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecFields<'a> {
    /// The group of its `apiVersion`, such as `operator.tigera.io`.
    pub group: &'a str,
    /// Its kind, such as `Installation`.
    pub kind: &'a str,
    /// Key and text; an empty text clears a field that is there and adds none.
    pub fields: &'a [(&'a str, &'a str)],
    /// A pull secret to name in `imagePullSecrets`.
    pub pull_secret: Option<&'a str>,
}

/// What setting fields in one text would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecEdits {
    /// The changes, in the order of the text.
    pub edits: Vec<Edit>,
    /// How many resources of the kind say all of it, or will.
    pub resources: usize,
    /// Resources of the kind that cannot be edited.
    pub not_understood: Vec<NotUnderstood>,
    /// The digest of the text that the plan is for.
    source: Digest,
}

/// Plans to set `wanted` in every resource of its kind.
///
/// # Errors
/// If the pull secret's name is none, or the text is no YAML.
pub fn plan_spec_fields(
    name: &str,
    bytes: &[u8],
    wanted: &SpecFields<'_>,
) -> Result<SpecEdits, PullSecretError> {
    if let Some(secret) = wanted.pull_secret.filter(|secret| !is_subdomain(secret)) {
        return Err(PullSecretError::Name {
            text: secret.chars().take(253).collect(),
        });
    }
    let (decoded, _) = decode(bytes, name)?;
    let text = Text::new(&decoded, name)?;
    let mut plan = SpecEdits {
        edits: Vec::new(),
        resources: 0,
        not_understood: Vec::new(),
        source: Digest::sha256(bytes),
    };
    let mut documents = Documents::new(&text);
    while let Some(document) = documents.next()? {
        for resource in resources(&document) {
            if is_wanted(&document, resource, wanted) {
                plan.consider(&text, &document, resource, wanted);
            }
        }
    }
    plan.edits.sort_by_key(|edit| edit.span.start);
    Ok(plan)
}

impl SpecEdits {
    fn consider(
        &mut self,
        text: &Text<'_>,
        document: &Document<'_>,
        resource: Id,
        wanted: &SpecFields<'_>,
    ) {
        match changes(text, document, resource, wanted) {
            Ok(changes) => {
                self.resources += 1;
                self.edits.extend(changes.into_iter().map(|(span, new)| {
                    let (line, column) = text.position(span.start);
                    Edit {
                        old: text.body[span.clone()].to_owned(),
                        span: span.start + text.base..span.end + text.base,
                        new,
                        line,
                        column,
                        why: format!("{} gets its fields", wanted.kind),
                    }
                }));
            }
            Err(reason) => {
                let start = document.node(resource).span.start;
                let (line, column) = text.position(start);
                self.not_understood.push(NotUnderstood {
                    line,
                    column,
                    document: document.number,
                    object: Some(wanted.kind.to_owned()),
                    path: format!(".{SPEC}"),
                    text: String::new(),
                    reason,
                });
            }
        }
    }

    /// The text with the fields in it. The same bytes come back where there is nothing to do.
    ///
    /// # Errors
    /// If `bytes` are not those that were planned for, or where the result would not read as intended.
    pub fn apply(&self, bytes: &[u8], wanted: &SpecFields<'_>) -> Result<Vec<u8>, RewriteError> {
        splice(bytes, &self.source, &self.edits, |before, after| {
            verify::reads_as_intended(before, after, wanted)
        })
    }
}

/// The resources of a document: the items of a `List`, or what the document itself is.
fn resources(document: &Document<'_>) -> Vec<Id> {
    let root = document.root();
    let list = document.get_text(root, "apiVersion") == Some("v1")
        && document.get_text(root, "kind") == Some("List");
    match document.get(root, ITEMS).filter(|_| list) {
        Some(items) => document.sequence(items).to_vec(),
        None => vec![root],
    }
}

fn is_wanted(document: &Document<'_>, resource: Id, wanted: &SpecFields<'_>) -> bool {
    let group = document.get_text(resource, "apiVersion");
    let group = group.and_then(|version| version.split_once('/'));
    group.is_some_and(|(group, _)| group == wanted.group)
        && document.get_text(resource, "kind") == Some(wanted.kind)
}

/// A span of the text's body and its new text.
type Change = (Range<usize>, String);

/// # Errors
/// If the way that the resource is written leaves no room.
fn changes(
    text: &Text<'_>,
    document: &Document<'_>,
    resource: Id,
    wanted: &SpecFields<'_>,
) -> Result<Vec<Change>, Reason> {
    let pair = own(document, resource, SPEC).ok_or(Reason::NoField(SPEC))?;
    let (_, spec) = pair;
    if document.is_alias(spec) || document.uses(spec) > 0 {
        return Err(Reason::SharedValue);
    }
    let null = document.scalar(spec).is_some() && document.text(spec).is_none();
    if !document.is_mapping(spec) && !null {
        return Err(Reason::Unwritable);
    }
    let mut changes = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    let mut add = |name, value| missing.push(format!("{}: {value}", key(document, name)));
    for &(name, value) in wanted.fields {
        match own(document, spec, name) {
            Some(pair) => changes.extend(replaced(text, document, pair, value)?),
            None if value.is_empty() => {}
            None => add(name, quoted(value)?),
        }
    }
    if let Some(secret) = wanted.pull_secret {
        if own(document, spec, SECRETS).is_some() {
            changes.extend(insertion(text, document, spec, secret)?);
        } else {
            let name = key(document, "name");
            add(SECRETS, format!("[{{{name}: {}}}]", quoted(secret)?));
        }
    }
    if !missing.is_empty() {
        changes.push(if null {
            over_null(text, document, pair, &format!("{{{}}}", missing.join(", ")))?
        } else {
            added(text, document, pair, &missing)?
        });
    }
    Ok(changes)
}

/// A text in quotes, which no reader takes for anything else.
fn quoted(value: &str) -> Result<String, Reason> {
    if value
        .chars()
        .any(|c| c.is_control() || matches!(c, '"' | '\\'))
    {
        return Err(Reason::Unwritable);
    }
    Ok(format!("\"{value}\""))
}

fn replaced(
    text: &Text<'_>,
    document: &Document<'_>,
    (key, old): (Id, Id),
    value: &str,
) -> Result<Option<Change>, Reason> {
    if document.text(old).unwrap_or_default() == value && document.scalar(old).is_some() {
        return Ok(None);
    }
    let scalar = Scalar::of(text, document, old).ok_or(Reason::Unwritable)?;
    if scalar.uses > 1 || document.is_alias(old) {
        return Err(Reason::SharedValue);
    }
    if scalar.style.is_block() {
        return Err(Reason::Unwritable);
    }
    if document.text(old).is_none() {
        return over_null(text, document, (key, old), &quoted(value)?).map(Some);
    }
    let raw = scalar.raw.start - text.base..scalar.raw.end - text.base;
    Ok(Some((raw, quoted(value)?)))
}

/// New keys before all others of `spec`.
fn added(
    text: &Text<'_>,
    document: &Document<'_>,
    (key, spec): (Id, Id),
    missing: &[String],
) -> Result<Change, Reason> {
    let pairs = document.mapping(spec);
    let body = text.body;
    let span = trimmed(body, document.node(spec).span.clone());
    if body[span.start..].starts_with('{') {
        let first = pairs.first().map(|(key, _)| document.node(*key).span.start);
        let at = span.start + 1;
        return Ok((at..at, before_first(body, span.start, first, missing)));
    }
    // The lines go right below `spec:`, so that a comment above the first key stays with that key.
    let &(first, _) = pairs.first().ok_or(Reason::Unwritable)?;
    let first = document.node(first).span.start;
    let start = body[..first].rfind('\n').map_or(0, |end| end + 1);
    let indent = &body[start..first];
    let end = document.node(key).span.end;
    let line = body[end..].find('\n').map(|at| end + at + 1);
    let at = line.filter(|at| *at <= start).ok_or(Reason::Unwritable)?;
    if indent.is_empty() || !indent.bytes().all(|b| b == b' ') {
        return Err(Reason::Unwritable);
    }
    let ending = if body[..at].ends_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let lines = missing.iter().map(|pair| format!("{indent}{pair}{ending}"));
    Ok((at..at, lines.collect()))
}

impl From<FindError> for RewriteError {
    fn from(error: FindError) -> Self {
        Self::Inconsistent { line: error.line }
    }
}
