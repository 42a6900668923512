//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::Reading;
use sealift_oci::{MapRule, Naming, NamingRule};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::products::ProductArgs;

/// How much is told, and in which form.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputArgs {
    /// Tell the result as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell warnings and the result alone
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What reading a compact bundle needs.
#[derive(Args, Clone, Debug)]
pub(crate) struct ScratchArgs {
    /// Folder for temporary data of compact bundles [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch_dir: Option<PathBuf>,
}

impl ScratchArgs {
    /// The folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch_dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// What a bundle is opened with.
    pub(crate) fn reading(&self, budget: &Budget, cancel: &Cancel) -> Reading {
        Reading {
            budget: budget.clone(),
            scratch: self.folder(),
            cancel: cancel.clone(),
        }
    }
}

/// What a bundle is opened with by commands that read none of its blobs.
pub(crate) fn metadata_reading() -> Reading {
    Reading {
        budget: Budget::new(1, cores()),
        scratch: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
}

/// How registries are reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Registry access")]
pub(crate) struct TransportArgs {
    /// User name for the registry; needs --password-stdin
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub(crate) username: Option<String>,
    /// Read the password for --username from standard input
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
    /// The registry that --username is for, where several are used
    #[arg(long, value_name = "HOST", requires = "username")]
    pub(crate) login_host: Option<String>,
    /// File with credentials (podman's auth.json or Docker's config.json) instead of the usual places
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Trust the certificate authorities of this PEM file too
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Folder with HOST[:PORT]/ folders of *.crt, *.cert and *.key files, before the usual places
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Speak plain HTTP with this registry; loopback addresses need no flag [repeatable]
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http: Vec<String>,
    /// Do not verify the TLS certificate of this registry: anyone on the network can read and change what is
    /// transferred [repeatable]
    #[arg(long, value_name = "HOST")]
    pub(crate) insecure: Vec<String>,
    /// Let this host, which is not the registry, ask for the registry's credentials to issue a token
    /// [repeatable]
    #[arg(long, value_name = "HOST")]
    pub(crate) token_host: Vec<String>,
    /// How many transfers run at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) connections: u16,
    /// How often a failed request is made again before giving up
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) retries: u32,
}

impl TransportArgs {
    /// What the run may use.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(usize::from(self.connections), cores())
    }

    /// The same where the certificates of `hosts` are not verified either.
    pub(crate) fn with_insecure(mut self, hosts: &[String]) -> Self {
        self.insecure.extend_from_slice(hosts);
        self
    }
}

/// How images are named at the destination.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Names at the destination")]
pub(crate) struct NamingArgs {
    /// keep: calico/node stays calico/node; flat: node; host: docker.io/calico/node
    #[arg(long, value_name = "RULE", default_value = "keep")]
    pub(crate) naming: NamingRule,
    /// Name one repository, or all below a prefix, explicitly: docker.io/calico/=net/ [repeatable]
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) map: Vec<MapRule>,
    /// Put this before the last part of every name (Calico's imagePrefix)
    #[arg(long, value_name = "PREFIX")]
    pub(crate) image_prefix: Option<String>,
}

impl NamingArgs {
    /// The rules as a value.
    pub(crate) fn naming(&self) -> Result<Naming, Failure> {
        let naming = Naming::new(self.naming).with_maps(self.map.iter().cloned());
        match &self.image_prefix {
            Some(prefix) => naming
                .with_prefix(prefix)
                .map_err(|error| Failure::new(Exit::Usage, &error)),
            None => Ok(naming),
        }
    }
}

/// Where images and files come from.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    /// Image references: docker.io/calico/node:v3.32.1, quay.io/x@sha256:…
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// Read images from a file: plain lists (k3s, RKE2, kubeadm), lists of other tools (hauler, imgpkg, zarf,
    /// skopeo sync, oc-mirror), Kubernetes manifests, Kustomizations, Helm values; - is standard input
    /// [repeatable]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Fail if anything in these files looks like an image and is not understood, or has no tag
    #[arg(long)]
    pub(crate) strict: bool,
    /// Accept files in which no image has a tag, such as the values of most charts
    #[arg(long, conflicts_with = "strict")]
    pub(crate) allow_incomplete: bool,
    #[command(flatten)]
    pub(crate) products: ProductArgs,
}
