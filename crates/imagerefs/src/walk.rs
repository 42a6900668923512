//! Goes through one document and reports what it meets.

mod compose;
mod patch;
mod pod;

use std::collections::HashSet;

use compose::Scope;
pub(crate) use patch::is_patch;
use pod::part_of_image;

use crate::check::{check, fully_qualified, has_host};
use crate::error::{FindError, Reason};
use crate::occurrence::{Findings, Kind};
use crate::placeholder::Placeholder;
use crate::text::Text;
use crate::tree::{Document, Id};

/// One step of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// What kind of mapping the walk is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The top of a document or an item of a `List`.
    Root,
    /// A resource of Kubernetes itself: images are where its API has them. Strict where the resource is
    /// applied as it is, so that a template's variable in it is an error.
    Builtin { strict: bool },
    /// A resource of somebody else's API: images are where they look like images.
    Custom,
    /// A values file.
    Values,
}

impl Mode {
    /// How a reference in a field outside of any container was recognised.
    pub(crate) fn field(self) -> Kind {
        match self {
            Self::Builtin { .. } | Self::Custom => Kind::CustomResource,
            Self::Root | Self::Values => Kind::Values,
        }
    }
}

/// A walk through one document.
pub(crate) struct Walk<'a, 't> {
    pub(crate) text: &'a Text<'t>,
    pub(crate) document: &'a Document<'t>,
    pub(crate) found: &'a mut Findings,
    pub(crate) path: Vec<Segment<'a>>,
    /// The resource that the walk is in.
    pub(crate) object: Option<String>,
    /// What the mappings around the current one say of images in it.
    pub(crate) scope: Scope,
    /// Nodes that were reported or gone through; what is anchored is met again at each alias.
    pub(crate) seen: HashSet<Id>,
    /// Fields that were reported together.
    pub(crate) joined: HashSet<Vec<Id>>,
    /// How many scalars of other documents the text is inside of.
    pub(crate) depth: usize,
    /// Whether nothing of the text may be repeated but references: a Secret's.
    pub(crate) confidential: bool,
    /// Whether `images` are overrides by Kustomize's rules.
    pub(crate) kustomize: bool,
}

impl<'a, 't> Walk<'a, 't> {
    pub(crate) fn new(
        text: &'a Text<'t>,
        document: &'a Document<'t>,
        found: &'a mut Findings,
    ) -> Self {
        Self {
            text,
            document,
            found,
            path: Vec::new(),
            object: None,
            scope: Scope::default(),
            seen: HashSet::new(),
            joined: HashSet::new(),
            depth: 0,
            confidential: false,
            kustomize: false,
        }
    }

    /// Goes through the whole document.
    ///
    /// # Errors
    /// If an image's real value is missing.
    pub(crate) fn run(&mut self) -> Result<(), FindError> {
        self.node(self.document.root(), Mode::Root)
    }

    /// Does something one step deeper in the path.
    pub(crate) fn within<R>(&mut self, step: Segment<'a>, inner: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(step);
        let result = inner(self);
        self.path.pop();
        result
    }

    /// Goes through a node. Collections behind an alias were gone through where they are anchored.
    pub(crate) fn node(&mut self, id: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        if document.is_mapping(id) {
            if document.is_alias(id) && self.seen.contains(&document.target(id)) {
                return Ok(());
            }
            self.seen.insert(document.target(id));
            return self.resource(id, mode);
        }
        if document.is_sequence(id) && !document.is_alias(id) {
            return self.sequence(id, mode);
        }
        if document.scalar(id).is_some() && !matches!(mode, Mode::Builtin { .. }) {
            self.free(id, mode.field());
        }
        Ok(())
    }

    fn sequence(&mut self, id: Id, mode: Mode) -> Result<(), FindError> {
        let custom = !matches!(mode, Mode::Builtin { .. } | Mode::Root);
        if custom && is_patch(self.document, id) {
            return self.json_patch(id);
        }
        if custom && self.short_references(id) {
            return Ok(());
        }
        for (index, &item) in self.document.sequence(id).iter().enumerate() {
            self.within(Segment::Index(index), |walk| walk.node(item, mode))?;
        }
        Ok(())
    }

