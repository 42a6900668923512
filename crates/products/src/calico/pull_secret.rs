//! The pull secret: by name, or created from a Docker credentials file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealift_oci::is_subdomain;
use serde_json::{Map, Value, json};

use super::error::{CalicoError, CredentialsError};
use crate::emit::{Node, document, map};
use crate::file::OutputFile;

/// The namespace in which the operator runs, and in which it looks for pull secrets to copy.
pub(super) const OPERATOR_NAMESPACE: &str = "tigera-operator";

/// The namespace of the pods that `calico.yaml` and its like create.
pub(super) const SYSTEM_NAMESPACE: &str = "kube-system";

/// The namespace that `apiserver.yaml` creates for installs without the operator.
pub(super) const API_SERVER_NAMESPACE: &str = "calico-apiserver";

/// The pull secret of an install.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum PullSecret {
    /// None: the registry lets everybody pull.
    #[default]
    None,
    /// A Secret of this name exists, or somebody else creates it.
    Named(String),
    /// A Secret of this name is created from a Docker credentials file.
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
    /// The Secret's name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Named(name) | Self::FromFile { name, .. } => Some(name),
        }
    }
}

/// A Secret of type `kubernetes.io/dockerconfigjson` in `namespace`, with the credentials for `registry`, the
/// host that the images are pulled from. Those for other registries, which such a file may contain, stay out
/// of the cluster. `None` unless there is a credentials file.
///
/// # Errors
/// If Kubernetes refuses the name, or the file is not a credentials file for `registry`.
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
    let config = docker_config(registry, file, bytes)?;
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

/// The credentials for `registry` as a Docker `config.json`: what charts that create the Secret themselves
/// read. `None` unless there is a credentials file.
///
/// # Errors
/// As [`pull_secret_manifest`].
pub(super) fn credentials_file(
    secret: &PullSecret,
    registry: &str,
) -> Result<Option<OutputFile>, CalicoError> {
    if let Some(name) = secret.name() {
        check_name(name)?;
    }
    let PullSecret::FromFile { file, bytes, .. } = secret else {
        return Ok(None);
    };
    let config = docker_config(registry, file, bytes)?;
    let mut output = OutputFile::text("pull-secret.json", config);
    output.secret = true;
    Ok(Some(output))
}

/// The Namespace `name`, for a Secret that has to exist before the release's manifests create it.
pub(super) fn namespace_manifest(name: &str) -> OutputFile {
    let text = document(&map([
        ("apiVersion", "v1".into()),
        ("kind", "Namespace".into()),
        ("metadata", map([("name", Node::from(name))])),
    ]));
    OutputFile::text(format!("namespace-{name}.yaml"), text)
}

fn docker_config(registry: &str, file: &str, bytes: &[u8]) -> Result<String, CredentialsError> {
    let auths = credentials_for(registry, file, bytes)?;
    Ok(json!({ "auths": auths }).to_string())
}

fn check_name(name: &str) -> Result<(), CalicoError> {
    if is_subdomain(name) {
        return Ok(());
    }
    Err(CalicoError::SecretName {
        text: name.chars().take(60).collect(),
    })
}

/// The entries of `auths` for `registry`.
fn credentials_for(
    registry: &str,
    file: &str,
    bytes: &[u8],
) -> Result<Map<String, Value>, CredentialsError> {
    let error = |reason: String| CredentialsError {
        file: file.to_owned(),
        reason,
    };
    let config: Value = serde_json::from_slice(bytes).map_err(|_| error("not JSON".to_owned()))?;
    let auths = auths(&config).map_err(|reason| error(reason.to_owned()))?;
    let own = auths.iter().filter(|(key, _)| host(key) == registry);
    let (usable, others): (Vec<_>, Vec<_>) = own.partition(|(_, entry)| has_credentials(entry));
    if usable.is_empty() {
        let others: Vec<&Value> = others.into_iter().map(|(_, entry)| entry).collect();
        return Err(error(no_credentials(registry, &config, &others)));
    }
    let usable = usable.into_iter();
    Ok(usable
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect())
}

fn auths(config: &Value) -> Result<&Map<String, Value>, &'static str> {
    let helper = || config.get("credsStore").is_some() || config.get("credHelpers").is_some();
    match config.get("auths") {
        Some(Value::Object(auths)) if !auths.is_empty() => Ok(auths),
        Some(_) => Err("\"auths\" is empty"),
        None if helper() => {
            Err("the credentials are in a helper program, which a kubelet cannot use")
        }
        None => Err("no \"auths\""),
    }
}

/// Why there are no usable credentials for `registry`; `others` are its entries without any.
fn no_credentials(registry: &str, config: &Value, others: &[&Value]) -> String {
    let helpers = config.get("credHelpers");
    if others
        .iter()
        .any(|entry| entry.get("identitytoken").is_some())
    {
        format!("the entry for {registry} has an identity token, which a kubelet cannot use")
    } else if !others.is_empty() {
        format!(
            "the entry for {registry} has neither \"auth\" nor user name and password (a helper program may hold them)"
        )
    } else if helpers.is_some_and(|all| all.get(registry).is_some()) {
        format!(
            "the credentials for {registry} are in a helper program, which a kubelet cannot use"
        )
    } else {
        format!("no credentials for {registry}")
    }
}

/// The host in a key of `auths`, which may be a URL or have a path.
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
