//! Trust for one host: the system's authorities, and those of a file and of a `certs.d` folder beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// What a host's TLS is made of.
#[derive(Default)]
pub(crate) struct HostTrust {
    roots: Vec<Certificate<'static>>,
    client: Option<(Vec<Certificate<'static>>, PrivateKey<'static>)>,
}

impl HostTrust {
    /// Reads `ca_file` and the first of `folders` that has a folder for `authority`: `*.crt` are
    /// authorities, `*.cert` with `*.key` beside it is the client's certificate (containers-certs.d(5)).
    pub(crate) fn read(
        authority: &str,
        ca_file: Option<&Path>,
        folders: &[PathBuf],
    ) -> Result<Self, String> {
        let mut trust = Self::default();
        if let Some(file) = ca_file {
            trust.add_roots(file)?;
        }
        let folder = folders
            .iter()
            .map(|folder| folder.join(authority))
            .find(|folder| folder.is_dir());
        let Some(folder) = folder else {
            return Ok(trust);
        };
        for path in files(&folder)? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => trust.add_roots(&path)?,
                Some("cert") => trust.client = Some(client(&path)?),
                _ => {}
            }
        }
        Ok(trust)
    }

    /// Whether `folders` have a folder for `authority`.
    pub(crate) fn has_folder(authority: &str, folders: &[PathBuf]) -> bool {
        folders.iter().any(|folder| folder.join(authority).is_dir())
    }

    fn add_roots(&mut self, path: &Path) -> Result<(), String> {
        let before = self.roots.len();
        self.roots.extend(certificates(path)?);
        if self.roots.len() == before {
            return Err(format!("{} has no certificate in PEM form", path.display()));
        }
        Ok(())
    }

    /// Authorities of a file are trusted too, not instead: a public registry stays one.
    fn roots_beside_the_systems(&self) -> Vec<Certificate<'static>> {
        // A system without authorities, or with some that cannot be read, has the others.
        let system = rustls_native_certs::load_native_certs().certs;
        let system = system
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned());
        self.roots.iter().cloned().chain(system).collect()
    }

    pub(crate) fn config(self) -> TlsConfig {
        let roots = if self.roots.is_empty() {
            RootCerts::PlatformVerifier
        } else {
            RootCerts::Specific(Arc::new(self.roots_beside_the_systems()))
        };
        let client = self
            .client
            .map(|(chain, key)| ClientCert::new_with_certs(&chain, key));
        TlsConfig::builder()
            .root_certs(roots)
            .client_cert(client)
            .build()
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let bytes = read(path)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| format!("{}: {error}", path.display()))?
        {
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

fn client(path: &Path) -> Result<(Vec<Certificate<'static>>, PrivateKey<'static>), String> {
    let key_path = path.with_extension("key");
    let key = PrivateKey::from_pem(&read(&key_path)?)
        .map_err(|_| format!("{} is no private key in PEM form", key_path.display()))?;
    Ok((certificates(path)?, key))
}
