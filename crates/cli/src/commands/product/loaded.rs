//! What is at the destination: by a receipt, or as `load` would put the bundle there.

use std::collections::BTreeMap;

use sealift_archive::{Bundle, Identity};
use sealift_oci::{Digest, NamingRule, Reference};
use sealift_products::calico::Target;

use super::args::CalicoArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::receipt;

/// The images at the destination, and how they are named there.
pub(super) struct Destined {
    pub(super) target: Target,
    /// By their names in the bundle.
    pub(super) digests: BTreeMap<Reference, Digest>,
    /// The bundle's identity.
    pub(super) identity: Identity,
}

impl Destined {
    /// The images' names in the bundle.
    pub(super) fn references(&self) -> Vec<Reference> {
        self.digests.keys().cloned().collect()
    }
}

/// What is, or will be, at the destination that `args` name.
pub(super) fn destined(args: &CalicoArgs, bundle: &Bundle) -> Result<Destined, Failure> {
    match &args.receipt {
        Some(_) => by_receipt(args, bundle),
        None => by_arguments(args, bundle),
    }
}

fn by_arguments(args: &CalicoArgs, bundle: &Bundle) -> Result<Destined, Failure> {
    let Some(destination) = args.destination.clone() else {
        // clap demands one or the other.
        return Err(Failure::message(Exit::Usage, "no destination was given"));
    };
    let rule = args.naming.unwrap_or(NamingRule::Keep);
    let images = bundle.record().images.iter();
    Ok(Destined {
        target: Target::new(destination, rule, args.image_prefix.as_deref())?,
        digests: images
            .map(|image| (image.reference.clone(), image.descriptor.digest))
            .collect(),
        identity: bundle.identity(),
    })
}

fn by_receipt(args: &CalicoArgs, bundle: &Bundle) -> Result<Destined, Failure> {
    let path = args.receipt.as_deref().unwrap_or_else(|| "".as_ref());
    let name = path.display().to_string();
    let usage = |message: String| Failure::message(Exit::Usage, message);
    let loaded = receipt::read(path)?;
    if loaded.bundle != bundle.identity() {
        return Err(usage(format!(
            "{name} is the receipt of bundle {}, but {} is bundle {}",
            loaded.bundle,
            args.bundle.display(),
            bundle.identity()
        )));
    }
    if args
        .destination
        .as_ref()
        .is_some_and(|given| *given != loaded.destination)
    {
        return Err(usage(format!(
            "{name} is the receipt of a load to {}",
            loaded.destination
        ))
        .hint("leave the destination out, or give the receipt of the load to it"));
    }
    let naming = loaded.naming().ok_or_else(|| {
        usage(format!(
            "{name}: no naming rule explains the images' names, so Calico's operator cannot compose them"
        ))
        .hint("load again without --map")
    })?;
    Ok(Destined {
        target: Target::new(loaded.destination.clone(), naming.rule(), naming.prefix())?,
        digests: loaded
            .images
            .into_iter()
            .map(|(image, loaded)| (image, loaded.digest))
            .collect(),
        identity: bundle.identity(),
    })
}
