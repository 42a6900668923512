//! `sealift product calico`: the folder with which Calico installs from a registry.

use std::borrow::Cow;

use sealift_archive::Bundle;
use sealift_oci::{NamingRule, Reference};
use sealift_products::calico::{
    ApplyFiles, ApplyRequest, CalicoError, Contents, Install, InstallationKind, Manifest, ProvedBy,
    PullSecret, Target, apply_files, contents, release_of,
};
use sealift_products::{Catalogue, Product, ProductSpec, Release, Version};
use serde::Serialize;

use super::args::{CalicoArgs, Method};
use super::folder::{self, seen_from};
use super::given::{self, Given};
use super::loaded::{Destined, destined};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, SECRET, check_folder};
use crate::products::{catalogue, name};
use crate::sources::read_input;
use crate::{output, progress, words};

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

pub(super) fn run(args: &CalicoArgs) -> Result<Exit, Failure> {
    check(args)?;
    let bundle = Bundle::open(&args.bundle, &crate::args::metadata_reading())?;
    let catalogue = catalogue(&args.data)?;
    let destined = destined(args, &bundle)?;
    let (product, release) = release(args, &catalogue, &destined.references())?;
    let contents = contents(product, release, &destined.references(), install(args))?;
    let given = given::manifests(args, &destined)?;
    missing(args, release, &contents, &given)?;
    let chart = args.chart.as_deref().map(given::chart).transpose()?;
    let applied = applied(args, release, &contents, &destined, &given, chart.as_ref())?;
    let files = files(given, chart, &applied)?;
    for warning in &applied.warnings {
        progress::warn(warning);
    }
    finish(args, release, &applied, &files)
}

/// What can be refused before anything is read.
fn check(args: &CalicoArgs) -> Result<(), Failure> {
    let usage = |message: &str| Failure::message(Exit::Usage, message);
    let helm = args.install == Method::Helm;
    if args.patch && (helm || args.install == Method::Manifests) {
        return Err(usage("--patch cannot be used with --install helm or --install manifests").hint(
            "Helm's chart creates the Installation from values.yaml; manifests without the operator do not have one",
        ));
    }
    if args.chart.is_some() && !helm {
        return Err(usage("--chart is for --install helm"));
    }
    check_folder(args.out_dir.as_deref())
}

/// The requested release, or the one that the bundle's images belong to.
fn release<'c>(
    args: &CalicoArgs,
    catalogue: &'c Catalogue,
    bundled: &[Reference],
) -> Result<(&'c Product, &'c Release), Failure> {
    if let Some(version) = &args.release {
        let spec: ProductSpec = format!("calico@{version}")
            .parse()
            .map_err(|error| Failure::new(Exit::Usage, &error))?;
        let resolved = catalogue.resolve(&spec)?;
        return Ok((resolved.product, resolved.release));
    }
    let product = catalogue.named("calico")?;
    let release = release_of(product, bundled).ok_or_else(|| {
        let message =
            "the bundle contains neither the operator nor the node image of a known Calico release";
        Failure::message(Exit::Usage, message)
            .hint("name the release with --release, and bundle it with --product calico@VERSION")
    })?;
    Ok((product, release))
}

/// Refuses a bundle without an image that the install would pull, unless that was allowed.
fn missing(
    args: &CalicoArgs,
    release: &Release,
    contents: &Contents,
    given: &[Given],
) -> Result<(), Failure> {
    if contents.images.is_empty() {
        let error = CalicoError::NoImage {
            product: release.product.clone(),
            version: release.version.to_string(),
        };
        return Err(error.into());
    }
    let by_release = contents.missing.iter().map(|image| {
        format!(
            "{image}, which {} {} pulls",
            name(release),
            install_words(args.install)
        )
    });
    let by_manifest = given.iter().flat_map(|given| given.missing.iter().cloned());
    let missing: Vec<String> = by_release.chain(by_manifest).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if args.allow_missing {
        for image in &missing {
            progress::warn(&format!("the bundle does not contain {image}"));
        }
        return Ok(());
    }
    let with = match args.install {
        Method::Openshift => " --with openshift",
        _ => "",
    };
    let message = format!(
        "{} {} not in the bundle:",
        words::count(missing.len() as u64, "image"),
        if missing.len() == 1 { "is" } else { "are" },
    );
    let failure = Failure::message(Exit::Usage, message).items(missing);
    Err(failure.hint(format!(
        "bundle with --product calico@{}{with}; if the images get to the registry in another way, use --allow-missing",
        release.version
    )))
}

