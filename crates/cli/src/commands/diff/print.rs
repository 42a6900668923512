//! The differences of two bundles as text.

use std::collections::{BTreeMap, BTreeSet};

use sealift_inventory::{ChangedFile, FileChanges, FileState, PackageChanges, PlacedPackage};
use sealift_report::{Attached, BundleDiff, CarriedChange, Change, ImageDiff, PlatformDiff, Side};

use crate::words;

/// How many files and packages are listed of each kind, unless all are asked for.
const LISTED: usize = 10;

/// The differences, with every file and package if `all`.
pub(super) fn text(diff: &BundleDiff, all: bool) -> Vec<String> {
    let mut lines: Vec<String> = side("old", &diff.old).into();
    lines.extend(side("new", &diff.new));
    if diff.old.identity == diff.new.identity {
        lines.push("the bundles contain the same: their identities are equal".to_owned());
        return lines;
    }
    lines.push(format!(
        "{} of content are new, {} are gone",
        words::bytes(diff.added_bytes),
        words::bytes(diff.removed_bytes)
    ));
    lines.push(totals(&diff.images));
    for image in diff.images.iter().filter(|image| is_shown(image)) {
        lines.push(String::new());
        self::image(image, all, &mut lines);
    }
    let files = diff
        .files
        .iter()
        .filter(|file| file.change != Change::Unchanged);
    let files: Vec<String> = files.map(carried).collect();
    if !files.is_empty() {
        lines.push(String::new());
        lines.push("carried files".to_owned());
        lines.extend(files);
    }
    lines
}

fn side(name: &str, side: &Side) -> [String; 2] {
    let contents = format!(
        "{name}  {}: {}, {}, {}",
        side.file,
        words::count(side.images, "image"),
        words::attached(side.attached),
        words::bytes(side.content_bytes),
    );
    [contents, format!("     identity {}", side.identity)]
}

fn totals(images: &[ImageDiff]) -> String {
    let count = |change| images.iter().filter(|image| image.change == change).count();
    format!(
        "images: {} added, {} removed, {} changed, {} unchanged",
        count(Change::Added),
        count(Change::Removed),
        count(Change::Changed),
        count(Change::Unchanged)
    )
}

/// Whether there is something to say about an image.
fn is_shown(image: &ImageDiff) -> bool {
    image.change != Change::Unchanged
        || image.old_reference.is_some()
        || image.attached.old != image.attached.new
}

fn image(image: &ImageDiff, all: bool, lines: &mut Vec<String>) {
    let name = match &image.old_reference {
        Some(old) => format!("{old} → {}", tag(&image.reference)),
        None => image.reference.clone(),
    };
    let sizes = match image.change {
        Change::Added => words::bytes(image.new_bytes),
        Change::Removed => words::bytes(image.old_bytes),
        Change::Changed | Change::Unchanged => {
            let (old, new) = (image.old_bytes, image.new_bytes);
            format!("{} → {}", words::bytes(old), words::bytes(new))
        }
    };
    lines.push(format!("{} {name}  {sizes}", mark(image.change)));
    match (&image.old_digest, &image.new_digest) {
        (Some(old), Some(new)) if old == new => lines.push(format!("    {new} (unchanged)")),
        (Some(old), Some(new)) => {
            lines.extend([format!("    {old}"), format!("  → {new}")]);
        }
        (old, new) => lines.extend(old.or(*new).map(|digest| format!("    {digest}"))),
    }
    lines.extend(attached(&image.attached, image.change));
    for one in &image.platforms {
        platform(one, all, lines);
    }
}

/// The tag or digest of a reference: what differs from another of the same repository.
fn tag(reference: &str) -> &str {
    let name = reference.rfind('/').map_or(0, |slash| slash + 1);
    let end = reference[name..].find([':', '@']);
    end.map_or(reference, |end| {
        reference[name + end..].trim_start_matches([':', '@'])
    })
}

fn mark(change: Change) -> &'static str {
    match change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
        Change::Unchanged => "=",
    }
}

/// Signatures and what else belongs to an image; that it lost some is a warning.
fn attached(attached: &Attached, change: Change) -> Option<String> {
    let list = |kinds: &BTreeMap<String, u64>| {
        if kinds.is_empty() {
            return "none".to_owned();
        }
        let kinds = kinds
            .iter()
            .map(|(kind, count)| format!("{count} × {kind}"));
        kinds.collect::<Vec<_>>().join(", ")
    };
    let (old, new) = (list(&attached.old), list(&attached.new));
    Some(match change {
        Change::Added => format!("    signatures and attestations: {new}"),
        Change::Removed => return None,
        _ if old == new => format!("    signatures and attestations: {new}, as before"),
        _ => format!("    signatures and attestations: {old} → {new}"),
    })
}

