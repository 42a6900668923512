//! How Calico's operator composes a reference from an image's default name and the Installation resource:
//! `GetReference` of `pkg/components/references.go`, by version.

use sealift_oci::{Digest, Reference};

use crate::version::Version;

/// A value that means "use the default" to the operator.
const USE_DEFAULT: &str = "UseDefault";

/// The fields of `Installation.spec` that decide where the operator looks for images.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Fields {
    /// `registry`, written with a `/` at its end, which every version accepts.
    pub registry: String,
    /// `imagePath`, if it is set.
    pub image_path: Option<String>,
    /// `imagePrefix`, if it is set.
    pub image_prefix: Option<String>,
}

/// How an operator composes a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// Up to v1.38: registry and image concatenated; the operator first writes a missing `/` into
    /// `spec.registry`.
    Written,
    /// v1.39 and v1.40: the same, but a missing `/` is only added to the result.
    Slashed,
    /// From v1.41: registry, path and name joined as paths, so that extra slashes do not matter.
    Joined,
}

impl Composition {
    /// The composition of this operator version.
    pub fn of(operator: &Version) -> Self {
        match operator.series() {
            series if series <= (1, 38) => Self::Written,
            series if series <= (1, 40) => Self::Slashed,
            _ => Self::Joined,
        }
    }
}

/// The reference that an operator composes for `image`, given as its default reference; by `digest`
/// where an `ImageSet` is in force, else by tag. The result is a text, since an operator can
/// compose what is not a valid [`Reference`].
pub fn compose(
    composition: Composition,
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
    let repository = match composition {
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

/// Go's `path.Join` for parts without `.` and `..`.
fn join(parts: &[&str]) -> String {
    let parts = parts.iter().flat_map(|part| part.split('/'));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("/")
}
