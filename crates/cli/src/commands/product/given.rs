//! The release's manifests and chart on their way into the folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sealift_imagerefs::{SpecFields, plan_spec_fields};
use sealift_products::calico::{Manifest, Target};

use super::args::{CalicoArgs, Method};
use super::loaded::Destined;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY};
use crate::progress;
use crate::rewriting::{Rewriting, Rewritten, rewrite};

/// No chart is larger.
const MAX_CHART_BYTES: u64 = 64 << 20;

/// A manifest of the release as it goes into the folder.
pub(super) struct Given {
    pub(super) file: NewFile,
    /// What the instructions have to know about it.
    pub(super) manifest: Manifest,
    /// Its images that are not at the destination, each with its location.
    pub(super) missing: Vec<String>,
}

/// The given manifests, rewritten, under their own names.
pub(super) fn manifests(args: &CalicoArgs, destined: &Destined) -> Result<Vec<Given>, Failure> {
    let target = &destined.target;
    let rewriting = Rewriting {
        destination: target.destination(),
        naming: target.naming(),
        pins: None,
        pull_secret: args.pull_secret.as_deref(),
    };
    let loaded = loaded(destined);
    let paths = args.manifest.iter();
    let given = paths.map(|path| {
        let rewritten = rewrite(path, &rewriting)?;
        for line in &rewritten.report.left_alone {
            progress::warn(&format!("skipped: {line}"));
        }
        given(args, target, &loaded, path, rewritten)
    });
    given.collect()
}

fn given(
    args: &CalicoArgs,
    target: &Target,
    loaded: &BTreeSet<String>,
    path: &Path,
    rewritten: Rewritten,
) -> Result<Given, Failure> {
    let file = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
    let contained = Manifest::read(&file.display().to_string(), &rewritten.new);
    if contained.without_operator && args.install != Method::Manifests {
        let message = format!("{} installs Calico without the operator", rewritten.name);
        return Err(Failure::message(Exit::Usage, message)
            .hint("use --install manifests, or pass the manifests of the operator"));
    }
    let replaced = rewritten.report.replaced.iter();
    let missing = replaced.filter(|image| !loaded.contains(&image.new));
    let missing = missing.map(|image| {
        format!(
            "{}, in {} line {}, which has to be at {}",
            image.old, rewritten.name, image.line, image.new
        )
    });
    let missing = missing.collect();
    let bytes = match args.install {
        Method::Operator | Method::Openshift => with_installation(args, target, rewritten)?,
        Method::Helm | Method::Manifests => rewritten.new,
    };
    Ok(Given {
        manifest: Manifest::read(&file.display().to_string(), &bytes),
        file: ordinary(file, bytes),
        missing,
    })
}

/// The chart, under its own name.
pub(super) fn chart(path: &Path) -> Result<NewFile, Failure> {
    let usage = |reason: String| {
        Failure::message(
            Exit::Usage,
            format!("cannot read the chart {}: {reason}", path.display()),
        )
    };
    let found = fs::metadata(path).map_err(|error| usage(error.to_string()))?;
    if !found.is_file() || found.len() > MAX_CHART_BYTES {
        return Err(usage(format!(
            "expected a file of at most {MAX_CHART_BYTES} bytes"
        )));
    }
    let bytes = fs::read(path).map_err(|error| usage(error.to_string()))?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(ordinary(name.into(), bytes))
}

fn ordinary(path: PathBuf, bytes: Vec<u8>) -> NewFile {
    NewFile {
        path,
        bytes,
        mode: ORDINARY,
        owner: None,
    }
}

/// The names at the destination under which the bundle's images are.
fn loaded(destined: &Destined) -> BTreeSet<String> {
    let images = destined.digests.keys();
    let names = images.filter_map(|image| destined.target.reference(image).ok());
    names.map(|name| name.to_string()).collect()
}

/// The manifest with the fields of the target in its Installation.
fn with_installation(
    args: &CalicoArgs,
    target: &Target,
    manifest: Rewritten,
) -> Result<Vec<u8>, Failure> {
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Usage, error);
    let fields = target.fields();
    let wanted = SpecFields {
        group: "operator.tigera.io",
        kind: "Installation",
        fields: &[
            ("registry", &fields.registry),
            (
                "imagePath",
                fields.image_path.as_deref().unwrap_or_default(),
            ),
            (
                "imagePrefix",
                fields.image_prefix.as_deref().unwrap_or_default(),
            ),
        ],
        pull_secret: args.pull_secret.as_deref(),
    };
    let plan = plan_spec_fields(&manifest.name, &manifest.new, &wanted).map_err(|e| usage(&e))?;
    if let Some(place) = plan.not_understood.first() {
        let message = format!("{}:{place}", manifest.name);
        return Err(Failure::message(Exit::Usage, message)
            .hint("or omit this manifest: then a new Installation is written"));
    }
    plan.apply(&manifest.new, &wanted).map_err(|e| usage(&e))
}
