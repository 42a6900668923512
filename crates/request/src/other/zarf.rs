//! Zarf's packages: images, charts and files of all components.

use super::{image, is_url};
use crate::error::Fault;
use crate::fields::Fields;
use crate::file::{CarriedFile, Chart, RequestFile, RequestForm};
use sealift_yaml::tree::Node;

pub(super) fn read(documents: &[Node]) -> Result<RequestFile, Fault> {
    let mut file = RequestFile {
        form: RequestForm::Zarf,
        ..RequestFile::default()
    };
    for document in documents {
        let mut fields = Fields::of(document.clone(), "the package")?;
        fields.take("apiVersion");
        fields.take("kind");
        if let Some(metadata) = fields.take("metadata") {
            let mut metadata = Fields::of(metadata, "the metadata")?;
            // Descriptions say nothing about content.
            for key in ["name", "description", "version", "url", "image", "authors"] {
                metadata.take(key);
            }
            if let Some(architecture) = metadata.text("architecture")? {
                let platform = format!("linux/{}", architecture.text);
                if !file.platforms.contains(&platform) {
                    file.platforms.push(platform);
                }
            }
            file.not_read.extend(metadata.left());
        }
        for node in fields.list("components")? {
            component(node, &mut file)?;
        }
        file.not_read.extend(fields.left());
    }
    Ok(file)
}

fn component(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "a component")?;
    for key in ["name", "description", "required", "default", "group"] {
        fields.take(key);
    }
    for text in fields.texts("images")? {
        image(file, &text);
    }
    for node in fields.list("charts")? {
        chart(node, file)?;
    }
    for node in fields.list("files")? {
        carried(node, file)?;
    }
    file.not_read.extend(fields.left());
    Ok(())
}

fn chart(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "a chart")?;
    let place = fields.place();
    let name = fields.required("name")?.text;
    let url = fields.text("url")?.map(|text| text.text);
    let version = fields.text("version")?.map(|text| text.text);
    let local = fields.text("localPath")?.map(|text| text.text);
    let repository_name = fields.text("repoName")?.map(|text| text.text);
    let git = fields.text("gitPath")?;
    // Where the chart is installed does not change its images.
    for key in ["namespace", "releaseName", "noWait"] {
        fields.take(key);
    }
    let mut values = Vec::new();
    for text in fields.texts("valuesFiles")? {
        if is_url(&text.text) {
            let line = text.place.line;
            file.not_read
                .push(format!("line {line}: {} (download it first)", text.text));
        } else {
            values.push(text.text.into());
        }
    }
    let of = |chart: String, repository: Option<String>, version: Option<String>| Chart {
        chart,
        repository,
        version,
        values,
    };
    match (local, url) {
        (Some(path), _) => file.charts.push(of(path, None, None)),
        (None, Some(url)) if url.starts_with("oci://") => file.charts.push(of(url, None, version)),
        (None, Some(url)) if git.is_none() && !url.contains(".git") && version.is_some() => {
            let name = repository_name.unwrap_or(name);
            file.charts.push(of(name, Some(url), version));
        }
        _ => {
            let line = place.line;
            let reason = format!(
                "line {line}: the chart {name}: it is in a Git repository or has no version"
            );
            file.not_read.push(reason);
        }
    }
    file.not_read.extend(fields.left());
    Ok(())
}

fn carried(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut fields = Fields::of(node, "a file")?;
    let source = fields.required("source")?;
    if is_url(&source.text) {
        let line = source.place.line;
        file.not_read
            .push(format!("line {line}: {} (download it first)", source.text));
    } else {
        file.files.push(CarriedFile {
            path: source.text.into(),
            name: None,
        });
    }
    file.not_read.extend(fields.left());
    Ok(())
}
