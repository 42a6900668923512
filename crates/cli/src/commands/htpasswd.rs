//! `sealift htpasswd`: prints a line for a file of users, as `serve` reads it.

use clap::Args;
use sealift_serve::{HashError, user_line};

use crate::client::password_line;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Print a password file line for `serve --htpasswd`
///
/// Reads the password from the first line of standard input. The line contains its bcrypt hash, in the format of
/// `htpasswd -B`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift htpasswd anna < password.txt >> users
    read -rs PASSWORD; printf '%s' \"$PASSWORD\" | sealift htpasswd anna >> users")]
pub(crate) struct HtpasswdArgs {
    /// The user name
    user: String,
}

pub(crate) fn run(args: &HtpasswdArgs) -> Result<Exit, Failure> {
    let password = password_line(std::io::stdin().lock())?.ok_or_else(|| {
        let message = "standard input has no password (expected on its first line)";
        Failure::message(Exit::Usage, message)
    })?;
    output::line(&user_line(&args.user, &password)?)?;
    Ok(Exit::Done)
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        let exit = match error {
            HashError::User { .. } | HashError::Password { .. } => Exit::Usage,
            HashError::Hash(_) => Exit::Failed,
        };
        Self::new(exit, &error)
    }
}
