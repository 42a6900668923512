//! Kustomize: `images` overrides of a Kustomization or Component, which Flux has too.

use crate::error::Reason;
use crate::occurrence::Piece;
use crate::tree::{Document, Id};
use crate::walk::{Mode, Segment, Walk};

/// Keys of a Kustomization. One without `apiVersion` and `kind` is known by having no others.
const KEYS: &[&str] = &[
    "apiVersion",
    "bases",
    "buildMetadata",
    "commonAnnotations",
    "commonLabels",
    "components",
    "configMapGenerator",
    "configurations",
    "crds",
    "generatorOptions",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "imageTags",
    "images",
    "kind",
    "labels",
    "metadata",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "openapi",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "replicas",
    "resources",
    "secretGenerator",
    "sortOptions",
    "transformers",
    "validators",
    "vars",
];
/// Keys of which one is there in every Kustomization that matters here.
const TELLING: &[&str] = &[
    "bases",
    "components",
    "configMapGenerator",
    "helmCharts",
    "images",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "resources",
    "secretGenerator",
];
/// Keys whose entries are names of other files, as text or under `path`.
const FILES: &[&str] = &[
    "resources",
    "bases",
    "components",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "generators",
    "transformers",
];
/// Most names of other files that a message repeats.
const MAX_NAMES: usize = 5;

/// Whether a mapping without `apiVersion` and `kind` is a Kustomization.
pub(super) fn is_kustomization(document: &Document<'_>, root: Id) -> bool {
    let pairs = document.mapping(root);
    let known = |key: &Id| document.scalar(*key).is_some_and(|key| KEYS.contains(&key));
    let telling = |key: &&str| {
        let value = document.get(root, key);
        value.is_some_and(|value| telling_value(document, key, value))
    };
    pairs.iter().all(|(key, _)| known(key)) && TELLING.iter().any(telling)
}

/// Whether the value of a telling key is what Kustomize has there. Many files have a list of `images`.
fn telling_value(document: &Document<'_>, key: &str, value: Id) -> bool {
    let items = document.sequence(value);
    let overrides = |item: &Id| {
        ["newName", "newTag", "digest"]
            .iter()
            .any(|key| document.get(*item, key).is_some())
    };
    !items.is_empty() && (key != "images" || items.iter().all(overrides))
}

/// Lists the other files that a Kustomization names: their images are not in this one.
pub(super) fn other_files(walk: &mut Walk<'_, '_>) {
    let document = walk.document;
    let root = document.root();
    for &key in FILES {
        let Some(list) = document.get(root, key) else {
            continue;
        };
        let items = document.sequence(list).iter();
        let name = |item: &Id| {
            let text = document
                .text(*item)
                .or_else(|| document.get_text(*item, "path"))?;
            (!text.contains('\n')).then_some(text)
        };
        let names: Vec<&str> = items.filter_map(name).take(MAX_NAMES).collect();
        if !names.is_empty() {
            walk.within(Segment::Key(key), |walk| {
                walk.leave(list, &names.join(", "), Reason::OtherFiles);
            });
        }
    }
}

impl Walk<'_, '_> {
    /// An entry of `images`: the image called `name` gets another name, tag or digest. Returns the values
    /// that are dealt with; `None` if the mapping is not such an entry.
    pub(crate) fn kustomize_image(&mut self, id: Id, mode: Mode) -> Option<Vec<Id>> {
        let name = self.filled(id, "name")?;
        let new_name = self.filled(id, "newName");
        let tag = self.filled(id, "newTag");
        let suffix = self.filled(id, "tagSuffix");
        let digest = self.filled(id, "digest");
        let own = new_name.or(tag).or(suffix).is_some();
        if !(own || digest.is_some() && self.kustomize) {
            return None;
        }
        // `name` is what Kustomize looks for, so that only `newName` can be edited.
        let piece = match new_name {
            Some(new_name) => (Piece::Name, new_name),
            None => (Piece::FixedName, name),
        };
        let mut pieces = vec![piece];
        pieces.extend(tag.map(|tag| (Piece::Tag, tag)));
        pieces.extend(digest.map(|digest| (Piece::Digest, digest)));
        let key = if new_name.is_some() {
            "newName"
        } else {
            "name"
        };
        self.within(Segment::Key(key), |walk| match suffix {
            Some(suffix) => {
                let text = walk.document.text(suffix).unwrap_or_default();
                let reason = Reason::Undecided("a suffix is added to the tag");
                walk.leave(suffix, text, reason);
            }
            None if pieces.len() > 1 || new_name.is_some() => walk.join(&pieces, mode),
            None => {}
        });
        let all = [Some(name), new_name, tag, suffix, digest];
        Some(all.into_iter().flatten().collect())
    }
}
