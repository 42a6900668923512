//! The data file of one release, made of image lists, values files and manifests.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;

use clap::Args;
use sealift_oci::Reference;
use sealift_products::import::{
    Import, Part, cert_manager_values, cilium_values, data_file, gather, image_list, istio_values,
    manifest_references,
};
use sealift_products::{Catalogue, Product, Version};

/// Which release, and the texts that are about it.
#[derive(Args)]
pub(crate) struct ReleaseArguments {
    /// The product's name, which has a data file already
    product: String,
    /// The release, as upstream writes it; the tag of images that the texts give none
    version: Version,
    /// An image list, one reference a line; FEATURE is what all its images are for [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    list: Vec<Text>,
    /// Values of the product's chart: cert-manager, cilium, istio [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    values: Vec<Text>,
    /// Manifests of Kubernetes [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    manifests: Vec<Text>,
    /// Istio's hub, which upstream puts into the charts when it releases them
    #[arg(long, default_value = "registry.istio.io/release")]
    hub: String,
}

/// A file and the feature that its images are for.
#[derive(Clone)]
struct Text {
    feature: Option<String>,
    path: String,
}

impl From<&str> for Text {
    fn from(argument: &str) -> Self {
        let (feature, path) = match argument.split_once('=') {
            Some((feature, path)) => (Some(feature.to_owned()), path),
            None => (None, argument),
        };
        Self {
            feature,
            path: path.to_owned(),
        }
    }
}

/// Prints the data file, and on standard error what changed since the newest known release.
pub(super) fn run(arguments: &ReleaseArguments) -> Result<(), Box<dyn Error>> {
    let catalogue = Catalogue::built_in()?;
    let product = catalogue
        .product(&arguments.product)
        .ok_or_else(|| format!("{}: no data file describes it", arguments.product))?;
    let texts = [
        ("list", &arguments.list),
        ("values", &arguments.values),
        ("manifests", &arguments.manifests),
    ];
    let mut parts = Vec::new();
    for (source, texts) in texts {
        for text in texts {
            parts.push(part(arguments, source, text)?);
        }
    }
    if parts.is_empty() {
        return Err("nothing to read: give --list, --values or --manifests".into());
    }
    let merged = gather(product, &arguments.version, &parts)?;
    tell_changes(product, &parts);
    print!("{}", data_file(product, &[merged]));
    Ok(())
}

fn part(arguments: &ReleaseArguments, source: &str, text: &Text) -> Result<Part, Box<dyn Error>> {
    let bytes = fs::read(&text.path).map_err(|error| format!("{}: {error}", text.path))?;
    let import = match source {
        "list" => image_list(&text.path, &bytes)?,
        "values" => values(arguments, &text.path, &bytes)?,
        _ => manifests(&text.path, &bytes)?,
    };
    if !import.unknown.is_empty() {
        return Err(format!("{}: not understood: {:?}", text.path, import.unknown).into());
    }
    Ok(Part {
        source: source.to_owned(),
        feature: text.feature.clone(),
        import,
    })
}

fn values(
    arguments: &ReleaseArguments,
    path: &str,
    bytes: &[u8],
) -> Result<Import, Box<dyn Error>> {
    let version = arguments.version.as_str();
    match arguments.product.as_str() {
        "cert-manager" => Ok(cert_manager_values(path, bytes, version)?),
        "cilium" => Ok(cilium_values(path, bytes)?),
        "istio" => Ok(istio_values(path, bytes, &arguments.hub, version)?),
        other => Err(format!("{path}: no reader for values of {other}'s chart").into()),
    }
}

fn manifests(path: &str, bytes: &[u8]) -> Result<Import, Box<dyn Error>> {
    let found = sealift_imagerefs::find(path, bytes)?;
    if let Some(place) = found.not_understood.first() {
        return Err(format!("{path}:{place}").into());
    }
    let texts: Vec<String> = found
        .occurrences
        .iter()
        .map(|occurrence| occurrence.reference.to_string())
        .collect();
    let texts = texts.iter().map(String::as_str);
    Ok(manifest_references(path, texts)?)
}

/// Upstream renames and drops images rarely; whoever adds the release should look at those.
fn tell_changes(product: &Product, parts: &[Part]) {
    let Some(known) = product.releases.last() else {
        return;
    };
    let before: BTreeSet<&str> = known
        .images
        .iter()
        .map(|row| row.reference.repository())
        .collect();
    let now: BTreeSet<&str> = parts
        .iter()
        .flat_map(|part| &part.import.images)
        .map(Reference::repository)
        .collect();
    for gone in before.difference(&now) {
        eprintln!("{gone} is in {}, and not here", known.version);
    }
    for new in now.difference(&before) {
        eprintln!("{new} is not in {}", known.version);
    }
}
