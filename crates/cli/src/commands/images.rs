//! `sealift images`: the image references in lists, manifests and values files.

use std::collections::BTreeMap;

use clap::Args;
use sealift_oci::Reference;
use serde::Serialize;

use crate::args::SourceArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::products::{Chosen, ProductReport};
use crate::sources::{self, Sources};
use crate::{output, progress};

/// Print the image references in lists, manifests and values files
///
/// Prints one reference per line, sorted and without duplicates; no registry is contacted. Anything that
/// looks like an image and is not understood is reported as a warning, or as an error with --strict. --json
/// shows where each reference was found.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift images -f tigera-operator.yaml -f k3s-images.txt
    sealift images --product calico@v3.30.7 --json
    helm template istio | sealift images -f - --json")]
pub(crate) struct ImagesArgs {
    #[command(flatten)]
    sources: SourceArgs,
    /// Print the result as JSON, with every location
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    images: Vec<Image<'a>>,
    files: Vec<Recognized<'a>>,
    /// Names without a tag.
    incomplete: Vec<Place<'a>>,
    not_understood: Vec<Unclear<'a>>,
    products: Vec<ProductReport<'a>>,
}

/// A file and what it was recognized as.
#[derive(Serialize)]
struct Recognized<'a> {
    file: &'a str,
    form: &'a str,
    /// How many references it has, duplicates included.
    references: usize,
}

#[derive(Serialize)]
struct Image<'a> {
    reference: String,
    /// Empty for a reference from an argument or a product.
    places: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    document: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    path: &'a str,
    kind: &'a str,
    /// As it is written there.
    text: &'a str,
}

#[derive(Serialize)]
struct Unclear<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    document: usize,
    path: &'a str,
    text: &'a str,
    reason: String,
}

pub(crate) fn run(args: &ImagesArgs) -> Result<Exit, Failure> {
    let found = sources::read(&args.sources)?;
    if args.json {
        output::json(&report(&found))?;
        return Ok(Exit::Done);
    }
    for text in found.warnings() {
        progress::warn(&text);
    }
    for text in found.notes() {
        progress::note(&text);
    }
    let mirrors = found.mirrors();
    for reference in found.references() {
        let pulled = mirrors.get(&reference).and_then(|names| names.first());
        let pulled = pulled.unwrap_or(&reference);
        output::line(&pulled.to_string())?;
    }
    Ok(Exit::Done)
}

fn report(found: &Sources) -> Report<'_> {
    let mut places: BTreeMap<&Reference, Vec<Place<'_>>> = BTreeMap::new();
    for reference in &found.arguments {
        places.entry(reference).or_default();
    }
    for reference in found.products.iter().flat_map(Chosen::references) {
        places.entry(reference).or_default();
    }
    for (file, occurrence) in found.occurrences() {
        let known = places.entry(&occurrence.reference).or_default();
        known.push(place(file, occurrence));
    }
    let images = places.into_iter().map(|(reference, places)| Image {
        reference: reference.to_string(),
        places,
    });
    let not_understood = found.not_understood().map(|(file, unclear)| Unclear {
        file,
        line: unclear.line,
        column: unclear.column,
        document: unclear.document,
        path: &unclear.path,
        text: &unclear.text,
        reason: unclear.reason.to_string(),
    });
    let files = found.files.iter().map(|file| Recognized {
        file: &file.name,
        form: file.found.input.as_str(),
        references: file.found.occurrences.len(),
    });
    Report {
        images: images.collect(),
        files: files.collect(),
        incomplete: found
            .incomplete()
            .map(|(file, occurrence)| place(file, occurrence))
            .collect(),
        not_understood: not_understood.collect(),
        products: found.products.iter().map(ProductReport::of).collect(),
    }
}

fn place<'a>(file: &'a str, occurrence: &'a sealift_imagerefs::Occurrence) -> Place<'a> {
    Place {
        file,
        line: occurrence.line,
        column: occurrence.column,
        document: occurrence.document,
        object: occurrence.object.as_deref(),
        path: &occurrence.path,
        kind: occurrence.kind.as_str(),
        text: &occurrence.text,
    }
}
