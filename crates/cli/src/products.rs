//! Products on the command line: which release, and which of its images.

mod report;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_oci::{Destination, Reference};
use sealift_products::{
    Catalogue, Product, ProductImages, ProductSpec, RegistryChoice, Release, Selection, SetNaming,
};

use crate::exit::Exit;
use crate::failure::Failure;
pub(crate) use report::ProductReport;

/// No product data file is larger.
const MAX_DATA_BYTES: u64 = 16 << 20;

/// Which product's images are meant.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Products")]
pub(crate) struct ProductArgs {
    /// All images that a release of a product needs: calico@v3.32.1, or calico@3.32 for the newest
    /// patch release that is known; for a name that is not known the products are listed [repeatable]
    #[arg(long, value_name = "NAME@VERSION")]
    pub(crate) product: Vec<ProductSpec>,
    /// Take an optional part of the product too: Calico's windows, Cilium's hubble, … [repeatable]
    #[arg(
        long,
        value_name = "FEATURE",
        requires = "product",
        value_delimiter = ','
    )]
    pub(crate) with: Vec<String>,
    /// Leave a part of the product out that a default install has [repeatable]
    #[arg(
        long,
        value_name = "FEATURE",
        requires = "product",
        value_delimiter = ','
    )]
    pub(crate) without: Vec<String>,
    /// Take the images of the release's default registry from this one, which has them under the same
    /// names; the operator keeps its own
    #[arg(long, value_name = "REGISTRY[/PATH]", requires = "product")]
    pub(crate) product_registry: Option<Destination>,
    /// Pull all images of the product from this mirror, which has them below this path; they keep the
    /// names that the release has for them
    #[arg(
        long,
        value_name = "REGISTRY[/PATH]",
        requires = "product",
        conflicts_with = "product_registry"
    )]
    pub(crate) product_mirror: Option<Destination>,
    #[command(flatten)]
    pub(crate) data: ProductDataArgs,
}

/// Releases that the program does not know.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProductDataArgs {
    /// Read releases from a file that are newer than this program [repeatable]
    #[arg(long, value_name = "FILE")]
    pub(crate) product_data: Vec<PathBuf>,
}

/// The images of one release, as the arguments chose them.
pub(crate) struct Chosen {
    /// `calico v3.32.1`.
    pub(crate) name: String,
    /// The images, those left out, and what to know.
    pub(crate) images: ProductImages,
    /// Whether only the series was asked for.
    pub(crate) newest_of_series: bool,
    /// The naming rule that the product's own setting for a private registry follows.
    pub(crate) naming: Option<SetNaming>,
}

impl Chosen {
    /// Whole sentences for a person.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let newest = self
            .newest_of_series
            .then(|| "the newest release of its series that is known".to_owned());
        let naming = self.naming.iter().map(|naming| {
            let SetNaming { rule, because } = naming;
            format!("load with --naming {rule}, unless nodes have a mirror: {because}")
        });
        let differences = self.images.warnings.iter().map(ToString::to_string);
        let refused = self.images.refused.iter().map(|refused| {
            format!(
                "{} is left out, though {} names it: {}",
                refused.reference, refused.source, refused.reason
            )
        });
        newest
            .into_iter()
            .chain(naming)
            .chain(differences)
            .chain(refused)
            .map(|text| format!("{}: {text}", self.name))
            .collect()
    }

    /// The names that the images are carried under.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.images.images.iter().map(|image| &image.reference)
    }

    /// A mirror's name for each image that is pulled from one.
    pub(crate) fn mirrors(&self) -> impl Iterator<Item = (&Reference, &Reference)> {
        let images = self.images.images.iter();
        images.filter_map(|image| Some((&image.reference, image.mirror.as_ref()?)))
    }
}

/// All products that are known, those of the user's files included.
pub(crate) fn catalogue(args: &ProductDataArgs) -> Result<Catalogue, Failure> {
    let usage = |error: sealift_products::DataError| Failure::new(Exit::Usage, &error);
    let mut catalogue = Catalogue::built_in().map_err(usage)?;
    for path in &args.product_data {
        let bytes = read_data(path)?;
        catalogue = catalogue
            .with_file(&path.display().to_string(), &bytes)
            .map_err(usage)?;
    }
    Ok(catalogue)
}

fn read_data(path: &Path) -> Result<Vec<u8>, Failure> {
    let usage = |what: String| {
        Failure::message(
            Exit::Usage,
            format!("cannot read {}: {what}", path.display()),
        )
    };
    let size = fs::metadata(path).map_err(|error| usage(error.to_string()))?;
    if size.len() > MAX_DATA_BYTES {
        return Err(usage(format!("it has more than {MAX_DATA_BYTES} bytes")));
    }
    fs::read(path).map_err(|error| usage(error.to_string()))
}

/// The images that `args` ask for, release by release.
pub(crate) fn chosen(args: &ProductArgs) -> Result<Vec<Chosen>, Failure> {
    if args.product.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(feature) = args
        .with
        .iter()
        .find(|feature| args.without.contains(feature))
    {
        let message = format!("the feature {feature:?} is both taken and left out");
        return Err(Failure::message(Exit::Usage, message).hint("--with or --without, not both"));
    }
    let catalogue = catalogue(&args.data)?;
    let selection = selection(args);
    let specs = args.product.iter();
    specs
        .map(|spec| {
            let resolved = catalogue
                .resolve(spec)
                .map_err(|error| Failure::new(Exit::Usage, &error))?;
            Ok(Chosen {
                name: name(resolved.release),
                images: select(resolved.product, resolved.release, &selection)?,
                newest_of_series: resolved.newest_of_series,
                naming: resolved.product.naming.clone(),
            })
        })
        .collect()
}

/// The images of `release` under `selection`.
pub(crate) fn select(
    product: &Product,
    release: &Release,
    selection: &Selection,
) -> Result<ProductImages, Failure> {
    release
        .select(product, selection)
        .map_err(|error| Failure::new(Exit::Usage, &error))
}

/// How a release is called in sentences.
pub(crate) fn name(release: &Release) -> String {
    format!("{} {}", release.product, release.version)
}

fn selection(args: &ProductArgs) -> Selection {
    let registry = match (&args.product_registry, &args.product_mirror) {
        (Some(registry), _) => RegistryChoice::Published(registry.clone()),
        (None, Some(mirror)) => RegistryChoice::Mirror(mirror.clone()),
        (None, None) => RegistryChoice::Release,
    };
    Selection {
        with: args.with.iter().cloned().collect(),
        without: args.without.iter().cloned().collect(),
        registry,
    }
}
