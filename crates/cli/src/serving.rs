//! Who may read from a server, and how: certificates and passwords from files.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_serve::{CertificateError, PemFile, SelfSigned, ServerCertificate, Users, UsersError};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, write_all};
use crate::progress::warn;
use crate::{heading, words};

/// No certificate, key or list of users is larger.
const MAX_BYTES: u64 = 4 << 20;

/// Who may read what is served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::ACCESS)]
pub(crate) struct AccessArgs {
    /// Use TLS with the certificate in this PEM file, followed by those of intermediate authorities
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, in a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Use TLS with a new self-signed certificate for the host of --listen, valid for a year
    ///
    /// Its key is in memory only, so every start has another certificate.
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
    /// Make the self-signed certificate valid for this host name or address too (repeatable)
    #[arg(long, value_name = "NAME", requires = "tls_self_signed")]
    tls_name: Vec<String>,
    /// Write the self-signed certificate to this file, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    tls_cert_out: Option<PathBuf>,
    /// Replace the file of --tls-cert-out if it exists
    #[arg(long, requires = "tls_cert_out")]
    overwrite: bool,
    /// Require a user name and password from this file: USER:HASH on each line, with bcrypt hashes
    ///
    /// `sealift htpasswd` and `htpasswd -B` write such lines, and docker-registry reads the same.
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
}

impl AccessArgs {
    /// The certificate for a server on `listen`, and what clients need if it is a new one.
    ///
    /// # Errors
    /// If a file cannot be used, or there is no name for a new certificate.
    pub(crate) fn certificate(
        &self,
        listen: &str,
    ) -> Result<Option<(ServerCertificate, Option<SelfSigned>)>, Failure> {
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let own = ServerCertificate::from_pem(
                PemFile {
                    name: &certificate.display().to_string(),
                    content: &read(certificate)?,
                },
                PemFile {
                    name: &key.display().to_string(),
                    content: &read(key)?,
                },
            )?;
            return Ok(Some((own, None)));
        }
        if !self.tls_self_signed {
            return Ok(None);
        }
        let (own, written) = ServerCertificate::self_signed(&self.names(listen)?)?;
        Ok(Some((own, Some(written))))
    }

    /// Whom a new certificate is for.
    fn names(&self, listen: &str) -> Result<Vec<String>, Failure> {
        let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        // All addresses of the machine are no name that clients use.
        let own = (!["0.0.0.0", "::"].contains(&host)).then(|| host.to_owned());
        let mut names: Vec<String> = own.into_iter().collect();
        for name in &self.tls_name {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        if names.is_empty() {
            let message = format!("a certificate cannot be issued for {listen}");
            return Err(Failure::message(Exit::Usage, message)
                .hint("give the name or address that clients use with --tls-name"));
        }
        Ok(names)
    }

    /// The files that are read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.tls_cert, &self.tls_key, &self.htpasswd];
        files.into_iter().filter_map(Option::as_deref)
    }

    /// The file that is written.
    pub(crate) fn output(&self) -> Option<&Path> {
        self.tls_cert_out.as_deref()
    }

    /// Who may pull, if there is a list.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(crate) fn users(&self) -> Result<Option<Users>, Failure> {
        let Some(path) = &self.htpasswd else {
            return Ok(None);
        };
        let users = Users::parse(&path.display().to_string(), &read(path)?)?;
        Ok(Some(users))
    }

    /// Writes a new certificate where it was asked for; what a person should know of it.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub(crate) fn publish(
        &self,
        written: &SelfSigned,
        address: SocketAddr,
    ) -> Result<Vec<String>, Failure> {
        let mut lines = vec![format!(
            "self-signed certificate, valid until {}, SHA-256 fingerprint {}",
            words::time(written.not_after),
            written.fingerprint
        )];
        match &self.tls_cert_out {
            Some(path) => {
                let file = NewFile {
                    path: path.clone(),
                    bytes: written.pem.clone().into_bytes(),
                    mode: ORDINARY,
                    owner: None,
                };
                write_all(&[file], self.overwrite)?;
                let host = self.client_address(address);
                lines.push(format!(
                    "clients need {} as /etc/containers/certs.d/{host}/ca.crt (podman, skopeo, CRI-O) or /etc/docker/certs.d/{host}/ca.crt (docker)",
                    path.display()
                ));
            }
            None => {
                lines.push("clients need this certificate: --tls-cert-out writes it".to_owned());
            }
        }
        Ok(lines)
    }

    /// How clients call the server, as far as that is known.
    fn client_address(&self, address: SocketAddr) -> String {
        match self.tls_name.first() {
            Some(name) if address.ip().is_unspecified() => format!("{name}:{}", address.port()),
            _ => address.to_string(),
        }
    }

    /// Warns if passwords would cross a network in the clear.
    pub(crate) fn warn_of_plain_passwords(&self, address: SocketAddr, tls: bool) {
        if self.htpasswd.is_some() && !tls && !address.ip().is_loopback() {
            warn(
                "clients send passwords unencrypted: use --tls-cert and --tls-key, or --tls-self-signed",
            );
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    let failed = |what: &dyn std::fmt::Display| {
        Failure::message(
            Exit::Usage,
            format!("cannot read {}: {what}", path.display()),
        )
    };
    match read {
        Err(error) => Err(failed(&error)),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            Err(failed(&format!("it is larger than {MAX_BYTES} bytes")))
        }
        Ok(_) => Ok(bytes),
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        let failure = Self::new(Exit::Usage, &error);
        match error {
            CertificateError::EncryptedKey { file } => {
                failure.hint(format!("decrypt it: openssl pkey -in {file} -out tls.key"))
            }
            CertificateError::Create(_) => Self::new(Exit::Failed, &error),
            _ => failure,
        }
    }
}

impl From<UsersError> for Failure {
    fn from(error: UsersError) -> Self {
        let failure = Self::new(Exit::Usage, &error);
        match error {
            UsersError::Line { .. } | UsersError::NotBcrypt { .. } | UsersError::Empty { .. } => {
                failure.hint("`sealift htpasswd USER` and `htpasswd -nB USER` print such lines")
            }
            _ => failure,
        }
    }
}
