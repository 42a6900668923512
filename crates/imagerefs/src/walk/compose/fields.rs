//! The fields of one mapping that may be parts of a reference, by the role that their key gives them.

use super::Scope;
use super::hosts::{is_registry, is_source};
use crate::check::{check, has_host, selector};
use crate::occurrence::Piece;
use crate::text::trim;
use crate::tree::{Document, Id};

/// Keys of the registry.
const REGISTRY: &[&str] = &[
    "registry",
    "imageRegistry",
    "image_registry",
    "registryHost",
];
/// Kyverno: the registry if no other is set.
const DEFAULT_REGISTRY: &[&str] = &["defaultRegistry"];
/// Keys that are the registry only in a mapping that is an image's.
const HOST: &[&str] = &["host", "hostname", "domain", "server"];
/// Keys of the path between registry and name.
const PATH: &[&str] = &["org", "organization", "organisation"];
/// More of them in a mapping that is an image's.
const OWNER: &[&str] = &[
    "namespace",
    "imageNamespace",
    "project",
    "owner",
    "group",
    "account",
];
/// Keys of the name, as a rule without a tag.
const REPOSITORY: &[&str] = &[
    "repository",
    "repo",
    "imageRepository",
    "image_repository",
    "newName",
];
const IMAGE: &[&str] = &["image", "imageName", "image_name"];
/// Keys that are the name only in a mapping that is an image's.
const NAME: &[&str] = &["name"];
const LOCATION: &[&str] = &["path", "imagePath"];
/// Keys of a reference, as a rule all of it, in a mapping that is an image's.
const WHOLE: &[&str] = &[
    "ref",
    "reference",
    "uri",
    "url",
    "fullName",
    "imageRef",
    "imageUri",
];
/// Keys of the tag.
const TAG: &[&str] = &["tag", "imageTag", "image_tag", "newTag"];
/// Keys that are the tag if there is no other.
const VERSION: &[&str] = &["version", "imageVersion", "image_version"];
/// Keys of the digest.
const DIGEST: &[&str] = &["digest", "imageDigest", "image_digest"];
/// Keys of a SHA-256 digest's digits.
const SHA: &[&str] = &["sha", "sha256"];
/// Keys of what charts add to a tag.
const MODIFIER: &[&str] = &[
    "tagSuffix",
    "tagPrefix",
    "imageSuffix",
    "variant",
    "flavor",
    "flavour",
    "distro",
    "edition",
];
/// More of them in a mapping that is an image's.
const IMAGE_MODIFIER: &[&str] = &[
    "suffix",
    "prefix",
    "imagePrefix",
    "arch",
    "architecture",
    "base",
    "os",
];
/// Keys that say that a repository is an image's, whatever their value.
const SPEAKS: &[&str] = &[
    "tag",
    "imageTag",
    "newTag",
    "digest",
    "sha",
    "pullPolicy",
    "imagePullPolicy",
    "useDigest",
];

/// A scalar that is neither null nor empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) key: &'static str,
    pub(crate) id: Id,
    /// Its value without blanks around it.
    pub(crate) text: &'a str,
}

impl Field<'_> {
    /// Whether its key says version rather than tag.
    pub(crate) fn is_version(&self) -> bool {
        VERSION.contains(&self.key)
    }
}

/// The fields of a mapping.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) registry: Option<Field<'a>>,
    /// What is a registry only in a mapping that is an image's.
    pub(crate) host: Option<Field<'a>>,
    pub(crate) path: Option<Field<'a>>,
    pub(crate) repository: Option<Field<'a>>,
    pub(crate) image: Option<Field<'a>>,
    pub(crate) name: Option<Field<'a>>,
    pub(crate) location: Option<Field<'a>>,
    pub(crate) whole: Option<Field<'a>>,
    pub(crate) tag: Option<Field<'a>>,
    /// May be an empty text in quotes, which is room for one.
    pub(crate) digest: Option<(Piece, Field<'a>)>,
    pub(crate) use_digest: Option<Field<'a>>,
    pub(crate) modifier: Option<Field<'a>>,
    /// A part of the name whose key has no value, so that it may be set elsewhere.
    pub(crate) empty: Option<&'static str>,
    /// Whether there is a key for a tag, with or without a value.
    pub(crate) tag_key: bool,
    /// Whether some key says that the mapping is an image's.
    pub(crate) speaks_of_image: bool,
    /// Two fields of one role that differ.
    pub(crate) conflict: Option<&'static str>,
}

