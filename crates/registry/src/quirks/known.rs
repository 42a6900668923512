//! What is known of hosts beforehand. Everything else is learned, or given by the user.

/// A host with a row of its own.
struct KnownHost {
    /// The registry, as references name it.
    name: &'static str,
    /// Where its API is.
    api: &'static str,
    /// Other names that credentials for it are stored under.
    aliases: &'static [&'static str],
    /// What credential helpers call it.
    helper_name: &'static str,
    /// Its token service, which may have its credentials.
    token_service: &'static str,
}

const KNOWN: [KnownHost; 3] = [
    KnownHost {
        name: "docker.io",
        api: "registry-1.docker.io",
        aliases: &["index.docker.io", "registry-1.docker.io"],
        // The address of the Hub's first API.
        helper_name: "https://index.docker.io/v1/",
        token_service: "auth.docker.io",
    },
    KnownHost {
        name: "registry.gitlab.com",
        api: "registry.gitlab.com",
        aliases: &[],
        helper_name: "registry.gitlab.com",
        token_service: "gitlab.com",
    },
    KnownHost {
        name: "registry.connect.redhat.com",
        api: "registry.connect.redhat.com",
        aliases: &[],
        helper_name: "registry.connect.redhat.com",
        token_service: "sso.redhat.com",
    },
];

fn row(name: &str) -> Option<&'static KnownHost> {
    KNOWN.iter().find(|host| host.name == name)
}

/// Host and port of the API of a registry.
pub(crate) fn api(registry: &str) -> &str {
    row(registry).map_or(registry, |host| host.api)
}

/// Other names that credentials for a registry are stored under.
pub(crate) fn aliases(registry: &str) -> &'static [&'static str] {
    row(registry).map_or(&[], |host| host.aliases)
}

/// What credential helpers call a registry.
pub(crate) fn helper_name(registry: &str) -> &str {
    row(registry).map_or(registry, |host| host.helper_name)
}

/// Whether the API host `api` is known to use the token service `realm`.
pub(crate) fn is_token_service(api: &str, realm: &str) -> bool {
    KNOWN
        .iter()
        .any(|host| host.api == api && host.token_service == realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_has_other_hosts_than_its_name() {
        assert_eq!(api("docker.io"), "registry-1.docker.io");
        assert_eq!(api("r.corp:5000"), "r.corp:5000");
        assert_eq!(helper_name("docker.io"), "https://index.docker.io/v1/");
        assert_eq!(helper_name("r.corp:5000"), "r.corp:5000");
        assert_eq!(aliases("r.corp:5000"), [""; 0]);
    }

    #[test]
    fn only_its_own_token_service_belongs_to_a_host() {
        assert!(is_token_service("registry-1.docker.io", "auth.docker.io"));
        assert!(is_token_service("registry.gitlab.com", "gitlab.com"));
        assert!(!is_token_service("registry.gitlab.com", "auth.docker.io"));
        assert!(!is_token_service("r.corp", "gitlab.com"));
    }
}
