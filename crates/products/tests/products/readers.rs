//! The readers of values files: what the charts compose, and that nothing is lost in silence.

use std::collections::BTreeSet;

use sealift_products::import::{
    Import, ImportError, cert_manager_values, cilium_values, istio_values,
};
use serde_json::Value;

use crate::shared::upstream;

const HUB: &str = "registry.istio.io/release";

/// The parts of Cilium's values that images are composed of, each kind once.
const CILIUM: &str = r#"
image:
  override: ~
  repository: "quay.io/cilium/cilium"
  tag: "v1.19.6"
  pullPolicy: IfNotPresent
  digest: "sha256:0df5b2750b64c49843aba1d649e9eaf61467cb0645ad3171db6f6962c095ac92"
  useDigest: true
encryption:
  ztunnel:
    image:
      override: ~
      repository: "docker.io/istio/ztunnel"
      tag: "1.28.0-distroless"
      digest: ~
      useDigest: false
operator:
  enabled: true
  image:
    override: ~
    repository: "quay.io/cilium/operator"
    tag: "v1.19.6"
    genericDigest: "sha256:0db4ca4e06969d8904ee036617795d0e9c3228cf7b8d902ba74fc2bb98d2d665"
    azureDigest: "sha256:e555430b7f5e4c407daab1afbec3c431ec016a53f1f1b848f67b9242cd3adedd"
    awsDigest: "sha256:546d13ac511cf82441b5e9e99e03d0e054b788513ceb1a883e620b8284d5ccc3"
    alibabacloudDigest: "sha256:031e332cdec61a9ebaca42f044e7e2f5b876ba96ac0ccf1d42acd5954779efaf"
    useDigest: true
    suffix: ""
preflight:
  image:
    override: ~
    repository: "quay.io/cilium/cilium"
    tag: "v1.19.6"
    digest: "sha256:0df5b2750b64c49843aba1d649e9eaf61467cb0645ad3171db6f6962c095ac92"
    useDigest: true
standaloneDnsProxy:
  image:
    override: ~
    repository: ""
    tag: ""
    digest: ""
    useDigest: true
"#;

fn set(import: &Import) -> BTreeSet<String> {
    import.images.iter().map(ToString::to_string).collect()
}

/// The paths of all mappings and scalars in `value`, as JSON pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(map) = value.as_object() {
        for (key, inner) in map {
            let key = key.replace('~', "~0").replace('/', "~1");
            let at = format!("{at}/{key}");
            pointers(inner, &at, found);
            if !inner.is_object() {
                found.push(at);
            }
        }
    }
}

/// `value` without what is at `pointer`, as text.
fn without(value: &Value, pointer: &str) -> Vec<u8> {
    let mut value = value.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = value.pointer_mut(parent).unwrap();
    parent.as_object_mut().unwrap().remove(&key).unwrap();
    serde_json::to_vec(&value).unwrap()
}

/// Takes away every field in turn. The reader must find as many images as before, or refuse the file
/// with its name and the place; the places of the fields that it cannot do without come back.
fn missed(
    name: &str,
    bytes: &[u8],
    read: impl Fn(&str, &[u8]) -> Result<Import, ImportError>,
) -> Vec<String> {
    let value = sealift_yaml::document(name, bytes).unwrap();
    let whole = set(&read(name, bytes).unwrap()).len();
    let mut all = Vec::new();
    pointers(&value, "", &mut all);
    let mut missed = Vec::new();
    for pointer in all {
        match read(name, &without(&value, &pointer)) {
            Ok(import) => assert!(set(&import).len() >= whole, "{pointer}"),
            Err(error) => {
                let error = error.to_string();
                let place = pointer.trim_start_matches('/').replace('/', ".");
                let place = place
                    .strip_prefix("_internal_defaults_do_not_set.")
                    .unwrap_or(&place);
                let (parent, _) = place.rsplit_once('.').unwrap_or((place, ""));
                let placed = error.contains(&format!("{name}: {parent}"));
                assert!(placed, "{place}: {error}");
                missed.push(place.to_owned());
            }
        }
    }
    missed
}

