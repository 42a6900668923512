//! Identity, checksums, and what is inside at a glance.

use maud::{Markup, html};
use sealift_oci::ArtifactClass;

use crate::facts::{Facts, ImageFacts};
use crate::page::table;
use crate::treemap::{Rectangle, squarified};
use crate::units::{bytes, count};

/// The size of the picture, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 420.0;
/// How many images have a tile of their own.
const TILES: usize = 60;
/// About how wide a character of a label is, and how high a tile with one must be.
const CHARACTER: f64 = 9.0;
const LABEL_HEIGHT: f64 = 24.0;

/// One sentence on what this is.
pub(super) fn summary(facts: &Facts) -> Markup {
    html! {
        p {
            (count(facts.images.len() as u64, "image"))
            @if !facts.files.is_empty() { " and " (count(facts.files.len() as u64, "carried file")) }
            " in one file of " (bytes(facts.bytes))
            @if facts.delta.is_some() { ", which has to be read together with the bundles that it builds on" }
            ". This page says what they are, where they came from, and what is installed in them."
        }
    }
}

/// Identity and checksum, and how to check them.
pub(super) fn check(facts: &Facts) -> Markup {
    html! {
        dl {
            dt { "File" } dd { (facts.file) }
            dt { "Size" } dd { (facts.bytes) " bytes (" (bytes(facts.bytes)) ")" }
            dt { "SHA-256 of the file" } dd { code { (facts.sha256) } }
            dt { "Identity" } dd { code { (facts.identity) } }
            dt { "Profile" } dd {
                (facts.profile)
                @if facts.profile != "plain" { ": " (bytes(facts.content_bytes)) " of content, stored in " (bytes(facts.bytes)) }
            }
            @if let Some(delta) = &facts.delta {
                dt { "Builds on" } dd {
                    @for base in &delta.bases { code { (base.identity) } " (" (count(base.images.len() as u64, "image")) ") " }
                    ": " (count(delta.left_out_blobs, "blob")) " (" (bytes(delta.left_out_bytes)) ") are left out, since it has them"
                }
            }
        }
        p {
            "The " strong { "checksum" } " shows that the file is the one that was sent: on Linux, " code { "sha256sum" } " prints it."
            @if is_plain(&facts.file) { " This command prints “OK” if it is right:" }
        }
        @if is_plain(&facts.file) {
            pre { "echo '" (facts.sha256) "  " (facts.file) "' | sha256sum -c" }
        }
        p {
            "The " strong { "identity" } " is the digest of the list of everything in the bundle. Two bundles with the same identity "
            "contain the same images and files, however they are stored. The sender's sealift printed it, "
            code { "sealift verify" } " prints it after it has compared every digest, and the receipt of a load contains it."
        }
    }
}

/// Whether a name means nothing to a shell, so that a command with it can be copied.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    name.chars().all(plain)
}

/// The treemap, and the table with the same facts.
pub(super) fn contents(facts: &Facts) -> Markup {
    html! {
        p {
            (bytes(facts.content_bytes)) " of content in " (count(facts.blobs, "blob")) "; "
            (bytes(facts.shared_bytes)) " are needed by more than one image and stored once."
        }
        (treemap(facts))
        (table(
            "Images, with their size and what each costs",
            &["Image", "Platforms", "Size", "Unique to it", "Signatures", "Packages"],
            html! { @for image in &facts.images { (row(image)) } },
        ))
        p.muted { "“Unique to it” is what the bundle would save without this image: the rest is shared with others." }
        @if !facts.files.is_empty() {
            (table("Carried files", &["Name", "Kind", "Size", "Pushed as"], html! {
                @for file in &facts.files {
                    tr {
                        th scope="row" { (file.name) }
                        td { (kind(file.kind)) }
                        td.number { (bytes(file.bytes)) }
                        td { (file.reference) }
                    }
                }
            }))
        }
    }
}

fn kind(kind: sealift_archive::FileKind) -> &'static str {
    match kind {
        sealift_archive::FileKind::File => "file",
        sealift_archive::FileKind::Folder => "folder",
        sealift_archive::FileKind::Chart => "Helm chart",
    }
}

