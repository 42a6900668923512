//! The component list that is compiled into Calico's operator: `pkg/components/calico.go` with
//! `common.go` (up to v1.33), `operator.go` (from v1.41) and the registries of `images.go`.
//!
//! The operator prints the same list; reading these files does not need to run it.

use std::collections::BTreeSet;

use super::collector::{Collector, Import, ImportError, field};

/// The default registries of an operator, from `pkg/components/images.go`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRegistries {
    /// For images of Calico, such as `docker.io`.
    pub calico: String,
    /// For the operator's own image and images of `tigera/`.
    pub operator: String,
    /// For components that were not listed, which happened to FIPS builds.
    pub unlisted: String,
    /// The components that are listed for the registry of Calico; all of them from v1.41 on, which has
    /// no such list.
    pub listed: Option<BTreeSet<String>>,
}

/// Reads `pkg/components/images.go` and, from `references.go`, which components get which registry.
///
/// # Errors
/// If a constant is missing.
pub fn operator_registries(
    name: &str,
    images: &[u8],
    references: &[u8],
) -> Result<OperatorRegistries, ImportError> {
    let text = String::from_utf8_lossy(images);
    let constant = |names: &[&str]| {
        let found = text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            names.contains(&key.trim()).then(|| quoted(value)).flatten()
        });
        found.map(|value| value.trim_end_matches('/').to_owned())
    };
    Ok(OperatorRegistries {
        calico: constant(&["CalicoRegistry"])
            .ok_or_else(|| field(name, "CalicoRegistry", "a constant"))?,
        operator: constant(&["InitRegistry", "OperatorRegistry"])
            .ok_or_else(|| field(name, "InitRegistry", "a constant"))?,
        unlisted: constant(&["TigeraRegistry"])
            .ok_or_else(|| field(name, "TigeraRegistry", "a constant"))?,
        listed: listed(&String::from_utf8_lossy(references)),
    })
}

/// The constants between `case` and `registry = CalicoRegistry`.
fn listed(text: &str) -> Option<BTreeSet<String>> {
    let (before, _) = text.split_once("registry = CalicoRegistry\n")?;
    let (_, cases) = before.rsplit_once("switch c {")?;
    let words = cases.split(|c: char| !c.is_ascii_alphanumeric());
    let constants = words.filter(|word| word.starts_with("Component"));
    Some(constants.map(str::to_owned).collect())
}

impl OperatorRegistries {
    fn lists(&self, constant: &str) -> bool {
        self.listed
            .as_ref()
            .is_none_or(|listed| listed.contains(constant))
    }
}

/// One `Component…` of the file.
#[derive(Default)]
struct Component {
    constant: String,
    image: String,
    version: String,
    registry: String,
    operator: bool,
}

/// Reads a component list; `operator` is the version of the operator itself, which is not in its source.
///
/// # Errors
/// If it contains no component.
pub fn operator_components(
    name: &str,
    bytes: &[u8],
    registries: &OperatorRegistries,
    operator: &str,
) -> Result<Import, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let mut collector = Collector::new(name);
    let mut release = None;
    for component in components(&text, &mut release) {
        let own = component.operator || component.image == "tigera/operator";
        let (path, image) = match component.image.split_once('/') {
            Some((path, image)) => (path, image),
            None if own => ("tigera", component.image.as_str()),
            None => ("calico", component.image.as_str()),
        };
        let registry = match (component.registry.as_str(), path) {
            ("", "calico") if registries.lists(&component.constant) => registries.calico.as_str(),
            ("", "calico") => registries.unlisted.as_str(),
            ("", _) => registries.operator.as_str(),
            (registry, _) => registry,
        };
        let version = if own { operator } else { &component.version };
        if version.is_empty() {
            collector.unknown(component.constant);
            continue;
        }
        collector.add_parts(registry, &format!("{path}/{image}"), version)?;
    }
    let mut import = collector.finish("pkg/components/calico.go of tigera/operator")?;
    import.version = release.and_then(|text: String| text.parse().ok());
    import.operator = operator.parse().ok();
    Ok(import)
}

fn components(text: &str, release: &mut Option<String>) -> Vec<Component> {
    let mut found = Vec::new();
    let mut current: Option<Component> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CalicoRelease") {
            *release = quoted(rest);
        } else if let Some(constant) = opening(line) {
            current = Some(Component {
                constant: constant.to_owned(),
                operator: constant == "ComponentOperatorInit",
                ..Component::default()
            });
        } else if line == "}" {
            found.extend(current.take());
        } else if let Some(component) = &mut current
            && let Some((key, value)) = line.split_once(':')
        {
            let value = quoted(value).unwrap_or_default();
            match key.trim() {
                "Version" => component.version = value,
                "Image" => component.image = value,
                "Registry" => component.registry = value,
                _ => {}
            }
        }
    }
    found.retain(|component| !component.image.is_empty());
    found
}

/// `ComponentCalicoNode = Component{` gives the constant's name.
fn opening(line: &str) -> Option<&str> {
    let (constant, value) = line.split_once('=')?;
    let constant = constant.trim();
    let constant = constant.strip_prefix("var ").unwrap_or(constant).trim();
    let opens = matches!(value.trim(), "component{" | "Component{");
    (opens && constant.starts_with("Component")).then_some(constant)
}

fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    let (value, _) = rest.split_once('"')?;
    Some(value.to_owned())
}
