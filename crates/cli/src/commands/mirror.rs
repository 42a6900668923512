//! `sealift mirror`: registry mirror configuration for container runtimes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealift_archive::Bundle;
use sealift_oci::{Destination, Naming, Reference};
use sealift_products::OutputFile;
use sealift_products::mirror::{
    MirrorError, MirrorFormat, MirrorRequest, PolicyKey, SignatureKind, mirror_files, policy_files,
};
use sealift_registry::is_loopback_authority;

use crate::args::NamingArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, check_folder, write_all};
use crate::heading;
use crate::{output, progress, receipt};

/// Print registry mirror configuration for container runtimes (an alternative to rewriting)
///
/// Manifests keep the publishers' names, and the container runtime asks the destination first. Each format
/// supports only certain naming rules: that is checked for every image in the bundle.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift mirror containerd calico.tar registry.corp:5000 --out-dir certs.d
    sealift mirror k3s calico.tar registry.corp:5000/mirror --naming host
    sealift mirror k3s --receipt calico.json
    sealift mirror registries-conf calico.tar registry.corp:5000 --policy-key /etc/pki/calico.pub")]
pub(crate) struct MirrorArgs {
    /// containerd, registries-conf (CRI-O, podman), k3s (and RKE2), openshift or docker
    format: MirrorFormat,
    /// The bundle
    #[arg(required_unless_present = "receipt")]
    bundle: Option<PathBuf>,
    /// The registry, and the path below which the bundle was loaded
    #[arg(value_name = "REGISTRY[/PATH]", required_unless_present = "receipt")]
    destination: Option<Destination>,
    /// Read images, destination and names from the receipt that load wrote
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["bundle", "destination", "naming", "map", "image_prefix"]
    )]
    receipt: Option<PathBuf>,
    /// Use plain HTTP with this registry; loopback addresses need no option (repeatable)
    #[arg(help_heading = heading::REGISTRY, long, value_name = "HOST")]
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
    #[arg(help_heading = heading::OUTPUT, long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Replace files that exist
    #[arg(help_heading = heading::OUTPUT, long, requires = "out_dir")]
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
    check_folder(args.out_dir.as_deref())?;
    let mirrored = mirrored(args)?;
    let request = MirrorRequest {
        images: &mirrored.images,
        destination: &mirrored.destination,
        naming: &mirrored.naming,
        plain_http: plain_http(args, mirrored.destination.registry())?,
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

/// What is mirrored, and where it is.
struct Mirrored {
    images: Vec<Reference>,
    destination: Destination,
    naming: Naming,
}

fn mirrored(args: &MirrorArgs) -> Result<Mirrored, Failure> {
    if let Some(path) = &args.receipt {
        let loaded = receipt::read(path)?;
        let naming = loaded.names();
        return Ok(Mirrored {
            naming: naming.map_err(|error| Failure::new(Exit::Usage, &error))?,
            images: loaded.images.into_keys().collect(),
            destination: loaded.destination,
        });
    }
    let (Some(bundle), Some(destination)) = (&args.bundle, &args.destination) else {
        // clap demands both, or a receipt.
        return Err(Failure::message(Exit::Usage, "no bundle was given"));
    };
    let bundle = Bundle::open(bundle, &crate::args::metadata_reading())?;
    let images = bundle.record().images.iter();
    Ok(Mirrored {
        images: images.map(|image| image.reference.clone()).collect(),
        destination: destination.clone(),
        naming: args.naming.naming()?,
    })
}

/// Whether the destination is reached over plain HTTP.
fn plain_http(args: &MirrorArgs, registry: &str) -> Result<bool, Failure> {
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
            output::line(&format!("# {}", file.name))?;
            output::content(text.trim_end())?;
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
