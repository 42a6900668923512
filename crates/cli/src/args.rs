//! Arguments that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sealift_archive::{Bases, Bundle, Reading, Resources};
use sealift_oci::{MapRule, Naming, NamingRule};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::products::ProductArgs;
use crate::progress::warn;

/// How much is printed, and in which form.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = heading::OUTPUT)]
pub(crate) struct OutputArgs {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only warnings and the result
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What reading a compact bundle needs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::PERFORMANCE)]
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
        Resources {
            budget: budget.clone(),
            scratch: self.folder(),
            cancel: cancel.clone(),
        }
        .into()
    }
}

/// The bundles that deltas are read with.
#[derive(Args, Clone, Debug)]
pub(crate) struct BaseArgs {
    /// Base of the delta bundle; if the base is itself a delta bundle, add its bases too (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Vec<PathBuf>,
}

impl BaseArgs {
    /// Opens the bundle at `path` with `reading` and the bases.
    pub(crate) fn open(&self, path: &Path, reading: &Reading) -> Result<Bundle, Failure> {
        let bases = Bases::open(&self.base, &reading.resources)?;
        let reading = Reading {
            bases: bases.clone(),
            ..reading.clone()
        };
        let bundle = Bundle::open(path, &reading)?;
        Self::check(&bundle, &bases)?;
        Ok(bundle)
    }

    /// Opens two bundles, each of which may be a base of the other.
    pub(crate) fn open_both(
        &self,
        paths: [&PathBuf; 2],
        reading: &Reading,
    ) -> Result<[Arc<Bundle>; 2], Failure> {
        let paths: Vec<PathBuf> = paths.into_iter().chain(&self.base).cloned().collect();
        let all = Bases::open(&paths, &reading.resources)?;
        let mut opened = all.iter().cloned();
        let (Some(first), Some(second)) = (opened.next(), opened.next()) else {
            return Err(Failure::message(Exit::Usage, "two bundles are needed"));
        };
        let both = [first, second];
        if !self.base.is_empty() && both.iter().all(|bundle| bundle.delta().is_none()) {
            return Err(no_delta(both[0].name()));
        }
        let strangers = both.each_ref().map(|bundle| all.strangers(bundle));
        let [of_first, of_second] = strangers;
        let stranger = |name: &&str| of_first.contains(name) && of_second.contains(name);
        for name in opened.map(|base| base.name().to_owned()) {
            if stranger(&name.as_str()) {
                warn_of_stranger(&name, both[1].name());
            }
        }
        Ok(both)
    }

    /// Warns of bundles that are not bases of `bundle`.
    pub(crate) fn check(bundle: &Bundle, bases: &Bases) -> Result<(), Failure> {
        if bundle.delta().is_none() && !bases.is_empty() {
            return Err(no_delta(bundle.name()));
        }
        for name in bases.strangers(bundle) {
            warn_of_stranger(name, bundle.name());
        }
        Ok(())
    }
}

fn no_delta(name: &str) -> Failure {
    let message = format!("{name} is not a delta bundle and has no base");
    Failure::message(Exit::Usage, message).hint("omit --base")
}

fn warn_of_stranger(name: &str, bundle: &str) {
    warn(&format!(
        "{name} is not a base of {bundle} (sealift inspect shows its bases)"
    ));
}

/// Opens the bundle at `path`, all of whose blobs are going to be read.
pub(crate) fn open_readable(
    bases: &BaseArgs,
    path: &Path,
    reading: &Reading,
) -> Result<Bundle, Failure> {
    let bundle = bases.open(path, reading)?;
    bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
    Ok(bundle)
}

/// What a bundle is opened with by commands that read none of its blobs.
pub(crate) fn metadata_reading() -> Reading {
    Resources {
        budget: Budget::new(1, cores()),
        scratch: std::env::temp_dir(),
        cancel: Cancel::new(),
    }
    .into()
}

