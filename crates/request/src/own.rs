//! sealift's own form: `apiVersion: sealift/v1`, `kind: Bundle`. `docs/request.schema.json` describes it for
//! editors; a test compares the two.

use sealift_oci::{Destination, PlatformSelector, Reference};

use crate::error::Fault;
use crate::fields::{Fields, Text};
use crate::file::{CarriedFile, Chart, LocalImages, Mirror, Product, Profile, RequestFile};
use sealift_yaml::Place;
use sealift_yaml::tree::{Node, Value};

/// The version of the form.
pub(crate) const API_VERSION: &str = "sealift/v1";
/// The only kind.
pub(crate) const KIND: &str = "Bundle";

pub(crate) fn read(documents: Vec<Node>) -> Result<RequestFile, Fault> {
    let mut documents = documents.into_iter();
    let (Some(document), None) = (documents.next(), documents.next()) else {
        let reason = "the file is empty or has several documents (expected one)";
        return Err(Fault::new(Place::default(), reason));
    };
    let mut fields = Fields::of(document, "the request")?;
    header(&mut fields)?;
    let file = RequestFile {
        products: each(&mut fields, "products", product)?,
        images: fields.all_parsed::<Reference>("images")?,
        lists: paths(&mut fields, "lists")?,
        strict: fields.flag("strict", false)?,
        allow_incomplete: fields.flag("allowIncomplete", false)?,
        local: each(&mut fields, "local", local)?,
        charts: each(&mut fields, "charts", chart)?,
        files: each(&mut fields, "files", carried)?,
        platforms: fields.all_parsed::<PlatformSelector>("platforms")?,
        referrers: fields.flag("referrers", true)?,
        foreign_layers: fields.flag("foreignLayers", false)?,
        mirrors: each(&mut fields, "mirrors", mirror)?,
        mirror_fallback: fields.flag("mirrorFallback", false)?,
        registries_conf: fields.path("registriesConf")?,
        output: fields.path("output")?,
        profile: fields.parsed::<Profile>("profile")?,
        bases: paths(&mut fields, "bases")?,
        with_sealift: fields.flag("withSealift", false)?,
        checksums: fields.flag("checksums", false)?,
        keep_going: fields.flag("keepGoing", false)?,
        ..RequestFile::default()
    };
    fields.finish()?;
    Ok(file)
}

fn header(fields: &mut Fields) -> Result<(), Fault> {
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let found = fields.text(key)?;
        let (place, found) = match &found {
            Some(text) if text.text == wanted => continue,
            Some(text) => (text.place, format!("{key} is {:?}", text.text)),
            None => (fields.place(), format!("the request has no {key}")),
        };
        let reason = format!(
            "{found} (expected {key}: {wanted}; the files of hauler, Zarf and oc-mirror are read too)"
        );
        return Err(Fault::new(place, reason));
    }
    Ok(())
}

/// Every item of a list.
fn each<T>(
    fields: &mut Fields,
    key: &'static str,
    read: impl Fn(Node) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    fields.list(key)?.into_iter().map(read).collect()
}

fn paths<T: From<String>>(fields: &mut Fields, key: &'static str) -> Result<Vec<T>, Fault> {
    let texts = fields.texts(key)?.into_iter();
    Ok(texts.map(|text| text.text.into()).collect())
}

fn product(node: Node) -> Result<Product, Fault> {
    if let Value::Scalar { text, .. } = &node.value {
        let Some((name, version)) = text.split_once('@') else {
            let reason = format!("{text:?} is not a release (expected NAME@VERSION)");
            return Err(Fault::new(node.place, reason));
        };
        return Ok(Product {
            name: name.to_owned(),
            version: version.to_owned(),
            ..Product::default()
        });
    }
    let mut fields = Fields::of(node, "a product")?;
    let place = fields.place();
    let product = Product {
        name: fields.required("name")?.text,
        version: fields.required("version")?.text,
        with: paths(&mut fields, "with")?,
        without: paths(&mut fields, "without")?,
        registry: checked::<Destination>(fields.text("registry")?)?,
        mirror: checked::<Destination>(fields.text("mirror")?)?,
    };
    fields.finish()?;
    if product.registry.is_some() && product.mirror.is_some() {
        let reason = "a product has a registry and a mirror (expected one of them)";
        return Err(Fault::new(place, reason));
    }
    Ok(product)
}

fn local(node: Node) -> Result<LocalImages, Fault> {
    if let Value::Scalar { text, .. } = node.value {
        return Ok(LocalImages {
            path: text.into(),
            repository: None,
        });
    }
    let mut fields = Fields::of(node, "an entry of local")?;
    let local = LocalImages {
        path: fields.required("path")?.text.into(),
        repository: fields.text("repository")?.map(|text| text.text),
    };
    fields.finish()?;
    Ok(local)
}

fn carried(node: Node) -> Result<CarriedFile, Fault> {
    if let Value::Scalar { text, .. } = node.value {
        return Ok(CarriedFile {
            path: text.into(),
            name: None,
        });
    }
    let mut fields = Fields::of(node, "a file")?;
    let file = CarriedFile {
        path: fields.required("path")?.text.into(),
        name: fields.text("name")?.map(|text| text.text),
    };
    fields.finish()?;
    Ok(file)
}

fn chart(node: Node) -> Result<Chart, Fault> {
    if let Value::Scalar { text, .. } = node.value {
        return Ok(Chart {
            chart: text,
            ..Chart::default()
        });
    }
    let mut fields = Fields::of(node, "a chart")?;
    let place = fields.place();
    let chart = Chart {
        chart: fields.required("chart")?.text,
        repository: fields.text("repository")?.map(|text| text.text),
        version: fields.text("version")?.map(|text| text.text),
        values: paths(&mut fields, "values")?,
    };
    fields.finish()?;
    if chart.repository.is_some() && chart.version.is_none() {
        let reason = "a chart from a repository has no version";
        return Err(Fault::new(place, reason));
    }
    Ok(chart)
}

fn mirror(node: Node) -> Result<Mirror, Fault> {
    let mut fields = Fields::of(node, "a mirror")?;
    let mirror = Mirror {
        from: fields.required("from")?.text,
        to: checked::<Destination>(Some(fields.required("to")?))?.unwrap_or_default(),
    };
    fields.finish()?;
    Ok(mirror)
}

/// The text as it is, if it can be read as a `T`.
fn checked<T>(text: Option<Text>) -> Result<Option<String>, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let Some(text) = text else {
        return Ok(None);
    };
    crate::fields::parse::<T>(&text)?;
    Ok(Some(text.text))
}
