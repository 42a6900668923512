//! Products on the command line: which release, and which of its images.

pub(crate) mod completion;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_oci::{Destination, Reference};
use sealift_products::{
    Catalogue, CatalogueError, ProductImages, ProductSpec, RegistryChoice, Release, SelectError,
    Selection, SetNaming,
};

use sealift_request::Product;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
pub(crate) use report::ProductReport;

/// No product data file is larger.
const MAX_DATA_BYTES: u64 = 16 << 20;

/// The products whose images are requested.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::INCLUDE)]
pub(crate) struct ProductArgs {
    /// Include the images of a release of a product: calico@v3.32.1, or calico@3.32 for the newest known
    /// patch release; `sealift product list` prints the products (repeatable)
    #[arg(long, value_name = "NAME@VERSION", value_parser = completion::releases::<ProductSpec>(), hide_possible_values = true)]
    pub(crate) product: Vec<ProductSpec>,
    /// Include an optional part of the product: Calico's windows, Cilium's hubble, … (repeatable)
    #[arg(
        long,
        value_name = "FEATURE",
        requires = "product",
        value_delimiter = ',',
        value_parser = completion::features::<String>(),
        hide_possible_values = true
    )]
    pub(crate) with: Vec<String>,
    /// Exclude a part of the product that a default install includes (repeatable)
    #[arg(
        long,
        value_name = "FEATURE",
        requires = "product",
        value_delimiter = ',',
        value_parser = completion::features::<String>(),
        hide_possible_values = true
    )]
    pub(crate) without: Vec<String>,
    /// Use this registry instead of the release's default registry; it must serve the images under the same names.
    /// Images from other registries and Calico's operator are not affected
    #[arg(long, value_name = "REGISTRY[/PATH]", requires = "product")]
    pub(crate) product_registry: Option<Destination>,
    /// Pull all images of the product from this mirror, which serves them below this path; they keep the
    /// names that the release gives them
    #[arg(
        long,
        value_name = "REGISTRY[/PATH]",
        requires = "product",
        conflicts_with = "product_registry"
    )]
    pub(crate) product_mirror: Option<Destination>,
    #[command(flatten)]
    pub(crate) data: ProductDataArgs,
    /// From request files.
    #[arg(skip)]
    pub(crate) listed: Vec<Product>,
}

/// Releases that are not built in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::INCLUDE)]
pub(crate) struct ProductDataArgs {
    /// Read releases that are newer than this program from a file (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) product_data: Vec<PathBuf>,
}

/// The images of one release that the arguments select.
pub(crate) struct Chosen {
    /// `calico v3.32.1`.
    pub(crate) name: String,
    /// The images, those excluded, and warnings.
    pub(crate) images: ProductImages,
    /// Whether only the series was requested.
    pub(crate) newest_of_series: bool,
    /// The naming rule that the product's own setting for a private registry follows.
    pub(crate) naming: Option<SetNaming>,
}

impl Chosen {
    /// What a person should know of the selection.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let newest = self
            .newest_of_series
            .then(|| "the newest known release of its series".to_owned());
        let naming = self.naming.iter().map(|naming| {
            let SetNaming { rule, because } = naming;
            format!("load with --naming {rule} unless nodes use a mirror: {because}")
        });
        let differences = self.images.warnings.iter().map(ToString::to_string);
        let refused = self.images.refused.iter().map(|refused| {
            format!(
                "{} is excluded, although {} names it: {}",
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

    /// The names under which the images are bundled.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.images.images.iter().map(|image| &image.reference)
    }

    /// The name at the mirror of each image that is pulled from one.
    pub(crate) fn mirrors(&self) -> impl Iterator<Item = (&Reference, &Reference)> {
        let images = self.images.images.iter();
        images.filter_map(|image| Some((&image.reference, image.mirror.as_ref()?)))
    }

    /// The names in other registries of each image that some source pulls from there. A mirror stands for all
    /// registries, so that there is nothing to compare.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = (&Reference, &[Reference])> {
        let images = self.images.images.iter();
        images
            .filter(|image| image.mirror.is_none() && !image.elsewhere.is_empty())
            .map(|image| (&image.reference, image.elsewhere.as_slice()))
    }
}

/// All known products, those of the user's files included.
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
        return Err(usage(format!("it is larger than {MAX_DATA_BYTES} bytes")));
    }
    fs::read(path).map_err(|error| usage(error.to_string()))
}

