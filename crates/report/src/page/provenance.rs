//! Where images came from, who signed them, and what is not included.

use maud::{Markup, html};
use sealift_archive::InspectedReferrer;
use sealift_oci::ArtifactClass;

use crate::facts::{Facts, ImageFacts, PlatformFacts};
use crate::page::table;
use crate::units::bytes;

/// For each image: its source, its digest, and when its publisher built it.
pub(super) fn origin(facts: &Facts) -> Markup {
    html! {
        p {
            "Dates and descriptions are what publishers state; nothing in a bundle proves them. "
            "Publishers who build reproducibly often state a date long ago."
        }
        @for image in &facts.images {
            h3 { (image.reference) }
            dl {
                dt { "Source" } dd { (image.source) @if image.new_digest { "; its digest was computed when the bundle was built, since the archive has none" } }
                dt { "Digest" } dd { code { (image.digest) } }
                @if let Some(original) = &image.original {
                    dt { "Publisher's digest" }
                    dd { code { (original) } (note_on_original(image)) }
                }
                (built(image))
            }
        }
    }
}

/// What becomes of the publisher's index of an image of which platforms were selected.
fn note_on_original(image: &ImageFacts) -> &'static str {
    if image.original_included == Some(true) {
        " (platforms were selected: the bundle contains the publisher's index and a new one. A registry that accepts the publisher's without all its platforms gets that one; signatures of it do not cover the new one)"
    } else {
        " (platforms were selected, so the digest here is a new one; signatures of the publisher's index do not cover it)"
    }
}

/// What publishers state, said once if it is the same for all platforms.
fn built(image: &ImageFacts) -> Markup {
    let first = image.platforms.first();
    let same = image
        .platforms
        .iter()
        .all(|platform| Some(&platform.publisher) == first.map(|first| &first.publisher));
    let shown: Vec<&PlatformFacts> = if same {
        first.into_iter().collect()
    } else {
        image.platforms.iter().collect()
    };
    html! {
        @for platform in shown {
            @if !same {
                dt { "Platform" } dd { (platform.platform) ", manifest " code { (platform.digest) } }
            }
            dt { "Built" } dd { @match &platform.publisher.created { Some(created) => (created), None => "not stated" } }
            @if let Some(os) = &platform.inventory.os {
                dt { "Distribution" } dd { @if os.name.is_empty() { (os.id) " " (os.version) } @else { (os.name) } }
            }
            @for (name, value) in &platform.publisher.labels {
                dt { (capitalised(name)) } dd { (value) }
            }
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

/// What was found that vouches for images, and which have nothing.
pub(super) fn signatures(facts: &Facts) -> Markup {
    let attached = || facts.images.iter().flat_map(|image| &image.attached);
    let unsigned: Vec<&ImageFacts> = facts
        .images
        .iter()
        .filter(|image| !is_signed(image))
        .collect();
    html! {
        p {
            "These were found beside the images and travel with them, unchanged. "
            strong { "They were not verified here" }
            ": that needs the publishers' keys or certificates, and is done by cosign, notation or a cluster's admission policy after loading."
        }
        @if attached().next().is_some() {
            (table("Found beside the images", &["Kind", "Of", "Size", "Digest"], html! {
                @for one in attached() { (attached_row(one)) }
            }))
        }
        @if facts.images.is_empty() {
            p { "The bundle contains no images." }
        } @else if unsigned.is_empty() {
            p.good { "Every image has at least one signature." }
        } @else {
            h3 { "Images without a signature in the bundle" }
            ul { @for image in unsigned { li { (image.reference) } } }
        }
    }
}

fn is_signed(image: &ImageFacts) -> bool {
    image
        .attached
        .iter()
        .any(|one| one.kind.class == ArtifactClass::Signature)
}

fn attached_row(one: &InspectedReferrer) -> Markup {
    html! {
        tr {
            th scope="row" { (one.kind) }
            td { (one.subject_name) }
            td.number { (bytes(one.bytes)) }
            td { code { (one.digest) } }
        }
    }
}

/// What publishers offer and the bundle does not contain.
pub(super) fn omitted(facts: &Facts) -> Markup {
    html! {
        @if facts.omitted.is_empty() {
            p { "Every image is complete: all that its publisher's index lists is in the bundle." }
        } @else {
            (table("What publishers offer and this bundle does not contain", &["Image", "Not included", "Why", "Digest"], html! {
                @for one in &facts.omitted {
                    tr {
                        th scope="row" { (one.image) }
                        td { (one.what) }
                        td { (one.why) }
                        td { code { (one.digest) } }
                    }
                }
            }))
        }
    }
}