    /// A mapping, which may be a resource of its own.
    fn resource(&mut self, id: Id, mode: Mode) -> Result<(), FindError> {
        self.template(id)?;
        let document = self.document;
        let api = document.get_text(id, "apiVersion");
        let (Some(api), Some(kind)) = (api, document.get_text(id, "kind")) else {
            let mode = if mode == Mode::Root {
                Mode::Values
            } else {
                mode
            };
            return self.mapping(id, mode, false);
        };
        let label = self.label(id);
        let outer_object = std::mem::replace(&mut self.object, label);
        let outer_path = std::mem::take(&mut self.path);
        let outer_kustomize = self.kustomize;
        self.kustomize |= api.contains(".fluxcd.io/");
        let result = match kind {
            // Schemas: descriptions, properties called `image`, defaults of somebody else's resources.
            "CustomResourceDefinition" => Ok(()),
            "ConfigMap" | "Secret" if api == "v1" => {
                self.stored_texts(id, kind);
                Ok(())
            }
            "ImageSet" if api.starts_with("operator.tigera.io/") => {
                self.image_set(id);
                Ok(())
            }
            _ if api == "v1" && kind.ends_with("List") && mode == Mode::Root => {
                self.mapping(id, Mode::Root, true)
            }
            _ if builtin(api) => self.mapping(
                id,
                Mode::Builtin {
                    strict: mode == Mode::Root && self.depth == 0,
                },
                true,
            ),
            _ => {
                if kind == "IstioOperator"
                    && let Some(spec) = document.get(id, "spec")
                {
                    self.within(Segment::Key("spec"), |walk| walk.lonely_hub(spec));
                }
                self.mapping(id, Mode::Custom, true)
            }
        };
        self.object = outer_object;
        self.path = outer_path;
        self.kustomize = outer_kustomize;
        result
    }

    /// `{{ .Values.image }}` without quotes is YAML: a mapping with a mapping for its key.
    fn template(&self, id: Id) -> Result<(), FindError> {
        let start = self.document.node(id).span.start;
        if !self.text.body[start..].starts_with("{{") {
            return Ok(());
        }
        let (line, _) = self.text.position(start);
        let (_, line) = self.text.line(line);
        match Placeholder::of(line) {
            Some(placeholder) => {
                let reason = Reason::Placeholder(placeholder);
                Err(self.text.error(start, line.trim(), reason))
            }
            None => Ok(()),
        }
    }

    /// The pairs of a mapping; `top` where the mapping is a resource.
    fn mapping(&mut self, id: Id, mode: Mode, top: bool) -> Result<(), FindError> {
        let document = self.document;
        let outer = self.scope;
        let custom = matches!(mode, Mode::Custom | Mode::Values);
        let taken = if custom {
            self.scope = self.scope(id);
            self.fields(id, mode)
        } else {
            Vec::new()
        };
        for &(key, value) in document.mapping(id) {
            let Some(key) = document.scalar(key) else {
                continue;
            };
            if taken.contains(&value) || (custom && self.is_copy(id, key, value)) {
                continue;
            }
            self.within(Segment::Key(key), |walk| match key {
                "openAPIV3Schema" => Ok(()),
                "status" if top => Ok(()),
                "metadata" if top => {
                    walk.metadata(value);
                    Ok(())
                }
                _ => walk.pair(key, value, mode),
            })?;
        }
        self.scope = outer;
        Ok(())
    }

    /// The value of a key, one step deeper in the path.
    ///
    /// # Errors
    /// If an image's real value is missing.
    pub(crate) fn pair_in(&mut self, key: &'a str, value: Id, mode: Mode) -> Result<(), FindError> {
        self.within(Segment::Key(key), |walk| walk.pair(key, value, mode))
    }

