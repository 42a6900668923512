mod given;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use sealift_archive::{Bundle, Record};
use sealift_oci::{Destination, Digest, NamingRule, Reference};
use sealift_products::calico::{
    ApplyFiles, ApplyRequest, CalicoError, Install, InstallationKind, Manifest, PullSecret, Target,
    apply_files,
};
use sealift_products::{Catalogue, Product, ProductImage, ProductSpec, Release, Selection};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, SECRET, write_all};
use crate::products::{ProductDataArgs, catalogue, name, select};
use crate::sources::read_input;
use crate::{output, progress};
use given::Given;

/// Write what a product needs to install from a registry
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
    sealift product calico calico.tar registry.corp:5000/mirror --out-dir apply")]
pub(crate) struct ProductCommandArgs {
    #[command(subcommand)]
    product: ProductCommand,
}

#[derive(Subcommand, Debug)]
enum ProductCommand {
    Calico(CalicoArgs),
}

/// Write the files that make Calico install from a registry: Installation, ImageSet, pull secret
///
/// One folder, with a README of the commands to run in order and a checklist for a second person. For each
/// image it is proved that the name which this release's operator will compose is the one that load
/// writes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift product calico calico.tar registry.corp:5000/mirror --out-dir apply
    sealift product calico calico.tar registry.corp:5000/calico --naming flat --install helm --out-dir apply
    sealift product calico calico.tar registry.corp:5000 --manifest tigera-operator.yaml \\
        --pull-secret corp --credentials ~/.docker/config.json --out-dir apply")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct CalicoArgs {
    /// The bundle that is loaded
    bundle: PathBuf,
    /// The registry, and the path below which it is loaded
    #[arg(value_name = "REGISTRY[/PATH]")]
    destination: Destination,
    /// The release; found by the operator's or the node's image in the bundle where it is not given
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    #[command(flatten)]
    data: ProductDataArgs,
    /// keep: REGISTRY/PATH/calico/node; flat: REGISTRY/PATH/node (imagePath)
    #[arg(long, value_name = "RULE", default_value = "keep")]
    naming: NamingRule,
    /// Put this before the last part of every name (imagePrefix)
    #[arg(long, value_name = "PREFIX")]
    image_prefix: Option<String>,
    /// How Calico gets into the cluster
    #[arg(long, value_name = "WAY", default_value = "operator")]
    install: Way,
    /// Write a patch for the Installation that is there instead of a fresh one
    #[arg(long)]
    patch: bool,
    /// Leave the ImageSet out: images go by tag
    #[arg(long)]
    no_imageset: bool,
    /// The name of the pull secret
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// Make the pull secret of this Docker credentials file; it is never printed
    #[arg(long, value_name = "FILE", requires = "pull_secret")]
    credentials: Option<PathBuf>,
    /// Rewrite a manifest of the release into the folder: tigera-operator.yaml, 02-tigera-operator.yaml,
    /// calico.yaml, … [repeatable]
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// The folder to write to
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out_dir: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
    /// Show what would be written, secrets not, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Tell the proof as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Operator,
    Openshift,
    Helm,
    Manifests,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    release: String,
    operator: Option<&'a str>,
    files: Vec<Cow<'a, str>>,
    proof: Vec<ProofRow>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct ProofRow {
    image: String,
    loaded: String,
    by: &'static str,
}

pub(crate) fn run(args: &ProductCommandArgs) -> Result<Exit, Failure> {
    match &args.product {
        ProductCommand::Calico(args) => calico(args),
    }
}

fn calico(args: &CalicoArgs) -> Result<Exit, Failure> {
    if args.patch && matches!(args.install, Way::Helm | Way::Manifests) {
        let message = "--patch is for an Installation resource that someone made";
        return Err(Failure::message(Exit::Usage, message).hint(
            "with Helm the chart makes it, of values.yaml; manifests without the operator have none",
        ));
    }
    let bundle = Bundle::open(&args.bundle)?;
    let catalogue = catalogue(&args.data)?;
    let (product, release) = release(args, &catalogue, bundle.record())?;
    let images = bundled(product, release, bundle.record())?;
    let target = Target::new(
        args.destination.clone(),
        args.naming,
        args.image_prefix.as_deref(),
    )?;
    let digests = digests(bundle.record());
    let identity = bundle.identity().to_string();
    let bundle_name = seen_from(args.out_dir.as_deref(), &args.bundle);
    let given = given::manifests(args, &target, bundle.record())?;
    let names: Vec<Manifest> = given.iter().map(Given::manifest).collect();
    let applied = apply_files(&ApplyRequest {
        release,
        images: &images,
        target: &target,
        naming: target.naming(),
        digests: &digests,
        image_set: !args.no_imageset,
        pull_secret: &pull_secret(args)?,
        install: install(args),
        bundle: &bundle_name,
        manifests: &names,
        identity: Some(&identity),
    })?;
    let mut files: Vec<NewFile> = given.into_iter().map(|given| given.file).collect();
    files.extend(applied.files.iter().map(|file| NewFile {
        path: file.name.clone().into(),
        bytes: file.bytes.clone(),
        mode: if file.secret { SECRET } else { ORDINARY },
        owner: None,
    }));
    refuse_two_of_one_name(&files)?;
    for warning in &applied.warnings {
        progress::warn(warning);
    }
    finish(args, release, &applied, &files)
}

