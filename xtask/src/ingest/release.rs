//! The data file of one release, made of image lists, values files and manifests.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;

use clap::Args;
use sealift_oci::Reference;
use sealift_products::import::{
    Import, Part, cert_manager_values, cilium_values, data_file, gather, image_list, istio_values,
    manifest_references,
};
use sealift_products::{Catalogue, Product, Version};

/// Which release, and the texts that are about it.
#[derive(Args)]
pub(crate) struct ReleaseArguments {
    /// The product's name, which has a data file already
    product: String,
    /// The release, as upstream writes it; the tag of images that the texts give none
    version: Version,
    /// An image list, one reference a line; FEATURE is what all its images are for [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    list: Vec<Text>,
    /// Values of the product's chart: cert-manager, cilium, istio [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    values: Vec<Text>,
    /// Manifests of Kubernetes [repeatable]
    #[arg(long, value_name = "[FEATURE=]FILE")]
    manifests: Vec<Text>,
    /// The release's registry, with the path before all names where there is one: Istio's hub, which
    /// upstream puts into the charts when it releases them; that of most images, if absent
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    registry: Option<String>,
}

/// A file and the feature that its images are for.
#[derive(Clone)]
struct Text {
    feature: Option<String>,
    path: String,
}

impl From<&str> for Text {
    fn from(argument: &str) -> Self {
        let (feature, path) = match argument.split_once('=') {
            Some((feature, path)) => (Some(feature.to_owned()), path),
            None => (None, argument),
        };
        Self {
            feature,
            path: path.to_owned(),
        }
    }
}

/// Prints the data file, and on standard error what changed since the newest known release.
pub(super) fn run(arguments: &ReleaseArguments) -> Result<(), Box<dyn Error>> {
    let (text, changes) = made(arguments)?;
    for change in changes {
        eprintln!("{change}");
    }
    print!("{text}");
    Ok(())
}

/// The data file, and which images came and went.
fn made(arguments: &ReleaseArguments) -> Result<(String, Vec<String>), Box<dyn Error>> {
    let catalogue = Catalogue::built_in()?;
    let product = catalogue
        .product(&arguments.product)
        .ok_or_else(|| format!("{}: no data file describes it", arguments.product))?;
    let texts = [
        ("list", &arguments.list),
        ("values", &arguments.values),
        ("manifests", &arguments.manifests),
    ];
    let mut parts = Vec::new();
    for (source, texts) in texts {
        for text in texts {
            parts.push(part(arguments, source, text)?);
        }
    }
    if parts.is_empty() {
        return Err("nothing to read: give --list, --values or --manifests".into());
    }
    let registry = arguments.registry.as_deref();
    let merged = gather(product, &arguments.version, registry, &parts)?;
    Ok((data_file(product, &[merged]), changes(product, &parts)))
}

fn part(arguments: &ReleaseArguments, source: &str, text: &Text) -> Result<Part, Box<dyn Error>> {
    let bytes = fs::read(&text.path).map_err(|error| format!("{}: {error}", text.path))?;
    let import = match source {
        "list" => image_list(&text.path, &bytes)?,
        "values" => values(arguments, &text.path, &bytes)?,
        _ => manifests(&text.path, &bytes)?,
    };
    if !import.unknown.is_empty() {
        return Err(format!("{}: not understood: {:?}", text.path, import.unknown).into());
    }
    Ok(Part {
        source: source.to_owned(),
        feature: text.feature.clone(),
        import,
    })
}

fn values(
    arguments: &ReleaseArguments,
    path: &str,
    bytes: &[u8],
) -> Result<Import, Box<dyn Error>> {
    let version = arguments.version.as_str();
    match arguments.product.as_str() {
        "cert-manager" => Ok(cert_manager_values(path, bytes, version)?),
        "cilium" => Ok(cilium_values(path, bytes)?),
        "istio" => {
            let hub = arguments.registry.as_deref();
            let hub = hub.ok_or("the hub of Istio's release: give --registry")?;
            Ok(istio_values(path, bytes, hub, version)?)
        }
        other => Err(format!("{path}: no reader for values of {other}'s chart").into()),
    }
}

fn manifests(path: &str, bytes: &[u8]) -> Result<Import, Box<dyn Error>> {
    let found = sealift_imagerefs::find(path, bytes)?;
    if let Some(place) = found.not_understood.first() {
        return Err(format!("{path}:{place}").into());
    }
    let texts: Vec<String> = found
        .occurrences
        .iter()
        .map(|occurrence| occurrence.reference.to_string())
        .collect();
    let texts = texts.iter().map(String::as_str);
    Ok(manifest_references(path, texts)?)
}

