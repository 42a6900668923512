//! The arguments of `sealift product calico`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealift_oci::{Destination, NamingRule};

use crate::heading;
use crate::products::ProductDataArgs;

/// A heading of the help.
const SECRETS: &str = "Pull secret";

/// Write the files that make Calico install from a registry: Installation, ImageSet, pull secret
///
/// The files go into one folder, with a README that lists the commands to run and a checklist for a second person.
/// Checks for each image that the operator of this release will request the name that `load` stores it under.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift product calico calico.tar registry.corp:5000/mirror --out-dir apply
    sealift product calico calico.tar --receipt calico.json --out-dir apply
    sealift product calico calico.tar registry.corp:5000/calico --naming flat \\
        --install helm --out-dir apply
    sealift product calico calico.tar registry.corp:5000 --manifest tigera-operator.yaml \\
        --pull-secret corp --credentials ~/.docker/config.json --out-dir apply")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct CalicoArgs {
    /// The bundle
    pub(super) bundle: PathBuf,
    /// The registry, and the path below which the bundle is loaded
    #[arg(value_name = "REGISTRY[/PATH]", required_unless_present = "receipt")]
    pub(super) destination: Option<Destination>,
    /// Read destination, names and digests from the receipt that load wrote
    #[arg(long, value_name = "FILE", help_heading = heading::NAMES)]
    pub(super) receipt: Option<PathBuf>,
    /// The release [default: the release of the operator's or the node's image in the bundle]
    #[arg(long, value_name = "VERSION")]
    pub(super) release: Option<String>,
    #[command(flatten)]
    pub(super) data: ProductDataArgs,
    /// Naming rule: keep (REGISTRY/PATH/calico/node) or flat (REGISTRY/PATH/node, imagePath) [default: keep]
    #[arg(
        long,
        value_name = "RULE",
        conflicts_with = "receipt",
        help_heading = heading::NAMES
    )]
    pub(super) naming: Option<NamingRule>,
    /// Add this prefix to the last part of every name (imagePrefix)
    #[arg(
        long,
        value_name = "PREFIX",
        conflicts_with = "receipt",
        help_heading = heading::NAMES
    )]
    pub(super) image_prefix: Option<String>,
    /// How Calico is installed
    #[arg(long, value_name = "METHOD", default_value = "operator")]
    pub(super) install: Method,
    /// Patch the Installation in the cluster instead of creating one: for upgrades
    #[arg(long)]
    pub(super) patch: bool,
    /// Write no ImageSet: images are pulled by tag
    #[arg(long)]
    pub(super) no_imageset: bool,
    /// Accept that images which the install pulls are not in the bundle
    #[arg(long)]
    pub(super) allow_missing: bool,
    /// The name of the pull secret
    #[arg(long, value_name = "NAME", help_heading = SECRETS)]
    pub(super) pull_secret: Option<String>,
    /// Create the pull secret from this Docker credentials file; it is never printed
    #[arg(
        long,
        value_name = "FILE",
        requires = "pull_secret",
        help_heading = SECRETS
    )]
    pub(super) credentials: Option<PathBuf>,
    /// Rewrite a manifest of the release into the folder: tigera-operator.yaml, 02-tigera-operator.yaml,
    /// calico.yaml, … (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Vec<PathBuf>,
    /// Copy the release's chart into the folder, with --install helm
    #[arg(long, value_name = "FILE")]
    pub(super) chart: Option<PathBuf>,
    /// The folder to write to
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "dry_run",
        help_heading = heading::OUTPUT
    )]
    pub(super) out_dir: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(super) overwrite: bool,
    /// Print the files except for secrets, and write nothing
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(super) dry_run: bool,
    /// Print the files, the names that were checked and the warnings as JSON
    #[arg(long, help_heading = heading::OUTPUT)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    Operator,
    Openshift,
    Helm,
    Manifests,
}
