//! How Calico's operator makes a reference of an image's default name and the Installation resource:
//! `GetReference` of `pkg/components/references.go`, by version.

use sealift_oci::{Digest, Reference};

use crate::Version;

/// What an operator takes for "not given".
const USE_DEFAULT: &str = "UseDefault";

/// The fields of `Installation.spec` that decide where images are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Fields {
    /// `registry`; we write it with a `/` at its end, which every version takes.
    pub registry: String,
    /// `imagePath`, where it is set.
    pub image_path: Option<String>,
    /// `imagePrefix`, where it is set.
    pub image_prefix: Option<String>,
}

/// The three ways of putting a reference together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// To v1.38: registry and image one after the other; the operator first writes a missing `/` back
    /// into `spec.registry`.
    Written,
    /// v1.39 and v1.40: the same, but a missing `/` is put in while composing.
    Slashed,
    /// From v1.41: registry, path and name joined as paths, so that slashes do not matter.
    Joined,
}

impl Composition {
    /// The way of this operator.
    pub fn of(operator: &Version) -> Self {
        match operator.series() {
            series if series <= (1, 38) => Self::Written,
            series if series <= (1, 40) => Self::Slashed,
            _ => Self::Joined,
        }
    }
}

/// The reference that an operator composes for `image`, given as its default reference; by `digest`
/// where an `ImageSet` is in force, else by tag. It is a text and not a [`Reference`], since an operator
/// can compose what is none.
pub fn compose(
    way: Composition,
    fields: &Fields,
    image: &Reference,
    digest: Option<&Digest>,
) -> String {
    let given = |text: &str| (!text.is_empty() && text != USE_DEFAULT).then(|| text.to_owned());
    let (path, name) = image
        .repository()
        .rsplit_once('/')
        .unwrap_or(("", image.repository()));
    let prefix = fields.image_prefix.as_deref().and_then(given);
    let name = format!("{}{name}", prefix.unwrap_or_default());
    let path = fields
        .image_path
        .as_deref()
        .and_then(given)
        .unwrap_or_else(|| path.to_owned());
    let registry = given(&fields.registry);
    let default = || format!("{}/", image.registry());
    let repository = match way {
        Composition::Joined => join(&[&registry.unwrap_or_else(default), &path, &name]),
        Composition::Written | Composition::Slashed => {
            let mut registry = registry.unwrap_or_else(default);
            if !registry.ends_with('/') {
                registry.push('/');
            }
            format!("{registry}{path}/{name}")
        }
    };
    match (digest, image.tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, Some(tag)) => format!("{repository}:{tag}"),
        (None, None) => repository,
    }
}

/// Go's `path.Join` for parts that have no `.` or `..` in them.
fn join(parts: &[&str]) -> String {
    let parts = parts.iter().flat_map(|part| part.split('/'));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("/")
}
