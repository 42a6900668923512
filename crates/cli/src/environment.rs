//! All that sealift reads of its environment, in one place: libraries get values.

use std::env;
use std::path::PathBuf;

/// What the environment says about credentials, mirrors and proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Folders and files where credentials may be, first wins.
    pub(crate) auth_files: Vec<PathBuf>,
    /// Folders with a `certs.d` layout, first wins.
    pub(crate) certificate_folders: Vec<PathBuf>,
    /// The `registries.conf` that podman's tools would be told to read.
    pub(crate) registries_conf: Option<PathBuf>,
    /// The proxy for `https` registries.
    pub(crate) https_proxy: Option<String>,
    /// The proxy for `http` registries.
    pub(crate) http_proxy: Option<String>,
    /// Hosts that no proxy is used for, as written.
    pub(crate) no_proxy: Option<String>,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn read() -> Self {
        Self::from_lookup(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let both = |upper: &str, lower: &str| get(lower).or_else(|| get(upper));
        Self {
            auth_files: auth_files(&get),
            certificate_folders: certificate_folders(&get),
            registries_conf: get("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from),
            https_proxy: both("HTTPS_PROXY", "https_proxy"),
            // HTTP_PROXY in upper case is not read: a web server sets it from a request's header.
            http_proxy: get("http_proxy"),
            no_proxy: both("NO_PROXY", "no_proxy"),
        }
    }
}

/// Podman's file first, as podman and skopeo look for it, then Docker's.
fn auth_files(get: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(file) = get("REGISTRY_AUTH_FILE") {
        return vec![file.into()];
    }
    let home = get("HOME").map(PathBuf::from);
    let mut files = Vec::new();
    if let Some(runtime) = get("XDG_RUNTIME_DIR") {
        files.push(PathBuf::from(runtime).join("containers/auth.json"));
    }
    let configuration = get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| home.as_ref().map(|home| home.join(".config")));
    files.extend(configuration.map(|folder| folder.join("containers/auth.json")));
    let docker = get("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| home.map(|home| home.join(".docker")));
    files.extend(docker.map(|folder| folder.join("config.json")));
    files
}

fn certificate_folders(get: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let home = get("HOME").map(|home| PathBuf::from(home).join(".config/containers/certs.d"));
    home.into_iter()
        .chain(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(values: &[(&str, &str)]) -> Environment {
        Environment::from_lookup(|name| {
            let value = values.iter().find(|(key, _)| *key == name);
            value.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn podmans_file_goes_before_dockers() {
        let found = environment(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/u")]);
        let expected = [
            "/run/u/containers/auth.json",
            "/h/.config/containers/auth.json",
            "/h/.docker/config.json",
        ];
        assert_eq!(found.auth_files, expected.map(PathBuf::from));
    }

    #[test]
    fn a_named_file_is_the_only_one() {
        let found = environment(&[("HOME", "/h"), ("REGISTRY_AUTH_FILE", "/a.json")]);
        assert_eq!(found.auth_files, [PathBuf::from("/a.json")]);
    }

    #[test]
    fn an_upper_case_http_proxy_is_not_believed() {
        let found = environment(&[
            ("HTTP_PROXY", "http://evil"),
            ("HTTPS_PROXY", "http://p:3128"),
        ]);
        assert_eq!(found.http_proxy, None);
        assert_eq!(found.https_proxy.as_deref(), Some("http://p:3128"));
    }
}
