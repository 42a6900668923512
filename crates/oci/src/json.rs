//! The checks that JSON from outside passes before anything is read out of it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Why a document is not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    message: String,
}

/// Checks that `bytes` are one JSON value of I-JSON's kind (RFC 7493, asked for by image-spec,
/// `considerations.md`): UTF-8, no byte-order mark, no object with the same name twice, nothing after
/// the value, and no nesting that a recursive reader would fall over.
///
/// # Errors
/// The message carries line and column.
pub fn check_json(bytes: &[u8]) -> Result<(), JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
        message: format!("not UTF-8 at byte {}", error.valid_up_to()),
    })?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError {
            message: "starts with a byte-order mark".to_owned(),
        });
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Check
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(JsonError::from)
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            message: crate::digest::shorten(&error.to_string()),
        }
    }
}

/// Reads a field that some writers set to `null` where they mean "none".
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Copy)]
struct Check;

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            entries.next_value_seed(self)?;
            if let Some(name) = names.replace(name) {
                let name = crate::digest::shorten(&name);
                return Err(de::Error::custom(format_args!(
                    "the name {name:?} occurs twice in one object"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_passes() {
        assert_eq!(
            check_json(br#"{"a":[1,-2,1.5,null,true,"x"],"b":{"a":{}}}"#),
            Ok(())
        );
    }

    #[test]
    fn a_repeated_name_is_refused() {
        assert!(check_json(br#"{"a":1,"b":{"c":1,"c":2}}"#).is_err());
        assert!(check_json(br#"{"a":1,"\u0061":2}"#).is_err());
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(check_json(br"{} {}").is_err());
        assert!(check_json(b"{}\0").is_err());
        assert_eq!(check_json(b"{}\n"), Ok(()));
    }

    #[test]
    fn a_million_levels_are_refused_and_not_followed() {
        assert!(check_json("[".repeat(1_000_000).as_bytes()).is_err());
        assert!(check_json("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn other_encodings_are_refused() {
        assert!(check_json(b"\xef\xbb\xbf{}").is_err());
        assert!(check_json(b"\xff\xfe{\0}\0").is_err());
        assert!(check_json(b"NaN").is_err());
    }
}
