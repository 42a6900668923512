//! The release's manifests on their way into the folder.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sealift_archive::Record;
use sealift_imagerefs::{SpecFields, plan_spec_fields};
use sealift_products::calico::{Manifest, Target};

use super::{CalicoArgs, Way};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY};
use crate::progress;
use crate::rewriting::{Rewriting, Rewritten, rewrite};

/// A manifest of the release as it goes into the folder.
pub(super) struct Given {
    pub(super) file: NewFile,
    /// Whether it has the Installation.
    installation: bool,
}

impl Given {
    /// What the instructions have to know of it.
    pub(super) fn manifest(&self) -> Manifest {
        Manifest {
            name: self.file.path.display().to_string(),
            installation: self.installation,
        }
    }
}

/// The given manifests, rewritten, under their own names.
pub(super) fn manifests(
    args: &CalicoArgs,
    target: &Target,
    record: &Record,
) -> Result<Vec<Given>, Failure> {
    let loaded = loaded(target, record);
    let rewriting = Rewriting {
        destination: target.destination(),
        naming: target.naming(),
        pins: None,
        pull_secret: args.pull_secret.as_deref(),
    };
    let paths = args.manifest.iter();
    let given = paths.map(|path| {
        let rewritten = rewrite(path, &rewriting)?;
        for line in &rewritten.report.left_alone {
            progress::warn(&format!("left alone: {line}"));
        }
        for image in &rewritten.report.replaced {
            if !loaded.contains(&image.new) {
                progress::warn(&format!(
                    "{}:{}: the bundle does not have {}; where it comes from elsewhere, it has to be at {}",
                    rewritten.name, image.line, image.old, image.new
                ));
            }
        }
        let (bytes, installation) = match args.install {
            Way::Operator | Way::Openshift => with_installation(args, target, rewritten)?,
            Way::Helm | Way::Manifests => (rewritten.new, false),
        };
        Ok(Given {
            file: NewFile {
                path: PathBuf::from(path.file_name().unwrap_or(path.as_os_str())),
                bytes,
                mode: ORDINARY,
                owner: None,
            },
            installation,
        })
    });
    given.collect()
}

/// The names at the destination under which `load` puts the bundle's images.
fn loaded(target: &Target, record: &Record) -> BTreeSet<String> {
    let images = record.images.iter();
    let names = images.filter_map(|image| target.reference(&image.reference).ok());
    names.map(|name| name.to_string()).collect()
}

/// The manifest with the fields of the target in its Installation, and whether it has one.
fn with_installation(
    args: &CalicoArgs,
    target: &Target,
    manifest: Rewritten,
) -> Result<(Vec<u8>, bool), Failure> {
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
            .hint("or leave the manifest out, and an Installation is written"));
    }
    let new = plan.apply(&manifest.new, &wanted).map_err(|e| usage(&e))?;
    Ok((new, plan.resources > 0))
}
