//! oc-mirror's `ImageSetConfiguration`: additional images and charts. Releases and operators, which only
//! oc-mirror can list, are not read.

use super::image;
use crate::error::Fault;
use crate::fields::Fields;
use crate::file::{Chart, RequestFile, RequestForm};
use sealift_yaml::tree::Node;

pub(super) fn read(documents: &[Node]) -> Result<RequestFile, Fault> {
    let mut file = RequestFile {
        form: RequestForm::OcMirror,
        ..RequestFile::default()
    };
    for document in documents {
        let mut fields = Fields::of(document.clone(), "the configuration")?;
        for key in ["apiVersion", "kind", "metadata"] {
            fields.take(key);
        }
        if let Some(mirror) = fields.take("mirror") {
            let mut mirror = Fields::of(mirror, "mirror")?;
            for node in mirror.list("additionalImages")? {
                let mut fields = Fields::of(node, "an image")?;
                let name = fields.required("name")?;
                image(&mut file, &name);
                file.not_read.extend(fields.left());
            }
            if let Some(helm) = mirror.take("helm") {
                charts(helm, &mut file)?;
            }
            file.not_read.extend(mirror.left());
        }
        file.not_read.extend(fields.left());
    }
    Ok(file)
}

fn charts(node: Node, file: &mut RequestFile) -> Result<(), Fault> {
    let mut helm = Fields::of(node, "helm")?;
    for node in helm.list("repositories")? {
        let mut repository = Fields::of(node, "a repository")?;
        repository.take("name");
        let url = repository.required("url")?.text;
        for node in repository.list("charts")? {
            let mut fields = Fields::of(node, "a chart")?;
            let name = fields.required("name")?;
            match fields.text("version")? {
                Some(version) => file.charts.push(Chart {
                    chart: name.text,
                    repository: Some(url.clone()),
                    version: Some(version.text),
                    values: Vec::new(),
                }),
                None => file.not_read.push(format!(
                    "line {}: the chart {}: it has no version",
                    name.place.line, name.text
                )),
            }
            file.not_read.extend(fields.left());
        }
        file.not_read.extend(repository.left());
    }
    for node in helm.list("local")? {
        let mut fields = Fields::of(node, "a chart")?;
        fields.take("name");
        let path = fields.required("path")?;
        file.charts.push(Chart {
            chart: path.text,
            ..Chart::default()
        });
        file.not_read.extend(fields.left());
    }
    file.not_read.extend(helm.left());
    Ok(())
}