impl<'a> Fields<'a> {
    /// The fields of the mapping `id`; `image` says whether the mapping is an image's.
    pub(crate) fn of(document: &'a Document<'_>, id: Id, image: bool) -> Self {
        let reader = Reader { document, id };
        let more = |keys: &'static [&'static str]| if image { keys } else { &[] };
        let mut conflict = None;
        let mut one = |keys, reason| {
            let (field, differs) = reader.first(keys);
            if differs {
                conflict = Some(reason);
            }
            field
        };
        let registry = one(REGISTRY, "two fields have a registry");
        let registry = registry.or_else(|| reader.first(DEFAULT_REGISTRY).0);
        let repository = one(REPOSITORY, "two fields have a repository");
        let tag = one(TAG, "two fields have a tag");
        let image_field = reader.first(IMAGE).0;
        let empty = |keys: &[&'static str]| {
            keys.iter().any(|key| {
                document
                    .get(id, key)
                    .is_some_and(|id| document.scalar(id).is_some())
            })
        };
        let empty = if registry.is_none() && empty(REGISTRY) {
            Some("the registry is left empty")
        } else if repository.is_none() && empty(REPOSITORY) {
            Some("the repository is left empty")
        } else {
            None
        };
        let host = reader.first(HOST).0;
        let (registry, host) = if image {
            (registry.or(host), None)
        } else {
            (registry, host)
        };
        let location = reader.first(LOCATION).0;
        let name = reader.first(NAME).0;
        let named = repository.is_some() || image_field.is_some() || name.is_some();
        let path = reader.first(PATH).0.or_else(|| reader.first(more(OWNER)).0);
        // Beside a name, it is the path to it.
        let (path, location) = if image && named {
            (path.or(location), None)
        } else {
            (path, location)
        };
        Self {
            registry,
            host,
            path,
            repository,
            image: image_field,
            name,
            location,
            whole: reader.first(more(WHOLE)).0,
            tag: tag.or_else(|| reader.first(VERSION).0),
            digest: reader.digest(),
            use_digest: reader.first(&["useDigest"]).0,
            modifier: reader
                .first(MODIFIER)
                .0
                .or_else(|| reader.first(more(IMAGE_MODIFIER)).0)
                .filter(|field| !matches!(field.text, "true" | "false")),
            empty,
            tag_key: TAG.iter().any(|key| document.get(id, key).is_some()),
            speaks_of_image: SPEAKS.iter().any(|key| document.get(id, key).is_some()),
            conflict,
        }
    }

    /// Whether the fields are an image's if the mapping is.
    pub(crate) fn is_engaged(&self) -> bool {
        let mut names = self.names();
        self.tag_key || self.repository.is_some() || names.any(|name| self.says_more(name))
    }

    /// Whether the name begins with a registry's host.
    pub(crate) fn has_host(&self) -> bool {
        let mut names = self.names();
        names.next().is_some_and(|name| has_host(name.text))
    }

    /// The fields that may be the name, the likeliest first.
    fn names(&self) -> impl Iterator<Item = &Field<'a>> {
        let names = [&self.repository, &self.image, &self.name, &self.location];
        names.into_iter().flatten()
    }

    /// Whether the fields look like an image's although nothing says that they are: a name with a tag, or
    /// with a registry and a version.
    pub(crate) fn may_be_image(&self) -> bool {
        let named = self.names().any(|name| {
            let text = name.text.trim_matches('/');
            !is_source(text) && check(text).is_ok()
        });
        let registry = self.registry.as_ref().or(self.host.as_ref());
        let registry = registry.is_some_and(|field| is_registry(field.text));
        let tagged = self.tag.as_ref().is_some_and(|tag| !tag.is_version());
        let digest = self
            .digest
            .as_ref()
            .is_some_and(|(_, field)| !field.text.is_empty());
        named && (tagged || digest || ((registry || self.path.is_some()) && self.tag.is_some()))
    }

    /// Whether there is a part of a reference, but no name.
    pub(crate) fn lacks_name(&self) -> bool {
        let tagged = self.tag.as_ref().is_some_and(|tag| !tag.is_version());
        let digest = self
            .digest
            .as_ref()
            .is_some_and(|(_, field)| !field.text.is_empty());
        self.names().next().is_none()
            && self.whole.is_none()
            && (self.registry.is_some() || tagged || digest)
    }

    /// Whether something besides `name` is there to make a reference of: a registry, a tag, a digest.
    pub(crate) fn says_more(&self, name: &Field<'_>) -> bool {
        let digest = self
            .digest
            .as_ref()
            .is_some_and(|(_, field)| !field.text.is_empty());
        // `image: quay.io/a/b:1` beside a `version` needs nothing of it.
        let complete = selector(name.text).is_some();
        let tag = self
            .tag
            .as_ref()
            .is_some_and(|tag| !(tag.is_version() && complete));
        self.registry.is_some() || self.path.is_some() || tag || digest
    }

    /// All fields, in the order in which a reference has them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Field<'a>> {
        [
            &self.registry,
            &self.host,
            &self.path,
            &self.repository,
            &self.image,
            &self.name,
            &self.location,
            &self.whole,
            &self.tag,
            &self.modifier,
        ]
        .into_iter()
        .flatten()
        .chain(self.digest.as_ref().map(|(_, field)| field))
        .chain(&self.use_digest)
    }

    /// The field that a message points at: the name's, if there is one.
    pub(crate) fn position(&self) -> Option<&Field<'a>> {
        let names = [&self.repository, &self.image, &self.name, &self.location];
        names
            .into_iter()
            .flatten()
            .next()
            .or_else(|| self.all().next())
    }

    /// The fields as they are written, for a message.
    pub(crate) fn describe(&self) -> String {
        let filled = self.all().filter(|field| !field.text.is_empty());
        let fields = filled.map(|field| format!("{}: {}", field.key, field.text));
        fields.collect::<Vec<_>>().join(", ")
    }
}