/// How registries are reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::REGISTRY)]
pub(crate) struct TransportArgs {
    /// User name for the registry; needs --password-stdin
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub(crate) username: Option<String>,
    /// Read the password for --username from standard input
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
    /// The registry that --username is for; needed if several are used
    #[arg(long, value_name = "HOST", requires = "username")]
    pub(crate) login_host: Option<String>,
    /// Read credentials from this file (podman's auth.json or Docker's config.json) instead of the usual ones
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Search this folder first for HOST[:PORT]/ folders with *.crt, *.cert and *.key files
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Use plain HTTP with this registry; loopback addresses need no option (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http: Vec<String>,
    /// Do not verify the TLS certificate of this registry: anyone on the network can read and change what is
    /// transferred (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(crate) insecure: Vec<String>,
    /// Send the registry's credentials to this token service, which has another host name (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(crate) token_host: Vec<String>,
    /// Number of parallel transfers
    #[arg(long, help_heading = heading::PERFORMANCE, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) connections: u16,
    /// Number of retries of a failed request
    #[arg(long, help_heading = heading::PERFORMANCE, value_name = "N", default_value_t = 8)]
    pub(crate) retries: u32,
    /// Limit the transfer rate of blobs, in bytes per second over all connections: 500k, 10M, 1G
    #[arg(long, help_heading = heading::PERFORMANCE, value_name = "RATE", value_parser = rate)]
    pub(crate) limit_rate: Option<u64>,
}

/// Reads a number of bytes a second with a decimal unit.
fn rate(text: &str) -> Result<u64, String> {
    decimal(text)
        .filter(|rate| *rate > 0)
        .ok_or_else(|| "expected bytes a second, such as 500k, 10M or 1G".to_owned())
}

/// Reads a number of bytes with a decimal unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    decimal(text).ok_or_else(|| "expected a size, such as 500k, 64M or 1G".to_owned())
}

fn decimal(text: &str) -> Option<u64> {
    let (number, unit) = match text.bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
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
#[command(next_help_heading = heading::NAMES)]
pub(crate) struct NamingArgs {
    /// Naming rule: docker.io/calico/node becomes calico/node (keep), node (flat) or docker.io/calico/node (host)
    #[arg(long, value_name = "RULE", default_value = "keep")]
    pub(crate) naming: NamingRule,
    /// Rename one repository, or all below a prefix: docker.io/calico/=net/ (repeatable)
    #[arg(long, value_name = "FROM=TO")]
    pub(crate) map: Vec<MapRule>,
    /// Add this prefix to the last part of every name (Calico's imagePrefix)
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
#[command(next_help_heading = heading::INCLUDE)]
pub(crate) struct SourceArgs {
    /// Images: docker.io/calico/node:v3.32.1, quay.io/x@sha256:…
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
    /// Read images from a list, a Kubernetes manifest or Helm values; - is standard input (repeatable)
    ///
    /// Supported: plain lists (k3s, RKE2, kubeadm), lists of other tools (hauler, imgpkg, zarf, skopeo sync,
    /// oc-mirror), Kubernetes manifests, Kustomizations and Helm values.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Fail if anything in these files looks like an image and is not understood or has no tag
    #[arg(long)]
    pub(crate) strict: bool,
    /// Accept files in which no image has a tag, such as values of most charts
    #[arg(long, conflicts_with = "strict")]
    pub(crate) allow_incomplete: bool,
    #[command(flatten)]
    pub(crate) products: ProductArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_decimal_unit() {
        assert_eq!(rate("500k"), Ok(500_000));
        assert_eq!(rate("10M"), Ok(10_000_000));
        assert_eq!(rate("7"), Ok(7));
        for text in ["", "k", "0", "-1", "1.5M", "99999999999G", "10MB"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!((size("0"), size("64M")), (Ok(0), Ok(64_000_000)));
        assert!(size("64MB").is_err());
    }
}