/// Upstream renames and drops images rarely; whoever adds the release should look at those.
fn changes(product: &Product, parts: &[Part]) -> Vec<String> {
    let Some(known) = product.releases.last() else {
        return Vec::new();
    };
    let before = known.images.iter().map(|row| row.reference.repository());
    let before: BTreeSet<&str> = before.collect();
    let now = parts.iter().flat_map(|part| &part.import.images);
    let now: BTreeSet<&str> = now.map(Reference::repository).collect();
    let gone = before
        .difference(&now)
        .map(|name| format!("{name} is in {}, and not here", known.version));
    let new = now
        .difference(&before)
        .map(|name| format!("{name} is not in {}", known.version));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_products::Release;
    use sealift_testkit::real::shared_data;

    fn arguments(product: &str, version: &str) -> ReleaseArguments {
        ReleaseArguments {
            product: product.to_owned(),
            version: version.parse().expect("a version"),
            list: Vec::new(),
            values: Vec::new(),
            manifests: Vec::new(),
            registry: None,
        }
    }

    fn release(catalogue: &Catalogue, spec: &str) -> Release {
        let resolved = catalogue.resolve(&spec.parse().expect("a release"));
        resolved.expect("a known release").release.clone()
    }

    /// The rows that the data file made by `arguments` gives, and those that are compiled in.
    fn rows(arguments: &ReleaseArguments) -> [Vec<(Reference, Vec<String>)>; 2] {
        let (text, changes) = made(arguments).expect("a data file");
        assert_eq!(changes, Vec::<String>::new());
        let built_in = Catalogue::built_in().expect("data files");
        let read = built_in.clone().with_file("made.yaml", text.as_bytes());
        let read = read.expect("a data file");
        let spec = format!("{}@{}", arguments.product, arguments.version);
        assert_eq!(release(&read, &spec).origin, "made.yaml");
        [read, built_in].map(|catalogue| {
            let images = release(&catalogue, &spec).images;
            let rows = images.into_iter().map(|row| (row.reference, row.features));
            rows.collect()
        })
    }

    #[test]
    fn a_release_is_made_of_values_as_it_is_compiled_in() {
        let Some(shared) = shared_data() else { return };
        let lists = shared.join("data/image-lists");
        let text = |path: &str| Text::from(lists.join(path).display().to_string().as_str());
        let mut istio = arguments("istio", "1.30.3");
        istio.registry = Some("registry.istio.io/release".to_owned());
        for chart in ["istio-control/istio-discovery", "istio-cni", "ztunnel"] {
            let path = format!("istio/1.30.3/manifests/charts/{chart}/values.yaml");
            istio.values.push(text(&path));
        }
        let [made, known] = rows(&istio);
        assert_eq!(made, known);
        let mut cert_manager = arguments("cert-manager", "v1.21.1");
        cert_manager.values = vec![text("cert-manager/v1.21.1/values.yaml")];
        cert_manager.list = vec![text("cert-manager/v1.21.1/images.txt")];
        let [mut made, mut known] = rows(&cert_manager);
        made.sort();
        known.sort();
        assert_eq!(made, known);
    }

    #[test]
    fn manifests_of_two_features_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let pod = |image: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{image: \"{image}\"}}]}}\n"
            )
        };
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let both = pod("quay.io/argoproj/argocd:v9.0.0");
        let plain = write("install.yaml", both.clone());
        let ha = write(
            "ha.yaml",
            format!("{both}---\n{}", pod("quay.io/h/haproxy:3")),
        );
        let mut argo = arguments("argo-cd", "v9.0.0");
        argo.manifests = vec![
            Text::from(format!("default={plain}").as_str()),
            Text::from(format!("ha={ha}").as_str()),
        ];
        let (text, changes) = made(&argo).expect("a data file");
        assert!(
            text.contains("{image: argoproj/argocd, features: [default, ha]}"),
            "{text}"
        );
        assert!(
            text.contains("{image: h/haproxy, tag: \"3\", features: [ha]}"),
            "{text}"
        );
        let starts = |start: &str| changes.iter().any(|change| change.starts_with(start));
        assert!(starts("h/haproxy is not in v"), "{changes:?}");
        assert!(starts("dexidp/dex is in v"), "{changes:?}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let error = |arguments: &ReleaseArguments| {
            let error = made(arguments).expect_err("no data file");
            error.to_string()
        };
        assert!(error(&arguments("ninth", "v1.0.0")).contains("no data file describes it"));
        assert!(error(&arguments("k3s", "v1.0.0")).contains("--list"));
        let mut k3s = arguments("k3s", "v1.0.0");
        k3s.list = vec![Text::from("nowhere.txt")];
        assert!(error(&k3s).starts_with("nowhere.txt: "));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("values.yaml");
        fs::write(&path, "image: pilot\n").expect("a file");
        let values = vec![Text::from(path.display().to_string().as_str())];
        let mut istio = arguments("istio", "1.99.0");
        istio.values.clone_from(&values);
        assert!(error(&istio).contains("--registry"));
        let mut k3s = arguments("k3s", "v1.0.0");
        k3s.values = values;
        assert!(error(&k3s).contains("no reader"));
    }
}
