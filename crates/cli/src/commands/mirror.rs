use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealift_archive::Bundle;
use sealift_oci::{Destination, Reference};
use sealift_products::OutputFile;
use sealift_products::mirror::{
    MirrorError, MirrorFormat, MirrorRequest, PolicyKey, SignatureKind, mirror_files, policy_files,
};

use crate::args::NamingArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, write_all};
use crate::{output, progress};

/// Print configuration that lets nodes ask the registry, for those who would rather not rewrite
///
/// Manifests keep the publishers' names, and the container runtime asks the destination first. Each format
/// can follow certain naming rules alone: that is checked for every image of the bundle.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift mirror containerd calico.tar registry.corp:5000 --out-dir certs.d
    sealift mirror k3s calico.tar registry.corp:5000/mirror --naming host
    sealift mirror registries-conf calico.tar registry.corp:5000 --policy-key /etc/pki/calico.pub")]
pub(crate) struct MirrorArgs {
    /// containerd, registries-conf (CRI-O, podman), k3s (and RKE2), openshift or docker
    format: MirrorFormat,
    /// The bundle that was loaded
    bundle: PathBuf,
    /// The registry, and the path below which it was loaded
    #[arg(value_name = "REGISTRY[/PATH]")]
    destination: Destination,
    #[command(flatten)]
    naming: NamingArgs,
    /// The registry speaks plain HTTP
    #[arg(long)]
    plain_http: bool,
    /// Write a policy.json too that demands signatures by the public key that nodes have under this
    /// path, made for the publishers' names (remapIdentity), and what lets nodes look for them
    #[arg(long, value_name = "PATH")]
    policy_key: Option<String>,
    /// What kind of key that is
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
    /// Replace files that are there
    #[arg(long, requires = "out_dir")]
    overwrite: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyKind {
    Sigstore,
    Gpg,
}

pub(crate) fn run(args: &MirrorArgs) -> Result<Exit, Failure> {
    let bundle = Bundle::open(&args.bundle)?;
    let naming = args.naming.naming()?;
    let images: Vec<Reference> = bundle
        .record()
        .images
        .iter()
        .map(|image| image.reference.clone())
        .collect();
    let request = MirrorRequest {
        images: &images,
        destination: &args.destination,
        naming: &naming,
        plain_http: args.plain_http,
    };
    let mut mirror = mirror_files(args.format, &request)?;
    if let Some(path) = &args.policy_key {
        let kind = match args.policy_kind {
            PolicyKind::Sigstore => SignatureKind::Sigstore,
            PolicyKind::Gpg => SignatureKind::Gpg,
        };
        let path = path.clone();
        let files = policy_files(&request, &PolicyKey { kind, path })?;
        mirror.notes.push(
            "merge policy.json into /etc/containers/policy.json on every node; what lies in registries.d goes to /etc/containers/registries.d"
                .to_owned(),
        );
        mirror.files.extend(files);
    }
    tell(args, &mirror.files)?;
    for note in &mirror.notes {
        progress::note(note);
    }
    Ok(Exit::Done)
}

fn tell(args: &MirrorArgs, files: &[OutputFile]) -> Result<(), Failure> {
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
