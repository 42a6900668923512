//! Who may pull: a file of users with bcrypt hashes, as Apache's `htpasswd -B` writes it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use sealift_oci::{Digest, escaped, excerpt};
use subtle::ConstantTimeEq;

/// The cost of hashes that are made here, which `htpasswd` uses too: checking one takes some 60 ms.
const COST: u32 = 10;
/// bcrypt ignores what follows.
const MAX_PASSWORD_BYTES: usize = 72;
/// How many users a file may have.
const MAX_USERS: usize = 10_000;
/// The highest cost of a hash: checking one of cost 14 takes about a second.
const MAX_COST: u32 = 14;

/// Users and the hashes of their passwords.
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// The hash that takes longest to check: the passwords of users who do not exist are compared with it.
    slowest: String,
    /// The digest of each user's password, once it was found right: bcrypt is slow on purpose, and clients send the
    /// password with every request.
    known: Mutex<BTreeMap<String, Digest>>,
}

/// Why a file of users cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// A line that is not a user with a hash.
    #[error("{file}, line {line}: expected USER:HASH")]
    Line {
        /// The file's name.
        file: String,
        /// The line's number, from 1.
        line: usize,
    },
    /// A hash that is not bcrypt's.
    #[error("{file}, line {line}: the password of {user} is not a bcrypt hash ($2y$…)")]
    NotBcrypt {
        /// The file's name.
        file: String,
        /// The line's number, from 1.
        line: usize,
        /// The user.
        user: String,
    },
    /// A hash that takes too long to check.
    #[error(
        "{file}, line {line}: the bcrypt hash of {user} has cost {cost} (at most {MAX_COST} is supported)"
    )]
    TooCostly {
        /// The file's name.
        file: String,
        /// The line's number, from 1.
        line: usize,
        /// The user.
        user: String,
        /// The cost.
        cost: u32,
    },
    /// A user who is there twice.
    #[error("{file}, line {line}: {user} is listed twice")]
    Twice {
        /// The file's name.
        file: String,
        /// The number of the second line, from 1.
        line: usize,
        /// The user.
        user: String,
    },
    /// A file without users, which nobody could log in with.
    #[error("{file} contains no users")]
    Empty {
        /// The file's name.
        file: String,
    },
    /// A file with too many users.
    #[error("{file} contains more than {MAX_USERS} users")]
    TooMany {
        /// The file's name.
        file: String,
    },
}

/// Why there is no line for a user.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// A name that no line can have, or that clients cannot send.
    #[error("{user:?} is not a user name (expected text without a colon and control characters)")]
    User {
        /// The name.
        user: String,
    },
    /// A password that bcrypt would cut off.
    #[error("the password has {bytes} bytes (expected 1 to {MAX_PASSWORD_BYTES})")]
    Password {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The system gives no random numbers.
    #[error("cannot hash the password: {0}")]
    Hash(#[source] bcrypt::BcryptError),
}

/// The line of a file of users for `user` with `password`, without its end.
///
/// # Errors
/// If the name or the password is not one that can be used.
pub fn user_line(user: &str, password: &str) -> Result<String, HashError> {
    if user.is_empty() || user.starts_with('#') || user.contains(':') || escaped(user) != user {
        return Err(HashError::User {
            user: user.to_owned(),
        });
    }
    if !(1..=MAX_PASSWORD_BYTES).contains(&password.len()) {
        return Err(HashError::Password {
            bytes: password.len(),
        });
    }
    let parts = bcrypt::hash_with_result(password, COST).map_err(HashError::Hash)?;
    Ok(format!(
        "{user}:{}",
        parts.format_for_version(bcrypt::Version::TwoY)
    ))
}

/// A user name and a password that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    password: Vec<u8>,
}