fn row(image: &ImageFacts) -> Markup {
    let names: Vec<&str> = image
        .platforms
        .iter()
        .map(|platform| platform.platform.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let attached = image.attached.iter();
    let signatures = attached.filter(|one| one.kind.class == ArtifactClass::Signature);
    let packages = image
        .platforms
        .iter()
        .map(|platform| platform.inventory.packages.len());
    html! {
        tr {
            th scope="row" { (image.reference) }
            td { @if names.is_empty() { "not stated" } @else { (names.join(", ")) } }
            td.number { (bytes(image.bytes)) }
            td.number { (bytes(image.unique_bytes)) }
            td.number { (signatures.count()) }
            td.number { (packages.max().unwrap_or(0)) }
        }
    }
}

struct Tile {
    name: String,
    size: u64,
    other: bool,
}

fn tiles(facts: &Facts) -> Vec<Tile> {
    let mut images: Vec<&ImageFacts> = facts.images.iter().collect();
    images.sort_by_key(|image| std::cmp::Reverse(image.unique_bytes));
    let unique: u64 = images.iter().map(|image| image.unique_bytes).sum();
    let (shown, rest) = images.split_at(images.len().min(TILES));
    let mut tiles: Vec<Tile> = shown
        .iter()
        .map(|image| Tile {
            name: image.reference.clone(),
            size: image.unique_bytes,
            other: false,
        })
        .collect();
    if !rest.is_empty() {
        tiles.push(Tile {
            name: count(rest.len() as u64, "smaller image"),
            size: rest.iter().map(|image| image.unique_bytes).sum(),
            other: true,
        });
    }
    tiles.push(Tile {
        name: "shared by images, signatures and files".to_owned(),
        size: facts.content_bytes.saturating_sub(unique),
        other: true,
    });
    tiles.retain(|tile| tile.size > 0);
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.size));
    tiles
}

fn treemap(facts: &Facts) -> Markup {
    let tiles = tiles(facts);
    let sizes: Vec<u64> = tiles.iter().map(|tile| tile.size).collect();
    let places = squarified(&sizes, WIDTH, HEIGHT);
    html! {
        @if !tiles.is_empty() {
            figure {
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="treemap-title treemap-text" {
                    title id="treemap-title" { "Sizes of the images" }
                    desc id="treemap-text" {
                        "A tile for each image, as large as what is unique to it, and one for what is shared. The table below has the numbers."
                    }
                    @for (tile, place) in tiles.iter().zip(&places) { (drawn(tile, place)) }
                }
                figcaption { "Each tile is as large as what is unique to an image." }
            }
        }
    }
}

fn drawn(tile: &Tile, place: &Rectangle) -> Markup {
    let (name, size) = (label(&tile.name, place.width), bytes(tile.size));
    html! {
        g {
            title { (tile.name) ": " (size) }
            rect.tile.other[tile.other] x=(number(place.x)) y=(number(place.y)) width=(number(place.width)) height=(number(place.height)) {}
            @if let Some(name) = name {
                @if place.height >= LABEL_HEIGHT {
                    text x=(number(place.x + 8.0)) y=(number(place.y + 18.0)) { (name) }
                }
                @if place.height >= 2.0 * LABEL_HEIGHT {
                    text x=(number(place.x + 8.0)) y=(number(place.y + 38.0)) { (size) }
                }
            }
        }
    }
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// The end of a name, which distinguishes it, as far as the tile is wide enough; `None` if it is not wide enough for
/// anything.
fn label(name: &str, width: f64) -> Option<String> {
    let length = name.chars().count();
    let most = u32::try_from(length).unwrap_or(u32::MAX).min(1000);
    let fits = (0..=most)
        .rev()
        .find(|fits| CHARACTER * (f64::from(*fits) + 1.0) + 8.0 <= width)?;
    let fits = usize::try_from(fits).unwrap_or(0);
    if fits == length {
        return Some(name.to_owned());
    }
    let end: String = name.chars().skip(length - fits.saturating_sub(1)).collect();
    (fits >= 6).then(|| format!("…{end}"))
}
