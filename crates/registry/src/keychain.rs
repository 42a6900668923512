//! Credentials from the files that Docker and podman keep, and from their helper programs.

mod credential;
mod helper;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::quirks::known;
use crate::secret::Secret;

pub use credential::{Credential, KeychainError};

/// No credentials file is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Where credentials come from, first match wins: what the user gave for this run, then the files in
/// their order.
#[derive(Clone, Debug, Default)]
pub struct Keychain {
    given: Vec<(Option<String>, Credential)>,
    files: Vec<AuthFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthFile {
    #[serde(default, deserialize_with = "null_as_default")]
    auths: BTreeMap<String, AuthEntry>,
    #[serde(default, deserialize_with = "null_as_default")]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct AuthEntry {
    #[serde(default, deserialize_with = "null_as_default")]
    auth: String,
    #[serde(default, deserialize_with = "null_as_default")]
    username: String,
    #[serde(default, deserialize_with = "null_as_default")]
    password: String,
    #[serde(default, deserialize_with = "null_as_default")]
    identitytoken: String,
}

/// Some programs write `null` for a field that has no value.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl std::fmt::Debug for AuthEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthEntry(…)")
    }
}

impl Keychain {
    /// No credentials at all.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The credentials of `files`, in their order; those that do not exist count as empty.
    pub fn from_files(files: &[PathBuf]) -> Result<Self, KeychainError> {
        let read: Result<Vec<Option<AuthFile>>, KeychainError> =
            files.iter().map(|path| read_file(path)).collect();
        Ok(Self {
            given: Vec::new(),
            files: read?.into_iter().flatten().collect(),
        })
    }

    /// The same with credentials for `registry` (for every registry where none is named) that go first.
    pub fn with(mut self, registry: Option<String>, credential: Credential) -> Self {
        self.given.push((registry, credential));
        self
    }

    /// The credentials for a repository: of the longest key that fits it, as containers-auth.json(5) says.
    pub fn lookup(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credential>, KeychainError> {
        let given = self
            .given
            .iter()
            .find(|(host, _)| host.as_deref().is_none_or(|host| host == registry));
        if let Some((_, credential)) = given {
            return Ok(Some(credential.clone()));
        }
        for file in &self.files {
            if let Some(credential) = file.lookup(registry, repository)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }
}

fn read_file(path: &Path) -> Result<Option<AuthFile>, KeychainError> {
    let error = |reason: String| KeychainError::File {
        path: path.to_owned(),
        reason,
    };
    match fs::metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(error(fault.to_string())),
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            return Err(error("it has more than 1 MiB".to_owned()));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|fault| error(fault.to_string()))?;
    // What `touch`, or a logout that removed the last login, leaves behind.
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    // serde_json's own words could quote a secret.
    serde_json::from_slice(&bytes).map(Some).map_err(|fault| {
        error(format!(
            "it is not a credentials file in JSON (line {}, column {})",
            fault.line(),
            fault.column()
        ))
    })
}

impl AuthFile {
    fn lookup(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credential>, KeychainError> {
        for key in keys(registry, repository) {
            if let Some(helper) = self.cred_helpers.get(&key) {
                return Ok(helper::run(helper, &key)?);
            }
            let entry = self.auths.iter().find(|(name, _)| normalised(name) == key);
            if let Some((name, entry)) = entry {
                if let Some(credential) = entry.credential() {
                    return Ok(Some(credential));
                }
                // Docker leaves an empty entry behind where the store has the secret.
                if let Some(store) = &self.creds_store {
                    return Ok(helper::run(store, name)?);
                }
            }
        }
        match &self.creds_store {
            // A store that is not installed (a file shared with another system) has nothing to say about
            // a host that the file does not name either.
            Some(store) => match helper::run(store, known::helper_name(registry)) {
                Err(fault) if fault.is_missing => Ok(None),
                result => Ok(result?),
            },
            None => Ok(None),
        }
    }
}

/// The keys that fit a repository, longest first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let full = format!("{registry}/{repository}");
    let mut keys: Vec<String> =
        std::iter::successors(Some(full.as_str()), |key| Some(key.rsplit_once('/')?.0))
            .map(str::to_owned)
            .collect();
    keys.extend(
        known::aliases(registry)
            .iter()
            .map(|&alias| alias.to_owned()),
    );
    keys
}

/// A key without scheme and without the API's path, which Docker writes for the Hub.
fn normalised(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let key = key.strip_suffix('/').unwrap_or(key);
    key.strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key)
}