/// The images that `args` request, release by release.
pub(crate) fn chosen(args: &ProductArgs) -> Result<Vec<Chosen>, Failure> {
    if args.product.is_empty() && args.listed.is_empty() {
        return Ok(Vec::new());
    }
    let catalogue = catalogue(&args.data)?;
    let own = args.product.iter().cloned();
    let own = own.map(|spec| Ok((spec, selection(args)?)));
    let listed = args.listed.iter().map(listed);
    own.chain(listed)
        .map(|wanted| {
            let (spec, selection) = wanted?;
            let resolved = catalogue.resolve(&spec)?;
            Ok(Chosen {
                name: name(resolved.release),
                images: resolved.release.select(resolved.product, &selection)?,
                newest_of_series: resolved.newest_of_series,
                naming: resolved.product.naming.clone(),
            })
        })
        .collect()
}

/// A release in messages.
pub(crate) fn name(release: &Release) -> String {
    format!("{} {}", release.product, release.version)
}

/// A release of a request file, with its own features.
fn listed(product: &Product) -> Result<(ProductSpec, Selection), Failure> {
    let usage = |error: String| Failure::message(Exit::Usage, error);
    let spec = format!("{}@{}", product.name, product.version);
    let destination = |text: &Option<String>| {
        let text = text.as_deref();
        text.map(str::parse::<Destination>)
            .transpose()
            .map_err(|error| usage(error.to_string()))
    };
    let selection = Selection {
        with: product.with.iter().cloned().collect(),
        without: product.without.iter().cloned().collect(),
        registry: match (
            destination(&product.registry)?,
            destination(&product.mirror)?,
        ) {
            (Some(registry), _) => RegistryChoice::Published(registry),
            (None, Some(mirror)) => RegistryChoice::Mirror(mirror),
            (None, None) => RegistryChoice::Release,
        },
    };
    let spec = spec.parse::<ProductSpec>();
    let spec = spec.map_err(|error| usage(error.to_string()))?;
    Ok((spec, consistent(selection)?))
}

/// Refuses a feature that is both included and excluded.
fn consistent(selection: Selection) -> Result<Selection, Failure> {
    match selection.with.intersection(&selection.without).next() {
        Some(feature) => {
            let message = format!("the feature {feature:?} is both included and excluded");
            Err(Failure::message(Exit::Usage, message)
                .hint("name it with --with or with --without, not both"))
        }
        None => Ok(selection),
    }
}

fn selection(args: &ProductArgs) -> Result<Selection, Failure> {
    let registry = match (&args.product_registry, &args.product_mirror) {
        (Some(registry), _) => RegistryChoice::Published(registry.clone()),
        (None, Some(mirror)) => RegistryChoice::Mirror(mirror.clone()),
        (None, None) => RegistryChoice::Release,
    };
    consistent(Selection {
        with: args.with.iter().cloned().collect(),
        without: args.without.iter().cloned().collect(),
        registry,
    })
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Self {
        let failure = Self::new(Exit::Usage, &error);
        match error {
            CatalogueError::Product { .. } => failure.hint(
                "`sealift product list` prints the known products; --product-data FILE adds others",
            ),
            CatalogueError::Version { .. } => failure.hint(
                "--product-data FILE adds a release; the format is in crates/products/data/README.md",
            ),
            CatalogueError::Gap { .. } => failure,
        }
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        let failure = Self::new(Exit::Usage, &error);
        match error {
            SelectError::Feature { product, .. } | SelectError::Absent { product, .. } => failure
                .hint(format!(
                    "`sealift product list {product}` prints the features and what each adds"
                )),
            SelectError::Empty { .. } | SelectError::Naming(_) => failure,
        }
    }
}
