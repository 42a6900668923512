//! The transfer record: what a bundle carries, in the one form that its content has.

use std::fmt;
use std::io::{self, Write};

use sealift_oci::{Descriptor, Digest, JsonError, Platform, Reference, check_json};
use serde::{Deserialize, Serialize};

/// The value of [`Record::format`] that this version writes and reads.
pub(crate) const FORMAT: &str = "sealift.record/1";

/// No record is larger, in bytes: some 20,000 images with their manifests and blobs.
pub(crate) const MAX_RECORD_BYTES: u64 = 32 << 20;

/// The digest of a bundle's record, and with it of everything that the bundle carries: the record names
/// the digest of every manifest and blob, and the rest of the file follows from the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(pub Digest);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The transfer record, `sealift.json`: what a bundle carries, where it came from, what was left out.
///
/// Every list is sorted and has no duplicates, so that equal content is equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The format's name and version.
    pub format: String,
    /// The images, by reference.
    pub images: Vec<ImageEntry>,
    /// Signatures, attestations and SBOMs, by repository, subject and digest.
    pub referrers: Vec<ReferrerEntry>,
    /// Carried files, by name.
    pub files: Vec<FileEntry>,
    /// Every manifest in the bundle, by digest: media type, digest and size.
    pub manifests: Vec<PlainDescriptor>,
    /// Every other blob in the bundle, by digest.
    pub blobs: Vec<BlobEntry>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageEntry {
    /// Its name, as asked for, normalised.
    pub reference: Reference,
    /// The manifest or index that the name stands for in this bundle.
    pub descriptor: PlainDescriptor,
    /// Where it was taken from.
    pub source: ImageSource,
    /// The publisher's index, where platforms were chosen and `descriptor` is a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<PlainDescriptor>,
    /// The platforms that are here, in the index's order. Empty where the image names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<PlatformEntry>,
    /// What the index has and the bundle has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<PlatformEntry>,
    /// Whether the digest was made here: the source (a `docker save` archive) had no manifest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_digest: bool,
}

/// The three fields that identify a manifest; what a [`Descriptor`] is without its annotations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlainDescriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl From<&Descriptor> for PlainDescriptor {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest,
            size: descriptor.size,
        }
    }
}

impl From<&PlainDescriptor> for Descriptor {
    fn from(plain: &PlainDescriptor) -> Self {
        Self::new(&plain.media_type, plain.digest, plain.size)
    }
}

/// Where an image was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// The registry that its reference names.
    Registry,
    /// An OCI layout, in a folder or a tar.
    Layout,
    /// A `docker save` archive.
    DockerArchive,
}

/// A platform of an index, with the child that is for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformEntry {
    /// The platform; none for a child that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The child's digest.
    pub digest: Digest,
}

/// A signature, an attestation, an SBOM: a manifest that belongs to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferrerEntry {
    /// Registry and repository that it was found in, and whose name at the destination it follows.
    pub repository: String,
    /// What it belongs to.
    pub subject: Digest,
    /// Its manifest.
    pub descriptor: PlainDescriptor,
    /// What kind of artifact it is, as far as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// How it was found.
    #[serde(rename = "found")]
    pub discovery: Discovery,
}

/// How a referrer was found, and with it how it has to be stored to be found again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discovery {
    /// Its `subject` field: by the referrers API or the fallback tag.
    Subject,
    /// Cosign's convention: a tag made of the subject's digest, `sha256-<hex>.sig`.
    Tag(String),
}

/// What a carried file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// One file.
    File,
    /// A folder with all below it.
    Folder,
    /// A Helm chart's package.
    Chart,
}

/// A carried file or folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEntry {
    /// The name that it is written out under: one component.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// The name that it is pushed under.
    pub reference: Reference,
    /// The artifact's manifest.
    pub descriptor: PlainDescriptor,
}

/// A blob that is no manifest: a config, a layer, an artifact's content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobEntry {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is small and read while planning: an image's config.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub config: bool,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not acceptable JSON.
    #[error("the record is not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but no record.
    #[error("the record does not have a record's form: {0}")]
    Form(String),
    /// Written by a later version of the format.
    #[error("the record is of format {found:?}; this version of sealift reads {FORMAT:?}")]
    Format {
        /// What it says.
        found: String,
    },
    /// A record, but not in the one form that its content has.
    #[error(
        "the record is not in canonical form (sorted, without duplicates, written as sealift writes it)"
    )]
    NotCanonical,
}