/// All files go into one folder, by their names.
fn refuse_two_of_one_name(files: &[NewFile]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match files.iter().find(|file| !seen.insert(&file.path)) {
        None => Ok(()),
        Some(file) => {
            let message = format!("two of the files would be {}", file.path.display());
            Err(Failure::message(Exit::Usage, message)
                .hint("rename the manifest, or rewrite it with `sealift rewrite`"))
        }
    }
}

/// The bundle's path for someone who works in the folder.
fn seen_from(folder: Option<&Path>, bundle: &Path) -> String {
    let Some(folder) = folder.filter(|_| bundle.is_relative()) else {
        return bundle.display().to_string();
    };
    let steps: Option<Vec<&str>> = folder
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| matches!(part, Component::Normal(_)).then_some(".."))
        .collect();
    match steps {
        Some(up) => up.iter().collect::<PathBuf>().join(bundle),
        // From a folder that is somewhere else, only the whole path leads back.
        None => std::path::absolute(bundle).unwrap_or_else(|_| bundle.to_owned()),
    }
    .display()
    .to_string()
}

/// The release that was named, or the one that the bundle's images belong to.
fn release<'c>(
    args: &CalicoArgs,
    catalogue: &'c Catalogue,
    record: &Record,
) -> Result<(&'c Product, &'c Release), Failure> {
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Usage, error);
    if let Some(version) = &args.release {
        let spec: ProductSpec = format!("calico@{version}")
            .parse()
            .map_err(|error| usage(&error))?;
        let found = catalogue.resolve(&spec).map_err(|error| usage(&error))?;
        return Ok((found.product, found.release));
    }
    let product = catalogue.product("calico");
    let found = product.and_then(|product| {
        let mut releases = product.releases.iter();
        let release = releases.find(|release| belongs(release, record))?;
        Some((product, release))
    });
    found.ok_or_else(|| {
        let message = "the bundle has no operator and no node image of a known Calico release";
        Failure::message(Exit::Usage, message).hint(
            "say which release it is with --release, and bundle it with --product calico@VERSION",
        )
    })
}

fn belongs(release: &Release, record: &Record) -> bool {
    let tag_of = |repository: &str| {
        let image = record
            .images
            .iter()
            .find(|image| image.reference.repository() == repository);
        image.and_then(|image| image.reference.tag())
    };
    match tag_of("tigera/operator") {
        Some(tag) => release
            .operator
            .as_ref()
            .is_some_and(|operator| operator.as_str() == tag),
        None => tag_of("calico/node") == Some(release.version.as_str()),
    }
}

/// The release's images that the bundle has; a default install's that it has not are said aloud.
fn bundled(
    product: &Product,
    release: &Release,
    record: &Record,
) -> Result<Vec<ProductImage>, Failure> {
    let all = select(product, release, &Selection::default())?;
    let (mut images, mut missing) = (Vec::new(), Vec::new());
    for image in &all.images {
        match carried(image, record) {
            Some(carried) => images.push(carried),
            None => missing.push(&image.reference),
        }
    }
    let optional = all.left_out.iter();
    images.extend(optional.filter_map(|image| carried(image, record)));
    if images.is_empty() {
        let message = format!("the bundle has no image of {}", name(release));
        return Err(
            Failure::message(Exit::Usage, message).hint("bundle it with --product calico@VERSION")
        );
    }
    for reference in missing {
        progress::warn(&format!(
            "the bundle does not have {reference}, which a default install of {} pulls",
            name(release)
        ));
    }
    Ok(images)
}

