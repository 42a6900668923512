//! Puts a pull secret into workloads and service accounts, and changes nothing else.

mod insert;
mod verify;

pub(crate) use insert::{before_first, insertion, key, over_null};
use sealift_oci::{Digest, is_subdomain};
use thiserror::Error;

use crate::edit::{Edit, RewriteError, splice};
use crate::encoding::decode;
use crate::error::{FindError, Reason};
use crate::occurrence::NotUnderstood;
use crate::text::Text;
use crate::tree::{Document, Documents, Id};

/// The key that holds the secrets, in pods and in service accounts.
const KEY: &str = "imagePullSecrets";

/// A resource that a pull secret may be put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// The namespace, where the text gives one.
    pub namespace: Option<String>,
    /// The name, where the text gives one.
    pub name: Option<String>,
}

impl Resource {
    fn label(&self) -> String {
        let parts = [
            Some(&self.kind),
            self.namespace.as_ref(),
            self.name.as_ref(),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join("/")
    }
}

/// Why no pull secret can be planned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PullSecretError {
    /// Kubernetes has no secret of such a name.
    #[error(
        "{text:?} is not a secret's name (expected lower-case letters, digits, - and ., at most 253, such as corp-pull)"
    )]
    Name {
        /// The name.
        text: String,
    },
    /// The text cannot be read.
    #[error(transparent)]
    Text(#[from] FindError),
}

/// What putting a pull secret into one text would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// The changes, in the order of the text.
    pub edits: Vec<Edit>,
    /// Resources that name the secret already.
    pub settled: Vec<Resource>,
    /// Resources that were wanted and cannot be edited.
    pub not_understood: Vec<NotUnderstood>,
    secret: String,
    /// The digest of the text that the plan is for.
    source: Digest,
}

/// Plans to name `secret` in the resources that `wanted` chooses: in every pod template of a workload, and
/// in a service account itself. What names it already is left as it is.
///
/// # Errors
/// If the name is none, or the text is no YAML.
pub fn plan_pull_secret(
    name: &str,
    bytes: &[u8],
    secret: &str,
    wanted: &dyn Fn(&Resource) -> bool,
) -> Result<PullSecret, PullSecretError> {
    if !is_subdomain(secret) {
        return Err(PullSecretError::Name {
            text: secret.chars().take(253).collect(),
        });
    }
    let (decoded, _) = decode(bytes, name)?;
    let text = Text::new(&decoded, name)?;
    let mut plan = PullSecret {
        edits: Vec::new(),
        settled: Vec::new(),
        not_understood: Vec::new(),
        secret: secret.to_owned(),
        source: Digest::sha256(bytes),
    };
    let mut documents = Documents::new(&text);
    while let Some(document) = documents.next()? {
        for (resource, target) in targets(&document, wanted) {
            plan.consider(&text, &document, resource, target);
        }
    }
    plan.edits.sort_by_key(|edit| edit.span.start);
    Ok(plan)
}

impl PullSecret {
    fn consider(
        &mut self,
        text: &Text<'_>,
        document: &Document<'_>,
        resource: Resource,
        target: Id,
    ) {
        let inserted = insertion(text, document, target, &self.secret);
        match inserted {
            Ok(None) => self.settled.push(resource),
            Ok(Some((span, new))) => {
                let (line, column) = text.position(span.start);
                self.edits.push(Edit {
                    old: text.body[span.clone()].to_owned(),
                    span: span.start + text.base..span.end + text.base,
                    new,
                    line,
                    column,
                    why: format!("{} gets the pull secret {}", resource.label(), self.secret),
                });
            }
            Err(reason) => self.leave(text, document, &resource, target, reason),
        }
    }

    fn leave(
        &mut self,
        text: &Text<'_>,
        document: &Document<'_>,
        resource: &Resource,
        target: Id,
        reason: Reason,
    ) {
        let (line, column) = text.position(document.node(target).span.start);
        self.not_understood.push(NotUnderstood {
            line,
            column,
            document: document.number,
            object: Some(resource.label()),
            path: format!(".{KEY}"),
            text: String::new(),
            reason,
        });
    }

    /// The text with the secret in it. The same bytes come back where there is nothing to do.
    ///
    /// # Errors
    /// If `bytes` are not those that were planned for, or where the result would not read as intended.
    pub fn apply(&self, bytes: &[u8]) -> Result<Vec<u8>, RewriteError> {
        splice(bytes, &self.source, &self.edits, |before, after| {
            verify::same_but_for(before, after, &self.secret, self.edits.len())
        })
    }
}

/// The mappings that get the secret, with the resource that each is in or is.
fn targets(document: &Document<'_>, wanted: &dyn Fn(&Resource) -> bool) -> Vec<(Resource, Id)> {
    let mut out = Vec::new();
    let mut open = vec![(document.root(), None::<Resource>)];
    while let Some((id, mut around)) = open.pop() {
        // What is anchored is gone through where it is anchored.
        if document.is_alias(id) {
            continue;
        }
        if let Some(resource) = resource(document, id) {
            if resource.kind == "CustomResourceDefinition" {
                continue;
            }
            around = wanted(&resource).then(|| resource.clone());
            if around.is_some() && resource.kind == "ServiceAccount" {
                out.push((resource, id));
                continue;
            }
        }
        if let Some(resource) = &around
            && own(document, id, "containers").is_some_and(|(_, list)| document.is_sequence(list))
        {
            out.push((resource.clone(), id));
        }
        let values = document.mapping(id).iter().map(|(_, value)| value);
        for value in document.sequence(id).iter().chain(values).rev() {
            if document.scalar(*value).is_none() {
                open.push((*value, around.clone()));
            }
        }
    }
    out
}

fn resource(document: &Document<'_>, id: Id) -> Option<Resource> {
    let metadata = document.get(id, "metadata");
    let field = |key| Some(document.get_text(metadata?, key)?.to_owned());
    Some(Resource {
        api_version: document.get_text(id, "apiVersion")?.to_owned(),
        kind: document.get_text(id, "kind")?.to_owned(),
        namespace: field("namespace"),
        name: field("name"),
    })
}

/// A pair of the mapping itself, not of one that it merges.
pub(crate) fn own(document: &Document<'_>, id: Id, key: &str) -> Option<(Id, Id)> {
    let mut found = document
        .mapping(id)
        .iter()
        .filter(|(k, _)| document.scalar(*k) == Some(key));
    found.next().copied()
}