/// Takes the bytes that it holds, in order, and fails on any other.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.strip_prefix(bytes) {
            Some(rest) => {
                self.0 = rest;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Probe {
    format: String,
}

impl Record {
    /// A record with nothing in it.
    pub fn empty() -> Self {
        Self {
            format: FORMAT.to_owned(),
            images: Vec::new(),
            referrers: Vec::new(),
            files: Vec::new(),
            manifests: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// The same content in the one order that its bytes have.
    pub fn canonical(mut self) -> Self {
        self.images.sort();
        self.images.dedup();
        self.referrers.sort();
        self.referrers.dedup();
        self.files.sort();
        self.files.dedup();
        self.manifests.sort_by(|a, b| {
            (a.digest, a.size, &a.media_type).cmp(&(b.digest, b.size, &b.media_type))
        });
        // One digest with two sizes stays twice, so that the layout can say so.
        self.manifests
            .dedup_by(|a, b| (a.digest, a.size) == (b.digest, b.size));
        self.blobs.sort();
        self.blobs
            .dedup_by(|a, b| (a.digest, a.size) == (b.digest, b.size));
        self
    }

    /// The bytes of `sealift.json`: JSON with two spaces of indentation and a line feed at its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("a record has no map with other keys than text");
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Record::to_bytes`] wrote, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        check_json(bytes)?;
        let form = |error: serde_json::Error| RecordError::Form(error.to_string());
        let probe: Probe = serde_json::from_slice(bytes).map_err(form)?;
        if probe.format != FORMAT {
            return Err(RecordError::Format {
                found: probe.format.chars().take(60).collect(),
            });
        }
        let record: Self = serde_json::from_slice(bytes).map_err(form)?;
        if !record.is_canonical() || !record.is_written_as(bytes) {
            return Err(RecordError::NotCanonical);
        }
        Ok(record)
    }

    /// Whether every list is sorted and without duplicates.
    fn is_canonical(&self) -> bool {
        fn increasing<T: Ord>(items: &[T]) -> bool {
            items.is_sorted_by(|one, next| one < next)
        }
        increasing(&self.images)
            && increasing(&self.referrers)
            && increasing(&self.files)
            && self.manifests.is_sorted_by(|one, next| {
                (one.digest, one.size, &one.media_type)
                    <= (next.digest, next.size, &next.media_type)
                    && (one.digest, one.size) != (next.digest, next.size)
            })
            && self.blobs.is_sorted_by(|one, next| {
                one < next && (one.digest, one.size) != (next.digest, next.size)
            })
    }

    /// Whether `bytes` is what [`Record::to_bytes`] returns; without a second copy of it.
    fn is_written_as(&self, bytes: &[u8]) -> bool {
        let mut rest = Expected(bytes);
        serde_json::to_writer_pretty(&mut rest, self).is_ok() && rest.0 == b"\n"
    }

    /// The identity of the bundle that carries this record.
    pub fn identity(&self) -> Identity {
        Identity(Digest::sha256(&self.to_bytes()))
    }

    /// Every manifest and blob with its size in bytes.
    pub fn sizes(&self) -> impl Iterator<Item = (Digest, u64)> {
        let manifests = self.manifests.iter().map(|one| (one.digest, one.size));
        let blobs = self.blobs.iter().map(|blob| (blob.digest, blob.size));
        manifests.chain(blobs)
    }

    /// Every manifest that something names from outside: images, referrers and files.
    pub fn roots(&self) -> impl Iterator<Item = &PlainDescriptor> {
        let images = self.images.iter().map(|image| &image.descriptor);
        let referrers = self.referrers.iter().map(|referrer| &referrer.descriptor);
        let files = self.files.iter().map(|file| &file.descriptor);
        images.chain(referrers).chain(files)
    }
}

/// Registry, repository and the tag that holds the image where it is stored.
pub(crate) fn stored_name(reference: &Reference) -> String {
    format!("{}:{}", reference.name(), reference.storage_tag())
}
