//! Which of upstream's files say something about a release of Calico, and where they are: they moved.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use sealift_products::import::{
    Import, Merged, PageNames, manifest_references, merge, operator_components,
    operator_registries, page_names_js, page_names_yml, releases_json, tigera_operator_values,
    versions_yml,
};
use sealift_products::{Product, Version};

use super::git::Clone;

/// The three repositories.
pub(super) struct Upstream {
    pub(super) calico: Clone,
    pub(super) operator: Clone,
    pub(super) docs: Clone,
}

impl Upstream {
    /// All that is said about one release.
    pub(super) fn release(
        &self,
        product: &Product,
        version: &Version,
    ) -> Result<Merged, Box<dyn Error>> {
        let mut sources = BTreeMap::new();
        let page = self.documentation(version)?;
        let chart = self.chart(version)?;
        // Where the files of one tag disagree, the operator that was built for the release is right.
        let named = [&chart, &page].into_iter().flatten();
        let mut candidates = named
            .filter_map(|import| import.operator.clone())
            .collect::<Vec<_>>();
        candidates.dedup();
        let mut lists = Vec::new();
        for operator in candidates {
            let (registry, list) = self.components(&operator)?;
            lists.push((operator, registry, list));
        }
        let about = |list: &Import| {
            list.version
                .as_ref()
                .is_some_and(|about| about.same(version))
        };
        // v3.26.2 was published with an operator that was built for v3.26.1.
        let fit = lists
            .iter()
            .position(|(_, _, list)| about(list))
            .unwrap_or(0);
        if lists.is_empty() {
            return Err(format!("{version}: no file names the operator's version").into());
        }
        let (operator, registry, list) = lists.swap_remove(fit);
        sources.insert("operator".to_owned(), list);
        sources.extend(page.map(|import| ("documentation".to_owned(), import)));
        sources.extend(chart.map(|import| ("chart".to_owned(), import)));
        sources.extend(
            self.manifests(version)?
                .map(|import| ("manifests".to_owned(), import)),
        );
        Ok(merge(product, version, &operator, &registry, &sources)?)
    }

    /// The operator's default registry for Calico, and its components.
    fn components(&self, operator: &Version) -> Result<(String, Import), Box<dyn Error>> {
        let tag = operator.as_str();
        let file = |name: &str| self.operator.file(tag, &format!("pkg/components/{name}"));
        let images = file("images.go").ok_or_else(|| format!("operator {tag}: no images.go"))?;
        let references = file("references.go").unwrap_or_default();
        let registries = operator_registries("images.go", &images, &references)?;
        let mut list = file("calico.go").ok_or_else(|| format!("operator {tag}: no calico.go"))?;
        for more in ["common.go", "operator.go"] {
            list.extend(file(more).unwrap_or_default());
        }
        let import = operator_components("calico.go", &list, &registries, tag)?;
        if !import.unknown.is_empty() {
            return Err(format!(
                "operator {tag}: components without a version: {:?}",
                import.unknown
            )
            .into());
        }
        Ok((registries.calico, import))
    }

    /// What the documentation page for private registries lists.
    fn documentation(&self, version: &Version) -> Result<Option<Import>, Box<dyn Error>> {
        let tag = version.as_str();
        let data = self
            .calico
            .first(tag, &["calico/_data/versions.yml", "_data/versions.yml"]);
        let releases = if let Some((path, bytes)) = data {
            let config = self
                .calico
                .first(tag, &["calico/_config.yml", "_config.yml"]);
            let (_, config) = config.ok_or_else(|| format!("{tag}: no _config.yml"))?;
            versions_yml(path, &bytes, Some(&page_names_yml("_config.yml", &config)?))?
        } else {
            let (major, minor) = version.series();
            let folder = format!("calico_versioned_docs/version-{major}.{minor}");
            let path = format!("{folder}/releases.json");
            let revision = match self.docs.file("HEAD", &path) {
                Some(_) => "HEAD".to_owned(),
                None => match self.docs.before_removal(&path) {
                    Some(revision) => revision,
                    None => return Ok(None),
                },
            };
            let read = |path: &str| {
                self.docs
                    .file(&revision, path)
                    .ok_or_else(|| format!("{revision}: no {path}"))
            };
            let names: PageNames =
                page_names_js("variables.js", &read(&format!("{folder}/variables.js"))?)?;
            releases_json(&path, &read(&path)?, Some(&names))?
        };
        let found = releases
            .into_iter()
            .find(|release| release.version.as_ref().is_some_and(|v| v.same(version)));
        Ok(found)
    }

    fn chart(&self, version: &Version) -> Result<Option<Import>, Box<dyn Error>> {
        let path = "charts/tigera-operator/values.yaml";
        let bytes = self.calico.file(version.as_str(), path);
        Ok(bytes
            .map(|bytes| tigera_operator_values(path, &bytes))
            .transpose()?)
    }

    /// The manifests of the tag; before v3.24 the repository holds templates of them only.
    fn manifests(&self, version: &Version) -> Result<Option<Import>, Box<dyn Error>> {
        if version.series() < (3, 24) {
            return Ok(None);
        }
        let mut texts = Vec::new();
        for path in self.calico.files(version.as_str(), "manifests/")? {
            // Examples for Istio from years past, and a variant that no documentation names.
            let other = path.contains("/alp/") || path.contains("no-resource-loading");
            let yaml = Path::new(&path)
                .extension()
                .is_some_and(|extension| extension == "yaml");
            if other || !yaml {
                continue;
            }
            let bytes = self
                .calico
                .file(version.as_str(), &path)
                .unwrap_or_default();
            texts.extend(scalars(&String::from_utf8_lossy(&bytes)));
        }
        Ok(Some(manifest_references(
            "manifests",
            texts.iter().map(String::as_str),
        )?))
    }
}

/// The values of `image:` keys that are references: one line each in upstream's manifests. Schemas have
/// a property of that name, with nothing after it.
fn scalars(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_start().trim_start_matches("- "))
        .filter_map(|line| line.strip_prefix("image: "))
        .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|value| value.contains(':'))
        .collect()
}
