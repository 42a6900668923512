//! hauler's manifests: `Images`, `Charts` and `Files`, any number of documents.

use super::{image, is_url};
use crate::error::Fault;
use crate::fields::{Fields, Text, items, text};
use crate::file::{CarriedFile, Chart, RequestFile, RequestForm};
use sealift_yaml::tree::Node;

/// The group of hauler's kinds.
pub(super) const GROUP: &str = "content.hauler.cattle.io";

pub(super) fn read(documents: &[Node]) -> Result<RequestFile, Fault> {
    let mut file = RequestFile {
        form: RequestForm::Hauler,
        ..RequestFile::default()
    };
    let mut platforms = Platforms::default();
    for document in documents {
        let mut fields = Fields::of(document.clone(), "the document")?;
        let kind = fields.required("kind")?;
        fields.take("apiVersion");
        let mut defaults = Defaults::default();
        if let Some(metadata) = fields.take("metadata") {
            defaults = defaults_of(metadata, &mut file)?;
        }
        let Some(spec) = fields.take("spec") else {
            continue;
        };
        let mut spec = Fields::of(spec, "the spec")?;
        match kind.text.as_str() {
            "Images" => {
                for node in spec.list("images")? {
                    one_image(node, &defaults, &mut platforms, &mut file)?;
                }
            }
            "Charts" => {
                for node in spec.list("charts")? {
                    chart(node, &mut file)?;
                }
            }
            "Files" => {
                for node in spec.list("files")? {
                    carried(node, &mut file)?;
                }
            }
            other => {
                let line = kind.place.line;
                file.not_read
                    .push(format!("line {line}: the document of kind {other}"));
                continue;
            }
        }
        file.not_read.extend(spec.left());
        file.not_read.extend(fields.left());
    }
    platforms.settle(&mut file);
    Ok(file)
}

/// What a document says for all of its images.
#[derive(Default)]
struct Defaults {
    registry: Option<String>,
    platform: Option<String>,
}

fn defaults_of(metadata: Node, file: &mut RequestFile) -> Result<Defaults, Fault> {
    let mut metadata = Fields::of(metadata, "the metadata")?;
    metadata.take("name");
    let mut defaults = Defaults::default();
    if let Some(annotations) = metadata.take("annotations") {
        let mut annotations = Fields::of(annotations, "the annotations")?;
        let mut text = |key| {
            let text = annotations.text(key)?;
            Ok::<_, Fault>(text.map(|text: Text| text.text))
        };
        defaults.registry = text("hauler.dev/registry")?;
        defaults.platform = text("hauler.dev/platform")?;
        file.not_read.extend(annotations.left());
    }
    file.not_read.extend(metadata.left());
    Ok(defaults)
}

/// The platforms that images name. A request has one choice for all images.
#[derive(Default)]
struct Platforms(Vec<(usize, Option<String>)>);

impl Platforms {
    fn settle(self, file: &mut RequestFile) {
        let first = self.0.first().and_then(|(_, platform)| platform.clone());
        match first {
            Some(platform)
                if self
                    .0
                    .iter()
                    .all(|(_, other)| *other == Some(platform.clone())) =>
            {
                file.platforms = vec![platform];
            }
            _ => {
                let named = self.0.into_iter();
                let named = named.filter_map(|(line, platform)| Some((line, platform?)));
                file.not_read.extend(named.map(|(line, platform)| {
                    format!("line {line}: the platform {platform}: other images have another")
                }));
            }
        }
    }
}

fn one_image(
    node: Node,
    defaults: &Defaults,
    platforms: &mut Platforms,
    file: &mut RequestFile,
) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "an image")?;
    let mut name = fields.required("name")?;
    if let Some(registry) = &defaults.registry
        && !has_registry(&name.text)
    {
        name.text = format!("{registry}/{}", name.text);
    }
    let platform = fields.text("platform")?.map(|text| text.text);
    let platform = platform.or_else(|| defaults.platform.clone());
    platforms.0.push((name.place.line, platform));
    image(file, &name);
    file.not_read.extend(fields.left());
    Ok(())
}

/// Whether the first part of a name is a host.
fn has_registry(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

fn chart(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "a chart")?;
    let name = fields.required("name")?.text;
    let repository = fields.text("repoURL")?.map(|text| text.text);
    let version = fields.text("version")?.map(|text| text.text);
    let values = match fields.take("values") {
        Some(node) => paths(node)?,
        None => Vec::new(),
    };
    file.charts.push(match repository.as_deref() {
        Some(url) if url.starts_with("oci://") => Chart {
            chart: format!("{}/{name}", url.trim_end_matches('/')),
            version,
            values,
            repository: None,
        },
        Some(url) if is_url(url) => Chart {
            chart: name,
            version,
            values,
            repository,
        },
        // A folder, in which the name is a file's.
        Some(folder) if folder != "." => Chart {
            chart: format!("{}/{name}", folder.trim_end_matches('/')),
            values,
            ..Chart::default()
        },
        _ => Chart {
            chart: name,
            values,
            ..Chart::default()
        },
    });
    file.not_read.extend(fields.left());
    Ok(())
}

fn paths(node: Node) -> Result<Vec<std::path::PathBuf>, Fault> {
    let items = items(node, "values")?.into_iter();
    items
        .map(|item| Ok(text(item, "values")?.text.into()))
        .collect()
}

fn carried(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "a file")?;
    let path = fields.required("path")?;
    let name = fields.text("name")?.map(|text| text.text);
    if is_url(&path.text) {
        let line = path.place.line;
        let reason = format!("line {line}: {} (download it first)", path.text);
        file.not_read.push(reason);
    } else {
        file.files.push(CarriedFile {
            path: path.text.into(),
            name,
        });
    }
    file.not_read.extend(fields.left());
    Ok(())
}
