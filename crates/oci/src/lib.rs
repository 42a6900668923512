//! The nouns that every other crate speaks: [`Digest`], [`Descriptor`], [`Platform`], [`Reference`],
//! [`Manifest`] (the bytes with a typed view) and the rules that name an image at its destination.
//!
//! Nothing here reads, writes or prints. Everything that parses is total: any text gives a value or a
//! typed error, in time and memory bounded by its length.

mod artifact_kind;
mod descriptor;
mod digest;
mod dns;
mod image_config;
mod infer;
mod json;
mod manifest;
pub mod media_type;
mod naming;
mod platform;
mod ref_name;
mod reference;
mod text;
mod units;

pub mod annotation;

pub use artifact_kind::{ArtifactClass, ArtifactKind};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use dns::is_subdomain;
pub use image_config::{BuildStep, ImageConfig, ImageConfigError};
pub use json::{JsonError, check_json};
pub use manifest::{Kind, MAX_MANIFEST_BYTES, Manifest, ManifestError};
pub use naming::{Destination, DestinationError, MapRule, Naming, NamingError, NamingRule};
pub use platform::{Platform, PlatformSelector, SelectorError};
pub use ref_name::{decode_ref_name, encode_ref_name};
pub use reference::{Reference, ReferenceError, valid_repository, valid_tag};
pub use text::{escaped, escaped_json, escaped_lines, excerpt};
pub use units::human_bytes;
