//! `sealift product list`: products, their releases, and what each feature adds.

use clap::Args;
use sealift_oci::Reference;
use sealift_products::{Catalogue, Product, Release};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::products::{ProductDataArgs, catalogue, completion};
use crate::{output, progress, words};

/// List products and their features, with the images that each feature adds
///
/// Without PRODUCT, lists the features of the newest known release of each product. No network is used.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift product list
    sealift product list calico
    sealift product list rke2@1.36 --json")]
pub(super) struct ListArgs {
    /// List only this product, with image names: calico, calico@3.32 or calico@v3.32.1
    #[arg(value_name = "PRODUCT[@VERSION]", value_parser = completion::products_and_releases::<String>(), hide_possible_values = true)]
    product: Option<String>,
    #[command(flatten)]
    data: ProductDataArgs,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    releases: Releases<'a>,
    /// The release whose images are listed.
    release: &'a str,
    features: Vec<FeatureRow<'a>>,
}

#[derive(Serialize)]
struct Releases<'a> {
    count: usize,
    oldest: &'a str,
    newest: &'a str,
}

#[derive(Serialize)]
struct FeatureRow<'a> {
    name: &'a str,
    about: &'a str,
    default: bool,
    /// The images that it adds.
    images: Vec<String>,
}

pub(super) fn run(args: &ListArgs) -> Result<Exit, Failure> {
    let catalogue = catalogue(&args.data)?;
    let rows: Vec<Row<'_>> = match &args.product {
        Some(text) => vec![requested(&catalogue, text)?],
        None => catalogue.products().iter().filter_map(newest).collect(),
    };
    if args.json {
        output::json(&rows)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|row| row.lines(args.product.is_some()))
        .collect();
    output::lines(&rows.join(&String::new()))?;
    progress::note("* is selected by default; --with FEATURE adds +, --without FEATURE removes *");
    Ok(Exit::Done)
}

fn requested<'c>(catalogue: &'c Catalogue, text: &str) -> Result<Row<'c>, Failure> {
    if text.contains('@') {
        let spec = text
            .parse()
            .map_err(|error: sealift_products::SpecError| Failure::new(Exit::Usage, &error))?;
        let resolved = catalogue.resolve(&spec)?;
        return Ok(row(resolved.product, resolved.release));
    }
    let product = catalogue.named(text)?;
    newest(product)
        .ok_or_else(|| Failure::message(Exit::Usage, format!("no release of {text} is known")))
}

fn newest(product: &Product) -> Option<Row<'_>> {
    Some(row(product, product.newest()?))
}

fn row<'a>(product: &'a Product, release: &'a Release) -> Row<'a> {
    let version =
        |release: Option<&'a Release>| release.map_or("", |release| release.version.as_str());
    let features = release.features(product);
    Row {
        name: &product.name,
        title: &product.title,
        releases: Releases {
            count: product.releases.len(),
            oldest: version(product.releases.first()),
            newest: version(product.releases.last()),
        },
        release: release.version.as_str(),
        features: features
            .into_iter()
            .map(|added| FeatureRow {
                name: &added.feature.name,
                about: &added.feature.about,
                default: added.feature.default,
                images: added.images.into_iter().map(Reference::to_string).collect(),
            })
            .collect(),
    }
}

impl Row<'_> {
    /// A heading and one line for each feature; with `images`, one for each image too.
    fn lines(&self, images: bool) -> Vec<String> {
        let Releases {
            count,
            oldest,
            newest,
        } = &self.releases;
        let mut lines = vec![format!(
            "{}: {}, {} from {oldest} to {newest}; images of {}:",
            self.name,
            self.title,
            words::count(*count as u64, "release"),
            self.release
        )];
        let widest = self.features.iter().map(|feature| feature.name.len()).max();
        for feature in &self.features {
            lines.push(feature.text(widest.unwrap_or_default()));
            if images {
                let names = feature.images.iter();
                lines.extend(names.map(|image| format!("      {image}")));
            }
        }
        lines
    }
}

impl FeatureRow<'_> {
    fn text(&self, width: usize) -> String {
        let marker = if self.default { '*' } else { '+' };
        let images = match self.images.len() {
            0 => "no image in this release".to_owned(),
            images => words::count(images as u64, "image"),
        };
        format!("  {marker} {:width$}  {} ({images})", self.name, self.about)
    }
}
