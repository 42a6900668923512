//! Error codes of a registry's responses, typed: decisions are made by code and never by message text.

use std::fmt;

/// The codes that the specification lists (distribution-spec, "Error Codes").
pub use oci_spec::distribution::ErrorCode as SpecCode;

/// No code is kept longer: what is longer is not a code.
const MAX_CODE_BYTES: usize = 64;

/// The code of an error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// One that the specification lists.
    Spec(SpecCode),
    /// Another one, as the registry wrote it: `TAG_INVALID`.
    Other(String),
}

impl ErrorCode {
    /// Reads a code; `None` if `text` does not have the form of one (upper-case letters, digits and `_`).
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
        if text.is_empty() || text.len() > MAX_CODE_BYTES || !text.bytes().all(is_code) {
            return None;
        }
        let spec = serde_json::from_value(serde_json::Value::from(text));
        Some(spec.map_or_else(|_| Self::Other(text.to_owned()), Self::Spec))
    }

    /// Whether the upload session no longer exists, which says nothing about the blob.
    pub(crate) fn is_lost_session(&self) -> bool {
        matches!(
            self,
            Self::Spec(SpecCode::BlobUploadUnknown | SpecCode::BlobUploadInvalid)
        )
    }

    /// Whether something that a manifest refers to does not exist.
    pub(crate) fn is_blob_unknown(&self) -> bool {
        matches!(
            self,
            Self::Spec(SpecCode::ManifestBlobUnknown | SpecCode::BlobUnknown)
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The one code whose name has no underscores.
            Self::Spec(SpecCode::TooManyRequests) => f.write_str("TOOMANYREQUESTS"),
            Self::Spec(code) => write!(f, "{code}"),
            Self::Other(code) => f.write_str(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_as_it_was_read() {
        for text in [
            "BLOB_UNKNOWN",
            "BLOB_UPLOAD_INVALID",
            "TOOMANYREQUESTS",
            "TAG_INVALID",
        ] {
            let code = ErrorCode::parse(text).expect(text);
            assert_eq!(code.to_string(), text);
            assert_eq!(matches!(code, ErrorCode::Other(_)), text == "TAG_INVALID");
        }
    }

    #[test]
    fn text_is_not_a_code() {
        let long = "A".repeat(65);
        for text in ["", "not found", "denied", "A-B", "A\u{1b}", long.as_str()] {
            assert_eq!(ErrorCode::parse(text), None, "{text}");
        }
    }
}
