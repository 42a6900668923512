//! `sealift inspect`: shows what is in a bundle.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::{
    FileKind, ImageSource, InspectedDelta, InspectedFile, InspectedImage, InspectedPlatform,
    InspectedReferrer, Inspection, configs, inspect, read_configs,
};
use sealift_oci::{BuildStep, ImageConfig, excerpt};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{BaseArgs, ScratchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{heading, output, program, words};

/// Show what is in a bundle
///
/// Prints the images with their platforms, sizes, signatures and origin, and the carried files. Reads only the
/// bundle's metadata, so it is fast for bundles of any size; `sealift verify` checks the content. --config also reads
/// the configuration of each image; in a compact bundle this decodes the packs that contain them.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n    sealift inspect calico.tar\n    sealift inspect --config calico.tar\n    sealift inspect --json calico.tar | jq -r '.images[].reference'"
)]
pub(crate) struct InspectArgs {
    /// The bundle
    bundle: PathBuf,
    /// Also show each image's configuration: build time, command, labels and history
    #[arg(long)]
    config: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Print the result as JSON
    #[arg(long, help_heading = heading::OUTPUT)]
    json: bool,
}

pub(crate) fn run(args: &InspectArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let reading = args.scratch.reading(&Budget::new(1, cores()), cancel);
    let bundle = args.bases.open(&args.bundle, &reading)?;
    let mut inspection = inspect(&bundle);
    if args.config {
        bundle.check_readable(configs(&bundle, &inspection))?;
        read_configs(&bundle, &mut inspection)?;
    }
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

/// The most characters of a value from a configuration that are shown.
const MAX_VALUE: usize = 300;

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
    let problem = platform.config_problem.iter();
    let problem = problem.map(|problem| format!("no configuration: {problem}"));
    let lines = platform.config.iter().flat_map(config_lines).chain(problem);
    Node {
        text: format!(
            "{name}  {}  {}, {}",
            platform.digest,
            words::count(platform.layers as u64, "layer"),
            words::bytes(platform.bytes)
        ),
        below: lines.map(Node::leaf).collect(),
    }
}

/// What the configuration of an image says, a line for each.
fn config_lines(config: &ImageConfig) -> Vec<String> {
    let arguments = |arguments: &[String]| {
        let quoted: Vec<String> = arguments.iter().map(|one| format!("{one:?}")).collect();
        (!quoted.is_empty()).then(|| quoted.join(" "))
    };
    let list = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    let named = [
        ("created", config.created.clone()),
        ("author", config.author.clone()),
        ("entrypoint", arguments(&config.entrypoint)),
        ("command", arguments(&config.command)),
        ("user", config.user.clone()),
        ("folder", config.working_dir.clone()),
        ("ports", list(&config.ports)),
        ("volumes", list(&config.volumes)),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let variables = config
        .environment
        .iter()
        .map(|one| ("variable", one.clone()));
    let labels = config.labels.iter();
    let labels = labels.map(|(key, value)| ("label", format!("{key}={value}")));
    let steps = config.history.iter().map(|step| ("step", step_words(step)));
    let all = named.chain(variables).chain(labels).chain(steps);
    all.map(|(name, value)| format!("{name}: {}", excerpt(&value, MAX_VALUE)))
        .collect()
}

fn step_words(step: &BuildStep) -> String {
    let command = step.created_by.as_deref().unwrap_or("unknown command");
    let comment = step.comment.iter().map(|comment| format!(" ({comment})"));
    let layer = if step.layer { "" } else { ", no layer" };
    format!("{command}{}{layer}", comment.collect::<String>())
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
