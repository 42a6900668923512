//! Annotation keys, by the specification or the program that gives them their meaning.

/// The name of an image inside a layout (image-spec, `annotations.md`).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full image name that containerd and docker give to an imported descriptor.
pub const CONTAINERD_IMAGE_NAME: &str = "io.containerd.image.name";
/// What containerd's exporter writes on a referrer in a layout: the digest of its subject. A
/// descriptor that has it is imported as a referrer, not as an image.
pub const CONTAINERD_SUBJECT: &str = "io.containerd.manifest.subject";
/// The title of a layer that is a file (image-spec, `annotations.md`; oras writes it out under it).
pub const TITLE: &str = "org.opencontainers.image.title";
/// `BuildKit`: what a child of an index is when it is no image (`attestation-manifest`).
pub const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// `BuildKit`: the digest of the image that an attestation manifest belongs to.
pub const DOCKER_REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// The value of [`DOCKER_REFERENCE_TYPE`] for attestations.
pub const ATTESTATION_MANIFEST: &str = "attestation-manifest";