/// The image under the name that the bundle has it by: its own, or that of a registry which has the same
/// repository.
fn carried(image: &ProductImage, record: &Record) -> Option<ProductImage> {
    let named = |carried: &&Reference| {
        carried.repository() == image.reference.repository()
            && carried.tag() == image.reference.tag()
    };
    let mut references = record.images.iter().map(|carried| &carried.reference);
    let exact = references
        .clone()
        .find(|carried| **carried == image.reference);
    let reference = exact.or_else(|| references.find(named))?.clone();
    Some(ProductImage {
        reference,
        ..image.clone()
    })
}

fn digests(record: &Record) -> BTreeMap<Reference, Digest> {
    let images = record.images.iter();
    images
        .map(|image| (image.reference.clone(), image.descriptor.digest))
        .collect()
}

fn pull_secret(args: &CalicoArgs) -> Result<PullSecret, Failure> {
    let Some(name) = args.pull_secret.clone() else {
        return Ok(PullSecret::None);
    };
    let Some(path) = &args.credentials else {
        return Ok(PullSecret::Named(name));
    };
    let file = path.display().to_string();
    let bytes = read_input(path, &file)?;
    Ok(PullSecret::FromFile { name, file, bytes })
}

fn install(args: &CalicoArgs) -> Install {
    let kind = if args.patch {
        InstallationKind::Patch
    } else {
        InstallationKind::Fresh
    };
    match args.install {
        Way::Operator => Install::Operator(kind),
        Way::Openshift => Install::OpenShift(kind),
        Way::Helm => Install::Helm,
        Way::Manifests => Install::Manifests,
    }
}

fn finish(
    args: &CalicoArgs,
    release: &Release,
    applied: &ApplyFiles,
    files: &[NewFile],
) -> Result<Exit, Failure> {
    match (&args.out_dir, args.dry_run) {
        (Some(folder), false) => write(args, folder, files)?,
        _ if args.json => {}
        _ => files.iter().try_for_each(show)?,
    }
    if args.json {
        output::json(&report(release, applied, files))?;
    }
    Ok(Exit::Done)
}

fn write(args: &CalicoArgs, folder: &Path, files: &[NewFile]) -> Result<(), Failure> {
    let files: Vec<NewFile> = files
        .iter()
        .map(|file| NewFile {
            path: folder.join(&file.path),
            bytes: file.bytes.clone(),
            mode: file.mode,
            owner: None,
        })
        .collect();
    write_all(&files, args.overwrite)?;
    warn_of_others(folder, &files);
    if args.json {
        return Ok(());
    }
    files
        .iter()
        .try_for_each(|file| output::line(&file.path.display().to_string()))
}

/// What an earlier run left may be of another destination, and `kubectl apply -f` takes whole folders.
fn warn_of_others(folder: &Path, files: &[NewFile]) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut others: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| !files.iter().any(|file| file.path == entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    others.sort();
    if !others.is_empty() {
        progress::warn(&format!(
            "{} has files that this run did not write: {}",
            folder.display(),
            others.join(", ")
        ));
    }
}

/// Prints a file under its name, unless it holds credentials.
fn show(file: &NewFile) -> Result<(), Failure> {
    let text = match file.mode {
        SECRET => "(credentials: not shown)".into(),
        _ => String::from_utf8_lossy(&file.bytes),
    };
    output::line(&format!("=== {}\n{}", file.path.display(), text.trim_end()))
}

fn report<'a>(release: &'a Release, applied: &'a ApplyFiles, files: &'a [NewFile]) -> Report<'a> {
    let rows = applied.proof.rows.iter();
    Report {
        release: name(release),
        operator: release
            .operator
            .as_ref()
            .map(sealift_products::Version::as_str),
        files: files
            .iter()
            .map(|file| file.path.to_string_lossy())
            .collect(),
        proof: rows
            .map(|row| ProofRow {
                image: row.image.to_string(),
                loaded: row.loaded.to_string(),
                by: match row.by {
                    sealift_products::calico::ProvedBy::Operator => "operator",
                    sealift_products::calico::ProvedBy::Manifest => "manifest",
                },
            })
            .collect(),
        warnings: &applied.warnings,
    }
}

impl From<CalicoError> for Failure {
    fn from(error: CalicoError) -> Self {
        let exit = match &error {
            CalicoError::Collision { .. } | CalicoError::Mismatch { .. } => Exit::Conflict,
            _ => Exit::Usage,
        };
        Self::new(exit, &error)
    }
}
