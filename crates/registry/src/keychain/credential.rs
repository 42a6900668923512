//! A credential, and why there is none.

use std::path::PathBuf;

use crate::secret::Secret;

/// What to show a registry or its token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token (Docker's `identitytoken`).
    IdentityToken(Secret),
}

/// Why credentials cannot be read. No variant carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// A credentials file cannot be read.
    #[error("cannot read the credentials file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A helper program failed.
    #[error("the credential helper {helper} failed for {host}: {reason}")]
    Helper {
        /// The program.
        helper: String,
        /// The registry that it was asked about.
        host: String,
        /// Why.
        reason: String,
    },
}