#[test]
fn a_field_that_certmanagers_images_need_is_missed_by_name() {
    for (version, needed) in [
        (
            "v1.12.3",
            [
                "acmesolver.image.repository",
                "cainjector.image.repository",
                "image.repository",
                "startupapicheck.image.repository",
                "webhook.image.repository",
            ]
            .as_slice(),
        ),
        (
            "v1.21.1",
            &[
                "acmesolver.image.name",
                "cainjector.image.name",
                "image.name",
                "imageNamespace",
                "imageRegistry",
                "startupapicheck.image.name",
                "webhook.image.name",
            ],
        ),
    ] {
        let name = format!("image-lists/cert-manager/{version}/values.yaml");
        let Some(bytes) = upstream(&name) else { return };
        let value = sealift_yaml::document(&name, &bytes).unwrap();
        let read = |name: &str, bytes: &[u8]| cert_manager_values(name, bytes, version);
        for place in [
            "image",
            "webhook",
            "cainjector",
            "acmesolver",
            "startupapicheck",
        ] {
            let error = read(&name, &without(&value, &format!("/{place}"))).unwrap_err();
            let expected = format!("{name}: {place}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        let mut missed = Vec::new();
        for pointer in needed.iter().map(|place| place.replace('.', "/")) {
            let bytes = without(&value, &format!("/{pointer}"));
            let error = read(&name, &bytes).unwrap_err().to_string();
            assert!(error.contains("image: expected a repository"), "{error}");
            missed.push(pointer);
        }
        assert_eq!(missed.len(), needed.len());
        // No other field is missed, and none takes an image away.
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        for pointer in all.iter().filter(|p| !missed.contains(&p[1..].to_owned())) {
            let import = read(&name, &without(&value, pointer)).unwrap();
            assert_eq!(import.images.len(), 5, "{pointer}");
        }
    }
}

#[test]
fn certmanagers_tag_digest_and_registry_are_composed_as_its_chart_does() {
    let digest = format!("sha256:{}", "cd".repeat(32));
    let image = |text: &str| format!("{{repository: jetstack/c{text}}}");
    let text = format!(
        "image: {}\nwebhook: {{image: {}}}\ncainjector: {{image: {}}}\nacmesolver: {{image: {}}}\nstartupapicheck: {{image: {}}}\n",
        image(", registry: r.corp:5000"),
        image(", tag: v9"),
        image(&format!(", digest: '{digest}'")),
        image(""),
        image(&format!(", tag: v8, digest: '{digest}'"))
    );
    let import = cert_manager_values("values.yaml", text.as_bytes(), "v1.21.1").unwrap();
    let expected = [
        "r.corp:5000/jetstack/c:v1.21.1".to_owned(),
        "docker.io/jetstack/c:v9".to_owned(),
        format!("docker.io/jetstack/c:v1.21.1@{digest}"),
        "docker.io/jetstack/c:v1.21.1".to_owned(),
        format!("docker.io/jetstack/c:v8@{digest}"),
    ];
    assert_eq!(set(&import), expected.into());
}

#[test]
fn ciliums_digest_is_there_where_its_values_use_it() {
    let import = cilium_values("values.yaml", CILIUM.as_bytes()).unwrap();
    assert_eq!(import.version, Some("v1.19.6".parse().unwrap()));
    let images = set(&import);
    // Preflight's is the agent's, and an image without a repository is the user's to name.
    assert_eq!(images.len(), 6, "{images:?}");
    assert!(images.contains("docker.io/istio/ztunnel:1.28.0-distroless"));
    let pinned = images
        .iter()
        .filter(|image| image.contains(":v1.19.6@sha256:"));
    assert_eq!(pinned.count(), 5);
    for cloud in ["generic", "aws", "azure", "alibabacloud"] {
        let start = format!("quay.io/cilium/operator-{cloud}:v1.19.6@sha256:");
        assert!(
            images.iter().any(|image| image.starts_with(&start)),
            "{cloud}"
        );
    }
    let off = CILIUM.replace("useDigest: true", "useDigest: false");
    let images = set(&cilium_values("values.yaml", off.as_bytes()).unwrap());
    assert_eq!(images.len(), 6);
    assert!(
        images.iter().all(|image| !image.contains('@')),
        "{images:?}"
    );
}

#[test]
fn ciliums_suffix_override_and_missing_tag_are_composed_as_its_chart_does() {
    let read = |text: &str| set(&cilium_values("values.yaml", text.as_bytes()).unwrap());
    let suffix = read(&CILIUM.replace("suffix: \"\"", "suffix: \"-ci\""));
    let start = "quay.io/cilium/operator-generic-ci:v1.19.6@";
    assert!(
        suffix.iter().any(|image| image.starts_with(start)),
        "{suffix:?}"
    );
    let whole = CILIUM.replacen("override: ~", "override: r.corp/mine/agent:v1", 1);
    let whole = read(&whole);
    assert!(whole.contains("r.corp/mine/agent:v1"), "{whole:?}");
    let untagged = read(&CILIUM.replace("tag: \"v1.19.6\"", "tag: \"\""));
    let start = "quay.io/cilium/operator-aws@sha256:";
    assert!(
        untagged.iter().any(|image| image.starts_with(start)),
        "{untagged:?}"
    );
}

#[test]
fn a_field_that_ciliums_images_need_is_missed_by_name() {
    let missed = missed("values.yaml", CILIUM.as_bytes(), cilium_values);
    let expected = [
        "encryption.ztunnel.image.repository",
        "encryption.ztunnel.image.tag",
        "image.digest",
        "image.repository",
        "operator.image.alibabacloudDigest",
        "operator.image.awsDigest",
        "operator.image.azureDigest",
        "operator.image.genericDigest",
        "operator.image.repository",
        "preflight.image.digest",
        "preflight.image.repository",
        "standaloneDnsProxy.image.repository",
    ];
    assert_eq!(missed, expected);
    let error = cilium_values("values.yaml", b"agent: true\n").unwrap_err();
    assert!(
        error.to_string().starts_with("values.yaml: image: "),
        "{error}"
    );
}

fn istio(chart: &str) -> Option<(String, Vec<u8>)> {
    let name = format!("image-lists/istio/1.30.3/manifests/charts/{chart}/values.yaml");
    let bytes = upstream(&name)?;
    Some((name, bytes))
}

#[test]
fn a_field_that_istios_images_need_is_missed_by_name() {
    for (chart, needed) in [
        (
            "istio-control/istio-discovery",
            ["global.proxy.image", "global.proxy_init.image", "image"].as_slice(),
        ),
        ("istio-cni", &["image"]),
        ("ztunnel", &["image"]),
    ] {
        let Some((name, bytes)) = istio(chart) else {
            return;
        };
        let read = |name: &str, bytes: &[u8]| istio_values(name, bytes, HUB, "1.30.3");
        assert_eq!(missed(&name, &bytes, read), needed, "{chart}");
    }
}

#[test]
fn istios_hub_tag_and_variant_are_the_charts_own_then_the_global_ones_then_the_releases() {
    let read =
        |text: &str| set(&istio_values("values.yaml", text.as_bytes(), HUB, "1.30.3").unwrap());
    let chart = |own: &str, global: &str| {
        read(&format!(
            "{own}image: pilot\nglobal: {{{global}proxy: {{image: proxyv2}}}}\n"
        ))
    };
    let images = |pilot: &str, proxy: &str| BTreeSet::from([pilot.to_owned(), proxy.to_owned()]);
    let release = "registry.istio.io/release";
    assert_eq!(
        chart(
            "hub: ''\ntag: ''\n",
            "hub: registry.istio.io/testing, tag: latest, "
        ),
        images(
            &format!("{release}/pilot:1.30.3"),
            &format!("{release}/proxyv2:1.30.3")
        )
    );
    // The chart's own are not what sidecars are given.
    assert_eq!(
        chart("hub: r.corp/i\ntag: mine\n", "variant: distroless, "),
        images(
            "r.corp/i/pilot:mine-distroless",
            &format!("{release}/proxyv2:1.30.3-distroless")
        )
    );
    assert_eq!(
        chart("variant: debug\n", "hub: r.corp/g, tag: v1, "),
        images("r.corp/g/pilot:v1-debug", "r.corp/g/proxyv2:v1")
    );
    let whole = "image: r.corp/own/pilot:v2\nglobal: {hub: r.corp/g}\n";
    assert_eq!(read(whole), ["r.corp/own/pilot:v2".to_owned()].into());
    let error = istio_values("values.yaml", b"image: auto\n", HUB, "1.30.3").unwrap_err();
    assert!(error.to_string().contains("istiod"), "{error}");
}

#[test]
fn a_file_that_is_no_values_file_is_refused_by_name() {
    for bytes in [
        &b"just text"[..],
        b"[]",
        b"a: [",
        b"\xff",
        b"{{ x }}: 1\n",
        b"",
    ] {
        let errors = [
            cert_manager_values("v.yaml", bytes, "v1.21.1").unwrap_err(),
            cilium_values("v.yaml", bytes).unwrap_err(),
            istio_values("v.yaml", bytes, HUB, "1.30.3").unwrap_err(),
        ];
        for error in errors.map(|error| error.to_string()) {
            assert!(error.starts_with("v.yaml:"), "{error}");
        }
    }
}