struct Reader<'a, 't> {
    document: &'a Document<'t>,
    id: Id,
}

impl<'a> Reader<'a, '_> {
    fn filled(&self, key: &'static str) -> Option<Field<'a>> {
        let id = self.document.get(self.id, key)?;
        let text = trim(self.document.text(id)?);
        Some(Field { key, id, text })
    }

    /// The first of `keys` that is filled, and whether another one has another value.
    fn first(&self, keys: &[&'static str]) -> (Option<Field<'a>>, bool) {
        let mut filled = keys.iter().filter_map(|key| self.filled(key));
        let first = filled.next();
        let differs = first
            .as_ref()
            .is_some_and(|first| filled.any(|other| other.text != first.text));
        (first, differs)
    }

    /// The digest, or an empty text in quotes where one can be written; a null is no such room.
    fn digest(&self) -> Option<(Piece, Field<'a>)> {
        let field = |key| {
            self.filled(key).or_else(|| {
                let id = self.document.get(self.id, key)?;
                let room = self.document.scalar(id) == Some("") && !self.document.is_plain(id);
                room.then_some(Field { key, id, text: "" })
            })
        };
        let of = |keys: &[&'static str], piece| {
            let mut fields = keys.iter().filter_map(|key| field(key));
            fields.next().map(|field| (piece, field))
        };
        of(DIGEST, Piece::Digest).or_else(|| of(SHA, Piece::Sha))
    }
}

impl Scope {
    /// The registry that the mapping `id` sets for what is below it, if it is one.
    pub(super) fn registry_of(document: &Document<'_>, id: Id) -> Option<Id> {
        const KEYS: &[&str] = &[
            "registry",
            "imageRegistry",
            "image_registry",
            "registryHost",
            "registryUrl",
            "registryURL",
            "containerRegistry",
            "dockerRegistry",
            "hub",
            "imageRepository",
            "repository",
        ];
        let mut values = KEYS.iter().filter_map(|key| document.get(id, key));
        values.find(|&value| {
            document
                .text(value)
                .is_some_and(|text| is_registry(trim(text)))
        })
    }
}