fn platform(platform: &PlatformDiff, all: bool, lines: &mut Vec<String>) {
    let name = if platform.platform.is_empty() {
        "image"
    } else {
        &platform.platform
    };
    if platform.change == Change::Unchanged {
        lines.push(format!("  = {name}"));
        return;
    }
    let layers = &platform.layers;
    lines.push(format!(
        "  {} {name}: {} kept ({}), {} new ({}), {} gone ({})",
        mark(platform.change),
        words::count(layers.kept, "layer"),
        words::bytes(layers.kept_bytes),
        layers.added,
        words::bytes(layers.added_bytes),
        layers.removed,
        words::bytes(layers.removed_bytes)
    ));
    if let Some(changes) = &platform.packages {
        packages(changes, all, lines);
    }
    if let Some(changes) = &platform.files {
        files(changes, all, lines);
    }
    let unread = platform.unread.iter();
    lines.extend(
        unread.map(|layer| format!("      layer {} was not read: {}", layer.digest, layer.why)),
    );
    let notes = platform.notes.iter();
    lines.extend(notes.map(|note| format!("      not understood: /{}: {}", note.path, note.what)));
}

fn packages(changes: &PackageChanges, all: bool, lines: &mut Vec<String>) {
    // One module is often in several programs of an image, in one version.
    let shown = |package: &PlacedPackage| format!("{} {}", package.kind, package.name);
    let changed: BTreeSet<String> = changes
        .changed
        .iter()
        .map(|one| {
            let down = if one.upgrade == Some(false) {
                " (downgrade)"
            } else {
                ""
            };
            let (name, old, new) = (shown(&one.package), &one.old_version, &one.package.version);
            format!("~ {name} {old} → {new}{down}")
        })
        .collect();
    let listed = |mark: &str, packages: &[PlacedPackage]| -> BTreeSet<String> {
        let packages = packages.iter();
        packages
            .map(|one| format!("{mark} {} {}", shown(one), one.version))
            .collect()
    };
    let (added, removed) = (listed("+", &changes.added), listed("-", &changes.removed));
    lines.push(format!(
        "      packages: {} changed, {} added, {} removed, {} unchanged",
        changed.len(),
        added.len(),
        removed.len(),
        changes.same
    ));
    for list in [changed, added, removed] {
        limited(list.into_iter(), all, lines);
    }
}

fn files(changes: &FileChanges, all: bool, lines: &mut Vec<String>) {
    lines.push(format!(
        "      files: {} changed, {} added, {} removed, {} unchanged",
        changes.changed.len(),
        changes.added.len(),
        changes.removed.len(),
        changes.same
    ));
    for (mark, files) in [
        ("~", &changes.changed),
        ("+", &changes.added),
        ("-", &changes.removed),
    ] {
        let mut files: Vec<&ChangedFile> = files.iter().collect();
        files.sort_by_key(|file| std::cmp::Reverse(size(file)));
        limited(files.into_iter().map(|one| file(mark, one)), all, lines);
    }
}

fn size(file: &ChangedFile) -> u64 {
    let bytes = |state: &Option<FileState>| match state {
        Some(FileState::File { size, .. }) => *size,
        _ => 0,
    };
    bytes(&file.old).max(bytes(&file.new))
}

fn file(mark: &str, file: &ChangedFile) -> String {
    let state = |state: &FileState| match state {
        FileState::File { size, mode } => (words::bytes(*size), format!("mode {mode}")),
        FileState::Symlink { target } => (format!("link to {target}"), String::new()),
        FileState::Other => ("device or pipe".to_owned(), String::new()),
    };
    let what = match (file.old.as_ref().map(state), file.new.as_ref().map(state)) {
        (Some((old, old_mode)), Some((new, new_mode))) => {
            let sizes = if old == new {
                old
            } else {
                format!("{old} → {new}")
            };
            if old_mode == new_mode {
                sizes
            } else {
                format!("{sizes}, {old_mode} → {new_mode}")
            }
        }
        (old, new) => old.or(new).map(|(size, _)| size).unwrap_or_default(),
    };
    format!("{mark} /{}  {what}", file.path)
}

/// The first of `items`, and how many more there are.
fn limited(items: impl ExactSizeIterator<Item = String>, all: bool, lines: &mut Vec<String>) {
    let count = items.len();
    let shown = if all { count } else { LISTED };
    lines.extend(items.take(shown).map(|item| format!("        {item}")));
    if count > shown {
        lines.push(format!(
            "        … and {} more (--all lists them)",
            count - shown
        ));
    }
}

fn carried(file: &CarriedChange) -> String {
    let sizes = match file.change {
        Change::Added => words::bytes(file.new_bytes),
        Change::Removed => words::bytes(file.old_bytes),
        _ => format!(
            "{} → {}",
            words::bytes(file.old_bytes),
            words::bytes(file.new_bytes)
        ),
    };
    format!("  {} {}  {sizes}", mark(file.change), file.name)
}
