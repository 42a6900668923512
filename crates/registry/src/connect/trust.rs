//! Trust for one host: the system's certificate authorities, and in addition those of a file and of a `certs.d`
//! folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Which certificates a host is trusted by, and which one it is shown.
#[derive(Debug, Default)]
pub(super) struct HostTrust {
    /// Certificates that were given for it.
    pub(super) given: Vec<CertificateDer<'static>>,
    /// The client's own certificate.
    pub(super) client: Option<ClientCertificate>,
    /// Nothing is verified: whoever answers is the host.
    pub(super) insecure: bool,
}

/// A certificate chain and its key.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Arc<PrivateKeyDer<'static>>,
}

impl HostTrust {
    /// Reads `ca_file` and the first of `folders` that has a folder for `authority`: `*.crt` are
    /// authorities, `*.cert` with `*.key` is the client's certificate (containers-certs.d(5)).
    ///
    /// # Errors
    /// A message that names the file.
    pub(super) fn read(
        authority: &str,
        ca_file: Option<&Path>,
        folders: &[PathBuf],
    ) -> Result<Self, String> {
        let mut trust = Self::default();
        if let Some(file) = ca_file {
            trust.given.extend(certificates(file)?);
        }
        let Some(folder) = host_folder(authority, folders) else {
            return Ok(trust);
        };
        for path in files(&folder)? {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => trust.given.extend(certificates(&path)?),
                Some("cert") => trust.client = Some(client(&path)?),
                _ => {}
            }
        }
        Ok(trust)
    }
}

/// Whether `folders` contain a folder for `authority`.
pub(crate) fn has_folder(authority: &str, folders: &[PathBuf]) -> bool {
    host_folder(authority, folders).is_some()
}

fn host_folder(authority: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| folder.join(authority))
        .find(|folder| folder.is_dir())
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

/// All certificates of a file; one that has none, or a malformed one, is an error.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!(
            "{} contains no certificate in PEM form",
            path.display()
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn client(path: &Path) -> Result<ClientCertificate, String> {
    let key_path = path.with_extension("key");
    let key = PrivateKeyDer::from_pem_slice(&read(&key_path)?)
        .map_err(|_| format!("{} contains no private key in PEM form", key_path.display()))?;
    Ok(ClientCertificate {
        chain: certificates(path)?,
        key: Arc::new(key),
    })
}
