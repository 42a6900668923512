//! What a bundle carries, whatever way its bytes are stored: the record, its identity, and the graph of
//! its manifests. Nothing here knows where a byte is.

mod artifact;
mod base;
mod destinations;
mod graph;
mod index_json;
mod names;
mod record;
mod referring;
mod rules;
mod value;

pub(crate) use artifact::{Artifact, ArtifactKind, EMPTY_CONFIG, Metadata, Part, artifact_index};
pub use base::Base;
pub use destinations::{
    Collision, DestinationManifest, DestinationNameError, Destinations, RecordEntry,
    all_destinations, destinations,
};
pub use graph::{
    BlobRef, Child, Graph, GraphError, MAX_CONFIG_BYTES, MAX_ENTRIES, MAX_INDEX_DEPTH, Node, Reach,
    Role,
};
pub(crate) use index_json::{OCI_LAYOUT, index_json};
pub use names::{Names, NeededBy};
pub(crate) use record::MAX_RECORD_BYTES;
pub use record::{
    BlobEntry, Discovery, FileEntry, FileKind, Identity, ImageEntry, ImageSource, PlainDescriptor,
    PlatformEntry, Record, RecordError, ReferrerEntry,
};
pub use referring::Referring;
pub use rules::RuleError;
pub use value::Contents;
