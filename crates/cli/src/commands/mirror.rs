//! `sealift mirror`: registry mirror configuration for container runtimes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealift_archive::Bundle;
use sealift_oci::{Destination, Reference};
use sealift_products::OutputFile;
use sealift_products::mirror::{
    MirrorError, MirrorFormat, MirrorRequest, PolicyKey, SignatureKind, mirror_files, policy_files,
};
use sealift_registry::is_loopback_authority;

use crate::args::NamingArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, check_folder, write_all};
use crate::{output, progress};

/// Print registry mirror configuration for container runtimes (an alternative to rewriting)
///
/// Manifests keep the publishers' names, and the container runtime asks the destination first. Each format
/// supports only certain naming rules: that is checked for every image in the bundle.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift mirror containerd calico.tar registry.corp:5000 --out-dir certs.d
    sealift mirror k3s calico.tar registry.corp:5000/mirror --naming host
    sealift mirror registries-conf calico.tar registry.corp:5000 --policy-key /etc/pki/calico.pub")]
pub(crate) struct MirrorArgs {
    /// containerd, registries-conf (CRI-O, podman), k3s (and RKE2), openshift or docker
    format: MirrorFormat,
    /// The bundle
    bundle: PathBuf,
    /// The registry, and the path below which the bundle was loaded
    #[arg(value_name = "REGISTRY[/PATH]")]
    destination: Destination,
    /// Use plain HTTP with this registry; loopback addresses need no flag (repeatable)
    #[arg(long, value_name = "HOST")]
    plain_http: Vec<String>,
    /// Also write a policy.json that requires signatures by the public key at PATH on the nodes, under the
    /// publishers' names (remapIdentity), and the file with which nodes look for signatures
    #[arg(long, value_name = "PATH")]
    policy_key: Option<String>,
    /// The kind of key at --policy-key
    #[arg(
        long,
        value_name = "KIND",
        default_value = "sigstore",
        requires = "policy_key"
    )]
    policy_kind: PolicyKind,
    /// Write the files to this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, requires = "out_dir")]
    overwrite: bool,
    #[command(flatten)]
    naming: NamingArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyKind {
    Sigstore,
    Gpg,
}

pub(crate) fn run(args: &MirrorArgs) -> Result<Exit, Failure> {
    let plain_http = plain_http(args)?;
    check_folder(args.out_dir.as_deref())?;
    let bundle = Bundle::open(&args.bundle, &crate::args::metadata_reading())?;
    let images: Vec<Reference> = bundle
        .record()
        .images
        .iter()
        .map(|image| image.reference.clone())
        .collect();
    let request = MirrorRequest {
        images: &images,
        destination: &args.destination,
        naming: &args.naming.naming()?,
        plain_http,
    };
    let mut mirror = mirror_files(args.format, &request)?;
    if let Some(path) = &args.policy_key {
        mirror.files.extend(policy(args, path, &request)?);
        mirror.notes.push(policy_note(args.format));
    }
    write(args, &mirror.files)?;
    for note in &mirror.notes {
        progress::note(note);
    }
    Ok(Exit::Done)
}

/// Whether the destination is reached over plain HTTP.
fn plain_http(args: &MirrorArgs) -> Result<bool, Failure> {
    let registry = args.destination.registry();
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let named = |given: &String| given == registry || given.eq_ignore_ascii_case(host);
    if let Some(other) = args.plain_http.iter().find(|given| !named(given)) {
        let message = format!("--plain-http {other}: the destination's registry is {registry}");
        return Err(Failure::message(Exit::Usage, message));
    }
    Ok(!args.plain_http.is_empty() || is_loopback_authority(registry))
}

fn policy(
    args: &MirrorArgs,
    path: &str,
    request: &MirrorRequest<'_>,
) -> Result<Vec<OutputFile>, Failure> {
    let kind = match args.policy_kind {
        PolicyKind::Sigstore => SignatureKind::Sigstore,
        PolicyKind::Gpg => SignatureKind::Gpg,
    };
    let path = path.to_owned();
    Ok(policy_files(request, &PolicyKey { kind, path })?)
}

fn policy_note(format: MirrorFormat) -> String {
    if format.reads_policy() {
        "merge policy.json into /etc/containers/policy.json on every node, and copy the files in registries.d to /etc/containers/registries.d".to_owned()
    } else {
        format!(
            "only CRI-O, podman and their like read policy.json; {format} does not check signatures"
        )
    }
}

fn write(args: &MirrorArgs, files: &[OutputFile]) -> Result<(), Failure> {
    let Some(folder) = &args.out_dir else {
        for file in files {
            let text = String::from_utf8_lossy(&file.bytes);
            output::line(&format!("# {}\n{}", file.name, text.trim_end()))?;
        }
        return Ok(());
    };
    let new: Vec<NewFile> = files
        .iter()
        .map(|file| NewFile {
            path: folder.join(&file.name),
            bytes: file.bytes.clone(),
            mode: ORDINARY,
            owner: None,
        })
        .collect();
    write_all(&new, args.overwrite)?;
    new.iter()
        .try_for_each(|file| output::line(&file.path.display().to_string()))
}

impl From<MirrorError> for Failure {
    fn from(error: MirrorError) -> Self {
        Self::new(Exit::Usage, &error)
    }
}
