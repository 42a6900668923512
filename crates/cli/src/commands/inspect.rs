//! `sealift inspect`: shows what is in a bundle.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::{
    FileKind, ImageSource, InspectedDelta, InspectedFile, InspectedImage, InspectedPlatform,
    InspectedReferrer, Inspection, inspect,
};

use crate::args::BaseArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{output, program, words};

/// Show what is in a bundle
///
/// Prints the images with their platforms, sizes, signatures and origin, and the carried files. Only the bundle's
/// metadata is read, so this is quick for a bundle of any size; `sealift verify` reads the rest.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n    sealift inspect calico.tar\n    sealift inspect --json calico.tar | jq -r '.images[].reference'"
)]
pub(crate) struct InspectArgs {
    /// The bundle
    bundle: PathBuf,
    #[command(flatten)]
    bases: BaseArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &InspectArgs) -> Result<Exit, Failure> {
    let bundle = args
        .bases
        .open(&args.bundle, &crate::args::metadata_reading())?;
    let inspection = inspect(&bundle);
    if args.json {
        output::json(&inspection)?;
    } else {
        output::lines(&tree(bundle.name(), &inspection))?;
        for program in &inspection.programs {
            output::lines(&program::words(bundle.name(), program))?;
        }
    }
    Ok(Exit::Done)
}

/// A node of the tree that is shown: a line, and what hangs below it.
struct Node {
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn leaf(text: String) -> Self {
        Self {
            text,
            below: Vec::new(),
        }
    }
}

fn tree(name: &str, inspection: &Inspection) -> Vec<String> {
    let images = inspection.images.iter().map(image_node);
    let files = inspection.files.iter().map(file_node);
    let bases = inspection.delta.iter().flat_map(base_nodes);
    let root = Node {
        text: format!(
            "{name}: {}, {}, {}, {} saved by sharing",
            words::bytes(inspection.bytes),
            words::count(inspection.images.len() as u64, "image"),
            words::count(inspection.blobs, "blob"),
            words::bytes(inspection.shared_bytes)
        ),
        below: bases.chain(images).chain(files).collect(),
    };
    let mut lines = vec![
        root.text.clone(),
        format!("identity {}", inspection.identity),
    ];
    draw(&root, "", &mut lines);
    lines
}

fn draw(node: &Node, indent: &str, lines: &mut Vec<String>) {
    for (at, child) in node.below.iter().enumerate() {
        let last = at + 1 == node.below.len();
        let (branch, rest) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        lines.push(format!("{indent}{branch}{}", child.text));
        draw(child, &format!("{indent}{rest}"), lines);
    }
}

/// What a delta leaves to its bases.
fn base_nodes(delta: &InspectedDelta) -> Vec<Node> {
    let left_out = Node::leaf(format!(
        "delta bundle: {} ({}) left out; {} to a complete bundle",
        words::count(delta.left_out_blobs, "blob"),
        words::bytes(delta.left_out_bytes),
        words::count(u64::from(delta.chain), "delta")
    ));
    let bases = delta.bases.iter().map(|base| {
        let first = base.images.first().map(String::as_str).unwrap_or_default();
        Node::leaf(format!(
            "base {}  {} of its blobs needed ({}); {}, including {first}",
            base.identity,
            base.needed_blobs,
            words::bytes(base.needed_bytes),
            words::count(base.images.len() as u64, "image"),
        ))
    });
    std::iter::once(left_out).chain(bases).collect()
}

fn image_node(image: &InspectedImage) -> Node {
    let source = match image.source {
        ImageSource::Registry => "",
        ImageSource::Layout => ", from an OCI layout",
        ImageSource::DockerArchive => ", from a docker save archive",
    };
    let new = if image.new_digest { ", new digest" } else { "" };
    let mut below = vec![Node::leaf(image.digest.to_string())];
    if let Some(original) = &image.original {
        below.push(Node::leaf(format!(
            "new index for the selected platforms; the publisher's is {original}"
        )));
    }
    below.extend(image.platforms.iter().map(platform_node));
    below.extend(image.left_out.iter().map(|entry| {
        let platform = entry.platform.as_ref();
        let name = platform.map_or_else(|| "no platform".to_owned(), ToString::to_string);
        Node::leaf(format!("omitted: {name}  {}", entry.digest))
    }));
    below.extend(image.referrers.iter().map(referrer_node));
    Node {
        text: format!(
            "{}  {} ({} unique){source}{new}",
            image.reference,
            words::bytes(image.bytes),
            words::bytes(image.own_bytes)
        ),
        below,
    }
}

fn platform_node(platform: &InspectedPlatform) -> Node {
    let name = platform
        .platform
        .as_ref()
        .map_or_else(|| "manifest".to_owned(), ToString::to_string);
    Node::leaf(format!(
        "{name}  {}  {}, {}",
        platform.digest,
        words::count(platform.layers as u64, "layer"),
        words::bytes(platform.bytes)
    ))
}

fn referrer_node(referrer: &InspectedReferrer) -> Node {
    let found = match &referrer.tag {
        Some(tag) => format!(", tag {tag}"),
        None if referrer.in_index => ", in the image's index".to_owned(),
        None => String::new(),
    };
    Node::leaf(format!(
        "{}  {}  of {}{found}, {}",
        referrer.kind,
        referrer.digest,
        referrer.subject_name,
        words::bytes(referrer.bytes)
    ))
}

fn file_node(file: &InspectedFile) -> Node {
    let kind = match file.kind {
        FileKind::File => "file",
        FileKind::Folder => "folder",
        FileKind::Chart => "Helm chart",
    };
    Node {
        text: format!("{kind} {}  {}", file.name, words::bytes(file.bytes)),
        below: vec![Node::leaf(format!("{}  {}", file.reference, file.digest))],
    }
}
