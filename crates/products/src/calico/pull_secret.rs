//! The pull secret: by name, or made of a Docker credentials file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealift_oci::is_subdomain;
use serde_json::{Map, Value, json};

use super::CalicoError;
use crate::OutputFile;
use crate::emit::{Node, document, map};

/// What stands in for pull secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum PullSecret {
    /// The registry lets everybody pull.
    #[default]
    None,
    /// A Secret of this name is there, or somebody else makes it.
    Named(String),
    /// A Secret of this name is made of a Docker credentials file.
    FromFile {
        /// The Secret's name.
        name: String,
        /// The file's name, for messages.
        file: String,
        /// The file's content; never printed.
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for PullSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Named(name) => f.debug_tuple("Named").field(name).finish(),
            Self::FromFile { name, file, .. } => f
                .debug_struct("FromFile")
                .field("name", name)
                .field("file", file)
                .finish_non_exhaustive(),
        }
    }
}

impl PullSecret {
    /// The Secret's name, where there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Named(name) | Self::FromFile { name, .. } => Some(name),
        }
    }
}

/// Why a file is no credentials file that a kubelet can use. Nothing of its content is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: {reason} (expected a Docker config.json with \"auths\", as `docker login` or `podman login --authfile` write)"
)]
pub struct CredentialsError {
    file: String,
    reason: String,
}

/// A Secret of type `kubernetes.io/dockerconfigjson` in `namespace`; `registry` is the host that the
/// images are pulled from, for which there must be credentials. Those for other registries, which such a file
/// may have, stay out of the cluster.
///
/// # Errors
/// Where the name is none that Kubernetes takes, or the file no credentials file for `registry`.
pub fn pull_secret_manifest(
    secret: &PullSecret,
    namespace: &str,
    registry: &str,
) -> Result<Option<OutputFile>, CalicoError> {
    if let Some(name) = secret.name() {
        check_name(name)?;
    }
    let PullSecret::FromFile { name, file, bytes } = secret else {
        return Ok(None);
    };
    let auths = credentials_for(registry, file, bytes)?;
    let config = json!({ "auths": auths }).to_string();
    let text = document(&map([
        ("apiVersion", "v1".into()),
        ("kind", "Secret".into()),
        (
            "metadata",
            map([
                ("name", Node::from(name.as_str())),
                ("namespace", namespace.into()),
            ]),
        ),
        ("type", "kubernetes.io/dockerconfigjson".into()),
        (
            "data",
            map([(".dockerconfigjson", Node::from(STANDARD.encode(config)))]),
        ),
    ]));
    let mut output = OutputFile::text(format!("pull-secret-{namespace}.yaml"), text);
    output.secret = true;
    Ok(Some(output))
}

pub(crate) fn check_name(name: &str) -> Result<(), CalicoError> {
    if is_subdomain(name) {
        return Ok(());
    }
    Err(CalicoError::SecretName {
        text: name.chars().take(60).collect(),
    })
}

/// The entries of `auths` that are for `registry`.
fn credentials_for(
    registry: &str,
    file: &str,
    bytes: &[u8],
) -> Result<Map<String, Value>, CredentialsError> {
    let error = |reason: String| CredentialsError {
        file: file.to_owned(),
        reason,
    };
    let value: Value = serde_json::from_slice(bytes).map_err(|_| error("not JSON".to_owned()))?;
    let auths = match value.get("auths") {
        Some(Value::Object(auths)) if !auths.is_empty() => auths,
        Some(_) => return Err(error("\"auths\" is empty".to_owned())),
        None if value.get("credsStore").is_some() || value.get("credHelpers").is_some() => {
            return Err(error(
                "the credentials are in a helper program, which no kubelet can ask".to_owned(),
            ));
        }
        None => return Err(error("no \"auths\"".to_owned())),
    };
    let own = auths.iter().filter(|(key, _)| host(key) == registry);
    let (usable, others): (Vec<_>, Vec<_>) = own.partition(|(_, entry)| has_credentials(entry));
    let token = |entry: &Value| entry.get("identitytoken").is_some();
    if !usable.is_empty() {
        let usable = usable.into_iter();
        return Ok(usable
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect());
    }
    Err(error(if others.iter().any(|(_, entry)| token(entry)) {
        format!("the entry for {registry} has an identity token, which no kubelet can use")
    } else if !others.is_empty() {
        format!(
            "the entry for {registry} has neither \"auth\" nor user name and password (a helper program may hold them)"
        )
    } else if value
        .get("credHelpers")
        .is_some_and(|all| all.get(registry).is_some())
    {
        format!("the credentials for {registry} are in a helper program, which no kubelet can ask")
    } else {
        format!("no credentials for {registry}")
    }))
}

/// The host of a key of `auths`, which may be a URL or have a path.
fn host(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn has_credentials(entry: &Value) -> bool {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let auth = text("auth").and_then(|auth| STANDARD.decode(auth).ok());
    auth.is_some_and(|auth| auth.contains(&b':'))
        || (text("username").is_some() && text("password").is_some())
}