impl AuthEntry {
    fn credential(&self) -> Option<Credential> {
        if !self.identitytoken.is_empty() {
            return Some(Credential::IdentityToken(Secret::new(&self.identitytoken)));
        }
        let decoded = STANDARD
            .decode(self.auth.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let (username, password) = match decoded.as_deref().and_then(|text| text.split_once(':')) {
            // Old versions of Docker padded the text with zeros.
            Some((username, password)) => (username, password.trim_end_matches('\0')),
            None => (self.username.as_str(), self.password.as_str()),
        };
        (!username.is_empty()).then(|| Credential::Password {
            username: username.to_owned(),
            password: Secret::new(password),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keychain(json: &str) -> Keychain {
        Keychain {
            given: Vec::new(),
            files: vec![serde_json::from_str(json).unwrap()],
        }
    }

    fn user(keychain: &Keychain, registry: &str, repository: &str) -> Option<String> {
        match keychain.lookup(registry, repository).unwrap()? {
            Credential::Password { username, .. } => Some(username),
            Credential::IdentityToken(_) => Some("<token>".to_owned()),
        }
    }

    fn auth(user: &str) -> String {
        format!(
            r#"{{"auth":"{}"}}"#,
            STANDARD.encode(format!("{user}:canary"))
        )
    }

    #[test]
    fn the_longest_key_wins() {
        let chain = keychain(&format!(
            r#"{{"auths":{{"r.io":{},"r.io/team":{},"r.io/team/app":{}}}}}"#,
            auth("host"),
            auth("team"),
            auth("app")
        ));
        assert_eq!(user(&chain, "r.io", "other/x").unwrap(), "host");
        assert_eq!(user(&chain, "r.io", "team/x").unwrap(), "team");
        assert_eq!(user(&chain, "r.io", "team/app").unwrap(), "app");
        assert_eq!(user(&chain, "r.io", "teams/app").unwrap(), "host");
        assert_eq!(user(&chain, "r.io:5000", "x"), None);
    }

    #[test]
    fn docker_hub_is_known_by_its_old_address() {
        let chain = keychain(&format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{}}}}}"#,
            auth("hub")
        ));
        assert_eq!(user(&chain, "docker.io", "library/nginx").unwrap(), "hub");
    }

    #[test]
    fn a_missing_program_matters_only_to_hosts_that_the_file_names() {
        let none = "sealift-test-no-such-program";
        let chain = keychain(&format!(
            r#"{{"auths":{{"r.io":{{}}}},"credsStore":"{none}","credHelpers":{{"q.io":"{none}"}}}}"#
        ));
        assert_eq!(chain.lookup("other.io", "x"), Ok(None));
        for named in ["r.io", "q.io"] {
            let error = chain.lookup(named, "x").unwrap_err().to_string();
            assert!(error.contains(none) && error.contains(named), "{error}");
        }
    }

    #[test]
    fn given_credentials_go_first_and_only_where_they_are_for() {
        let given = Credential::Password {
            username: "given".to_owned(),
            password: Secret::new("canary"),
        };
        let chain = Keychain::anonymous().with(Some("r.io".to_owned()), given);
        assert_eq!(user(&chain, "r.io", "x").unwrap(), "given");
        assert_eq!(user(&chain, "other.io", "x"), None);
    }

    #[test]
    fn an_empty_or_blank_file_counts_as_absent_and_null_as_a_missing_field() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        for text in [
            "",
            " \n\t\n",
            "{}",
            r#"{"auths":null,"credHelpers":null,"credsStore":null}"#,
            r#"{"auths":{"r.io":{"auth":null,"identitytoken":null}}}"#,
        ] {
            fs::write(&file, text).unwrap();
            let chain = Keychain::from_files(std::slice::from_ref(&file)).unwrap();
            assert_eq!(chain.lookup("r.io", "x"), Ok(None), "{text}");
        }
        fs::write(&file, "nonsense").unwrap();
        let error = Keychain::from_files(&[file]).unwrap_err().to_string();
        assert!(error.contains("auth.json"), "{error}");
    }

    #[test]
    fn no_secret_is_ever_printed() {
        let given = Credential::Password {
            username: "u".to_owned(),
            password: Secret::new("canary"),
        };
        let chain = keychain(&format!(
            r#"{{"auths":{{"r.io":{{"username":"u","password":"canary"}},"q":{}}}}}"#,
            auth("x")
        ));
        let text = format!("{:?}", chain.with(None, given));
        assert!(
            !text.contains("canary") && !text.contains("Y2FuYXJ5"),
            "{text}"
        );
    }
}