fn install_words(method: Method) -> &'static str {
    match method {
        Method::Operator => "with the operator",
        Method::Openshift => "on OpenShift",
        Method::Helm => "with Helm",
        Method::Manifests => "without the operator",
    }
}

fn applied(
    args: &CalicoArgs,
    release: &Release,
    contents: &Contents,
    destined: &Destined,
    given: &[Given],
    chart: Option<&NewFile>,
) -> Result<ApplyFiles, Failure> {
    let manifests: Vec<Manifest> = given.iter().map(|given| given.manifest.clone()).collect();
    let chart = chart.map(|chart| chart.path.display().to_string());
    let applied = apply_files(&ApplyRequest {
        release,
        images: &contents.images,
        target: &destined.target,
        naming: destined.target.naming(),
        digests: &destined.digests,
        image_set: !args.no_imageset,
        pull_secret: &pull_secret(args)?,
        install: install(args),
        manifests: &manifests,
        chart: chart.as_deref(),
        bundle: &seen_from(args.out_dir.as_deref(), &args.bundle),
        load_options: &load_options(&destined.target),
        identity: Some(&destined.identity.to_string()),
    })?;
    Ok(applied)
}

/// The flags that give `load` the target's naming.
fn load_options(target: &Target) -> String {
    let rule = match target.rule() {
        NamingRule::Keep => String::new(),
        rule => format!(" --naming {rule}"),
    };
    let prefix = target.fields().image_prefix;
    let prefix = prefix.map(|prefix| format!(" --image-prefix {prefix}"));
    format!("{rule}{}", prefix.unwrap_or_default())
}

fn files(
    given: Vec<Given>,
    chart: Option<NewFile>,
    applied: &ApplyFiles,
) -> Result<Vec<NewFile>, Failure> {
    let given = given.into_iter().map(|given| given.file);
    let own = applied.files.iter().map(|file| NewFile {
        path: file.name.clone().into(),
        bytes: file.bytes.clone(),
        mode: if file.secret { SECRET } else { ORDINARY },
        owner: None,
    });
    let files: Vec<NewFile> = given.chain(chart).chain(own).collect();
    folder::refuse_same_names(&files)?;
    Ok(files)
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
        Method::Operator => Install::Operator(kind),
        Method::Openshift => Install::OpenShift(kind),
        Method::Helm => Install::Helm,
        Method::Manifests => Install::Manifests,
    }
}

fn finish(
    args: &CalicoArgs,
    release: &Release,
    applied: &ApplyFiles,
    files: &[NewFile],
) -> Result<Exit, Failure> {
    match (&args.out_dir, args.dry_run) {
        (Some(folder), false) => folder::write(folder, files, args.overwrite, args.json)?,
        _ if args.json => {}
        _ => files.iter().try_for_each(folder::show)?,
    }
    if args.json {
        output::json(&report(release, applied, files))?;
    }
    Ok(Exit::Done)
}

fn report<'a>(release: &'a Release, applied: &'a ApplyFiles, files: &'a [NewFile]) -> Report<'a> {
    let rows = applied.proof.rows.iter();
    Report {
        release: name(release),
        operator: release.operator.as_ref().map(Version::as_str),
        files: files
            .iter()
            .map(|file| file.path.to_string_lossy())
            .collect(),
        proof: rows
            .map(|row| ProofRow {
                image: row.image.to_string(),
                loaded: row.loaded.to_string(),
                by: match row.by {
                    ProvedBy::Operator => "operator",
                    ProvedBy::Manifest => "manifest",
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
        let failure = Self::new(exit, &error);
        match error {
            CalicoError::NoImage { .. } => failure.hint("bundle it with --product calico@VERSION"),
            CalicoError::NoDigest { .. } => {
                failure.hint("bundle the image, or pull by tag with --no-imageset")
            }
            CalicoError::Mismatch { .. } => {
                failure.hint("give load and product the same destination and naming flags")
            }
            _ => failure,
        }
    }
}