    fn pair(&mut self, key: &'a str, value: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        match key {
            "containers" | "initContainers" | "ephemeralContainers"
                if document.is_sequence(value) =>
            {
                let kind = match key {
                    "containers" => Kind::Container,
                    "initContainers" => Kind::InitContainer,
                    _ => Kind::EphemeralContainer,
                };
                self.containers(value, kind, mode)
            }
            "image" if self.is_volume(value) => self.image_volume(value, mode),
            // A block device of Ceph has an image too, which is not a container's.
            "rbd" if document.is_mapping(value) => Ok(()),
            _ if matches!(mode, Mode::Builtin { .. } | Mode::Root) => self.node(value, mode),
            _ => self.custom_pair(key, value, mode),
        }
    }

    /// Whether a pair says from where to where images are copied: a reference as key, and another one or
    /// several as value. The key is listed; the value does not exist yet.
    fn is_copy(&mut self, id: Id, key: &'a str, value: Id) -> bool {
        let document = self.document;
        let image = |text: &str| text.contains('/') && has_host(text) && check(text).is_ok();
        let to = document.text(value).is_some_and(image);
        let mut items = document.sequence(value).iter();
        let several = items.any(|item| document.text(*item).is_some_and(image));
        // A label's key and value look like this too.
        if !image(key) || !(to || (several && fully_qualified(key).is_some())) {
            return false;
        }
        self.leave(id, key, Reason::MayBeImage);
        true
    }

    /// An image that is mounted: a mapping with a reference and nothing else but a policy.
    fn is_volume(&self, value: Id) -> bool {
        let document = self.document;
        let other = |key: &Id| {
            let key = document.scalar(*key).unwrap_or_default();
            !matches!(key, "reference" | "pullPolicy")
        };
        document.get_text(value, "reference").is_some()
            && !document.mapping(value).iter().any(|(key, _)| other(key))
    }

    fn image_volume(&mut self, value: Id, mode: Mode) -> Result<(), FindError> {
        let Some(id) = self.document.get(value, "reference") else {
            return Ok(());
        };
        self.within(Segment::Key("reference"), |walk| {
            walk.container_image(id, Kind::ImageVolume, mode)
        })
    }

    /// A pair outside of the resources of Kubernetes itself.
    fn custom_pair(&mut self, key: &'a str, value: Id, mode: Mode) -> Result<(), FindError> {
        let document = self.document;
        let scalar = document.scalar(value).is_some();
        if arguments(key) && document.is_sequence(value) {
            self.arguments(value);
        } else if assignments(key) && document.is_sequence(value) {
            return self.assignments(value, mode);
        } else if key == "blockedImages" {
            // oc-mirror: what it must not copy.
        } else if scalar && image_key(key) {
            self.image_field(key, value, mode.field());
        } else if scalar && key.contains('.') && part_of_image(key) {
            let text = document.text(value).unwrap_or_default();
            if !text.is_empty() {
                let reason = Reason::Undecided("a parameter sets one part of a reference");
                self.leave(value, &format!("{key}: {text}"), reason);
            }
        } else if images_key(key) {
            return self.images(value, mode);
        } else {
            return self.node(value, mode);
        }
        Ok(())
    }

    /// The keys above the walk's position, the nearest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.path.iter().rev().filter_map(|segment| match segment {
            Segment::Key(key) => Some(*key),
            Segment::Index(_) => None,
        })
    }

    /// The nearest key.
    pub(crate) fn key(&self) -> Option<&'a str> {
        self.keys().next()
    }

    /// `Kind/namespace/name` of a resource.
    pub(crate) fn label(&self, id: Id) -> Option<String> {
        let document = self.document;
        let kind = document.get_text(id, "kind")?;
        let metadata = document.get(id, "metadata");
        let field = |name| metadata.and_then(|metadata| document.get_text(metadata, name));
        let mut label = kind.get(..MAX_NAME).unwrap_or(kind).to_owned();
        let name = field("name").or_else(|| field("generateName"));
        for part in [field("namespace"), name].into_iter().flatten() {
            label.push('/');
            label.push_str(part.get(..MAX_NAME).unwrap_or(part));
        }
        Some(label)
    }
}

/// Longest name of a resource or a namespace, in bytes.
const MAX_NAME: usize = 253;

/// Whether an API is one of Kubernetes itself, whose fields are known.
fn builtin(api: &str) -> bool {
    const GROUPS: &[&str] = &[
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    api == "v1"
        || api
            .split_once('/')
            .is_some_and(|(group, _)| GROUPS.contains(&group))
}

/// Whether a key says that its value is an image.
pub(crate) fn image_key(key: &str) -> bool {
    const ENDS: &[&str] = &["Image", "_image", "-image", "IMAGE", ".image"];
    matches!(key, "image" | "imageName" | "image_name")
        || ENDS.iter().any(|end| key.ends_with(end))
        || key.starts_with("RELATED_IMAGE_")
}

/// Whether a key says that its value is images: a list of them, or a mapping from names to them.
pub(crate) fn images_key(key: &str) -> bool {
    const ENDS: &[&str] = &[
        "images",
        "image_list",
        "image-list",
        "imagelist",
        "images.txt",
    ];
    let lower = key.to_ascii_lowercase();
    ENDS.iter().any(|end| lower.ends_with(end))
}

/// Whether a key says that its value is a list of arguments.
fn arguments(key: &str) -> bool {
    key == "args" || key == "command" || key.ends_with("Args")
}

/// Whether a key says that its value is a list of `NAME=value`.
fn assignments(key: &str) -> bool {
    matches!(key, "literals" | "environment" | "env")
}