impl Users {
    /// Reads `text`, the content of the file `name`: `USER:HASH` on each line; empty lines and lines that begin
    /// with `#` are skipped.
    ///
    /// # Errors
    /// If a line is something else, or a hash is not bcrypt's.
    pub fn parse(name: &str, text: &[u8]) -> Result<Self, UsersError> {
        let mut hashes = BTreeMap::new();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = str::from_utf8(line).map(str::trim_end);
            if matches!(line, Ok(line) if line.is_empty() || line.starts_with('#')) {
                continue;
            }
            if hashes.len() == MAX_USERS {
                return Err(UsersError::TooMany {
                    file: name.to_owned(),
                });
            }
            let (user, hash) = entry(name, at + 1, line.unwrap_or_default())?;
            if hashes.insert(user.clone(), hash).is_some() {
                return Err(UsersError::Twice {
                    file: name.to_owned(),
                    line: at + 1,
                    user,
                });
            }
        }
        let slowest = hashes.values().max_by_key(|hash| cost(hash)).cloned();
        let Some(slowest) = slowest else {
            return Err(UsersError::Empty {
                file: name.to_owned(),
            });
        };
        Ok(Self {
            hashes,
            slowest,
            known: Mutex::default(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Whether the password is the one that the user was accepted with before. Quick.
    pub(crate) fn remembers(&self, login: &Login) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&login.user).is_some_and(|digest| {
            let given = Digest::sha256(&login.password);
            digest.as_bytes().ct_eq(given.as_bytes()).into()
        })
    }

    /// Whether the password is the user's. For a user who does not exist it takes as long as for the slowest hash.
    pub(crate) fn check(&self, login: &Login) -> bool {
        let own = self.hashes.get(&login.user);
        let hash = own.unwrap_or(&self.slowest);
        let matches = bcrypt::verify(&login.password, hash).unwrap_or(false);
        let accepted = matches && own.is_some();
        if accepted {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(login.user.clone(), Digest::sha256(&login.password));
        }
        accepted
    }
}

fn entry(file: &str, line: usize, text: &str) -> Result<(String, String), UsersError> {
    let file = file.to_owned();
    let Some((user, hash)) = text
        .split_once(':')
        .filter(|(user, _)| !user.is_empty() && !user.contains(char::is_control))
    else {
        return Err(UsersError::Line { file, line });
    };
    let shown = || excerpt(user, 100);
    let Some(cost) = cost(hash) else {
        return Err(UsersError::NotBcrypt {
            file,
            line,
            user: shown(),
        });
    };
    if cost > MAX_COST {
        return Err(UsersError::TooCostly {
            file,
            line,
            user: shown(),
            cost,
        });
    }
    Ok((user.to_owned(), hash.to_owned()))
}

/// The cost of a bcrypt hash; `None` if it is not one.
fn cost(hash: &str) -> Option<u32> {
    let known = ["$2a$", "$2b$", "$2y$"];
    if !known.iter().any(|start| hash.starts_with(start)) {
        return None;
    }
    Some(HashParts::from_str(hash).ok()?.get_cost())
}

impl Login {
    /// Reads the value of an `Authorization` header (RFC 7617).
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        let (scheme, rest) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = STANDARD.decode(rest.trim_ascii()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(Self {
            user: String::from_utf8(decoded[..colon].to_vec()).ok()?,
            password: decoded[colon + 1..].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `htpasswd -nbB -C 4 anna secret`, and bob with the password `pass:word`.
    fn file() -> String {
        let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
        format!(
            "# who may pull\nanna:{}\n\nbob:{}\r\n",
            hash("secret").replacen("$2b$", "$2y$", 1),
            hash("pass:word")
        )
    }

    fn login(user: &str, password: &str) -> Login {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        Login::parse(format!("Basic {encoded}").as_bytes()).unwrap()
    }

    #[test]
    fn a_user_is_accepted_with_the_own_password_only() {
        let users = Users::parse("users", file().as_bytes()).unwrap();
        assert_eq!(users.count(), 2);
        for (user, password, accepted) in [
            ("anna", "secret", true),
            ("bob", "pass:word", true),
            ("anna", "pass:word", false),
            ("anna", "secre", false),
            ("anna", "", false),
            ("carl", "secret", false),
            ("", "", false),
        ] {
            let login = login(user, password);
            assert!(!users.remembers(&login), "{user}");
            assert_eq!(users.check(&login), accepted, "{user} {password}");
            assert_eq!(users.remembers(&login), accepted, "{user} {password}");
        }
        // Nobody else is accepted because of somebody's success.
        assert!(!users.remembers(&login("bob", "secret")));
        assert!(!users.check(&login("anna", "Secret")));
    }

    #[test]
    fn a_line_that_is_made_here_is_read_back() {
        let line = user_line("anna", "p\u{e4}ss: word").unwrap();
        assert!(line.starts_with("anna:$2y$10$"), "{line}");
        let users = Users::parse("users", line.as_bytes()).unwrap();
        assert!(users.check(&login("anna", "p\u{e4}ss: word")));
        assert!(!users.check(&login("anna", "p\u{e4}ss")));
        assert_ne!(line, user_line("anna", "p\u{e4}ss: word").unwrap());
        for (user, password) in [
            ("", "secret"),
            ("a:b", "secret"),
            ("a\nb", "secret"),
            ("a\u{202e}b", "secret"),
            ("#a", "secret"),
            ("anna", ""),
            ("anna", &"x".repeat(73)),
        ] {
            assert!(user_line(user, password).is_err(), "{user} {password}");
        }
    }

    #[test]
    fn a_hash_of_another_program_is_accepted() {
        // The test vector of the OpenBSD project that many implementations share.
        let line = "u:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
        let users = Users::parse("users", line.as_bytes()).unwrap();
        assert!(users.check(&login("u", "U*U")));
        assert!(!users.check(&login("u", "U*U*")));
    }

    #[test]
    fn what_is_not_a_user_with_a_bcrypt_hash_is_named_with_its_line() {
        let hash = bcrypt::hash("x", 4).unwrap();
        let costly = hash.replacen("$04$", "$31$", 1);
        for (text, expected) in [
            ("anna\n".to_owned(), "users, line 1: expected USER:HASH"),
            (format!("\n:{hash}\n"), "users, line 2: expected USER:HASH"),
            (
                "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
                "users, line 1: the password of anna is not a bcrypt hash ($2y$…)",
            ),
            (
                "anna:secret".to_owned(),
                "users, line 1: the password of anna is not a bcrypt hash ($2y$…)",
            ),
            (
                format!("anna:{costly}"),
                "users, line 1: the bcrypt hash of anna has cost 31 (at most 14 is supported)",
            ),
            (
                format!("anna:{hash}\nanna:{hash}\n"),
                "users, line 2: anna is listed twice",
            ),
            ("# nobody\n".to_owned(), "users contains no users"),
        ] {
            let error = Users::parse("users", text.as_bytes())
                .map(drop)
                .unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert!(Users::parse("users", b"\xff:x\n").is_err());
        let many = format!("u{{}}:{hash}\n");
        let many: String = (0..=MAX_USERS)
            .map(|number| many.replacen("{}", &number.to_string(), 1))
            .collect();
        let error = Users::parse("users", many.as_bytes())
            .map(drop)
            .unwrap_err();
        assert_eq!(error.to_string(), "users contains more than 10000 users");
    }

    proptest! {
        #[test]
        fn nothing_from_outside_is_read_with_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            hash in "[$2aby]{0,4}[0-9$./A-Za-z]{0,70}",
        ) {
            let _ = Users::parse("users", &bytes);
            let _ = Users::parse("users", format!("anna:{hash}").as_bytes());
            let _ = Login::parse(&bytes);
            let _ = Login::parse(&[b"Basic ", &bytes[..]].concat());
            let encoded = format!("Basic {}", STANDARD.encode(&bytes));
            let login = Login::parse(encoded.as_bytes());
            let colon = bytes.iter().position(|byte| *byte == b':');
            let named = colon.is_some_and(|end| str::from_utf8(&bytes[..end]).is_ok());
            prop_assert_eq!(login.is_some(), named);
        }
    }

    #[test]
    fn headers_that_are_not_basic_credentials_are_no_login() {
        for header in [
            "",
            "Basic",
            "Basic !",
            "Bearer YTpi",
            "Basic YQ==",
            "Basic /zph",
        ] {
            assert_eq!(Login::parse(header.as_bytes()), None, "{header}");
        }
        assert_eq!(Login::parse(b"basic YTpi"), Some(login("a", "b")));
    }
}
