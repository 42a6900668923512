//! Digests: an algorithm and a hash, and how a hash is computed from bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// The algorithms that this program can verify. Others are legal in the specification's grammar but
/// nothing can vouch for such content, so they are refused where they are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`, the one that every registry knows.
    Sha256,
    /// `sha512`.
    Sha512,
}

impl Algorithm {
    /// The registered identifier (image-spec, `descriptor.md`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:encoded` in it, or characters that the grammar forbids.
    #[error("{text:?} is not a digest (expected sha256: and 64 lower-case hex characters)")]
    Grammar {
        /// The text, shortened.
        text: String,
    },
    /// A well-formed digest of an algorithm that cannot be verified here.
    #[error("digest algorithm {algorithm:?} is not supported (expected sha256 or sha512)")]
    UnknownAlgorithm {
        /// The algorithm's name.
        algorithm: String,
    },
    /// The right algorithm, but not as many lower-case hex characters as it has.
    #[error(
        "{algorithm} digest {text:?} is malformed (expected {expected} lower-case hex characters)"
    )]
    Encoded {
        /// The algorithm.
        algorithm: Algorithm,
        /// The encoded part, shortened.
        text: String,
        /// How many characters it must have.
        expected: usize,
    },
}

/// The digest of some content, always well-formed: `algorithm:hex` (image-spec, `descriptor.md`).
/// Ordered as its text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// A SHA-256 digest.
    Sha256([u8; 32]),
    /// A SHA-512 digest.
    Sha512([u8; 64]),
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes` by `algorithm`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Which algorithm it is of.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw bytes, 32 or 64 of them.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// The encoded part: lower-case hex without the algorithm.
    pub fn hex(&self) -> String {
        self.as_bytes()
            .iter()
            .fold(String::new(), |mut text, byte| {
                text.push(char::from(HEX[usize::from(byte >> 4)]));
                text.push(char::from(HEX[usize::from(byte & 15)]));
                text
            })
    }

    /// The first twelve hex characters, for people.
    pub fn short(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(12);
        hex
    }

    /// Where a layout keeps the content: `blobs/<algorithm>/<hex>` (image-spec, `image-layout.md`).
    pub fn blob_path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm(), self.hex())
    }

    /// The digest that `blob_path` belongs to; `None` where it is no such path.
    pub fn from_blob_path(path: &str) -> Option<Self> {
        let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
        format!("{algorithm}:{hex}").parse().ok()
    }

    /// The tag under which clients look for the referrers of this digest where the registry has no
    /// referrers API: `<algorithm>-<hex>`, the hex cut at 64 characters (distribution-spec,
    /// "Referrers Tag Schema").
    pub fn referrers_tag(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(64);
        format!("{}-{hex}", self.algorithm())
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let grammar = || DigestError::Grammar {
            text: shorten(text),
        };
        let (name, encoded) = text.split_once(':').ok_or_else(grammar)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            other if is_algorithm(other) && is_encoded(encoded) => {
                return Err(DigestError::UnknownAlgorithm {
                    algorithm: shorten(other),
                });
            }
            _ => return Err(grammar()),
        };
        decode(algorithm, encoded).ok_or_else(|| DigestError::Encoded {
            algorithm,
            text: shorten(encoded),
            expected: algorithm.digest_bytes() * 2,
        })
    }
}

fn is_algorithm(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+._-".contains(&c))
}

fn is_encoded(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"=_-".contains(&c))
}

fn decode(algorithm: Algorithm, encoded: &str) -> Option<Digest> {
    let mut bytes = [0; 64];
    let wanted = algorithm.digest_bytes();
    if encoded.len() != wanted * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(encoded.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(match algorithm {
        Algorithm::Sha256 => Digest::Sha256(bytes[..32].try_into().ok()?),
        Algorithm::Sha512 => Digest::Sha512(bytes),
    })
}

fn nibble(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// What an error shows of a text from outside: enough to find it, not all of it, and no password.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 100;
    let text = &without_password(text);
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(SHOWN).collect();
    short.push('…');
    short
}

/// `text` without what looks like `user:password@` before a host; a digest after the `@` is left alone.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) if before.contains(':') && !after.starts_with("sha") => {
            format!("***@{after}")
        }
        _ => text.to_owned(),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a digest over content that arrives in pieces.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts an empty computation.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that was taken.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::Sha256(state.finalize().into()),
            State::Sha512(state) => Digest::Sha512(state.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EMPTY_OBJECT: &str =
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn an_error_shows_no_password_of_a_text() {
        for (text, shown) in [
            ("me:canary@r.corp/x:v1", "***@r.corp/x:v1"),
            ("https://me:ca/na@ry@r.corp/", "***@r.corp/"),
            ("r.corp:5000/x@sha256:abc", "r.corp:5000/x@sha256:abc"),
            ("mail@r.corp", "mail@r.corp"),
        ] {
            assert_eq!(shorten(text), shown);
        }
    }

    #[test]
    fn a_digest_prints_as_it_was_read() {
        let digest: Digest = EMPTY_OBJECT.parse().unwrap();
        assert_eq!(digest, Digest::sha256(b"{}"));
        assert_eq!(digest.to_string(), EMPTY_OBJECT);
        assert_eq!(Digest::from_blob_path(&digest.blob_path()), Some(digest));
    }

    #[test]
    fn sha512_is_a_digest_and_its_referrers_tag_is_cut_at_64_characters() {
        let digest = Digest::of(Algorithm::Sha512, b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert_eq!(digest.referrers_tag().len(), "sha512-".len() + 64);
    }

    #[test]
    fn what_is_not_a_supported_digest_is_refused_by_kind() {
        let hex = "a".repeat(64);
        for text in [
            "",
            "sha256",
            "sha256:",
            "../../etc/passwd",
            "sha256:../../etc/passwd",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(matches!(
            format!("sha256:{}", hex.to_uppercase()).parse::<Digest>(),
            Err(DigestError::Encoded { .. })
        ));
        assert!(matches!(
            format!("sha256:{hex}0").parse::<Digest>(),
            Err(DigestError::Encoded { .. })
        ));
        assert!(matches!(
            format!("blake3:{hex}").parse::<Digest>(),
            Err(DigestError::UnknownAlgorithm { .. })
        ));
        assert!(matches!(
            format!("SHA256:{hex}").parse::<Digest>(),
            Err(DigestError::Grammar { .. })
        ));
    }
}
