//! Registry mirror configuration for container runtimes, an alternative to rewriting manifests: image names
//! stay as they are, and the runtime asks the destination first.

mod containerd;
mod docker;
mod k3s;
mod names;
mod openshift;
mod policy;
mod registries_conf;
mod request;

pub use names::rules;
pub use policy::{PolicyKey, SignatureKind, policy_files};
pub use request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};

/// Writes the configuration, after checking for every image that the runtime's rule leads to the name
/// under which it was loaded.
///
/// # Errors
/// If the format cannot express it.
pub fn mirror_files(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<MirrorFiles, MirrorError> {
    if request.images.is_empty() {
        return Err(MirrorError::Empty { format });
    }
    match format {
        MirrorFormat::Containerd => containerd::files(request),
        MirrorFormat::RegistriesConf => registries_conf::files(request),
        MirrorFormat::K3s => k3s::files(request),
        MirrorFormat::OpenShift => openshift::files(request),
        MirrorFormat::Docker => docker::files(request),
    }
}
