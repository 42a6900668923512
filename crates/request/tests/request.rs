//! Request files: what is read, what is refused and where, and that what is written is read back.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use sealift_request::{
    CarriedFile, Chart, LocalImages, Mirror, Product, Profile, RequestFile, RequestForm,
};
use serde_json::{Map, Value};

const HEAD: &str = "apiVersion: sealift/v1\nkind: Bundle\n";

fn read(text: &str) -> Result<RequestFile, String> {
    RequestFile::read("r.yaml", text.as_bytes()).map_err(|error| error.to_string())
}

fn own(body: &str) -> Result<RequestFile, String> {
    read(&format!("{HEAD}{body}"))
}

#[test]
fn a_request_says_what_where_from_and_where_to() {
    let file = own(r"
products:
  - calico@v3.32.1
  - {name: cilium, version: 1.19, with: [hubble], mirror: m.corp/c}
images: [quay.io/x/y:1]
lists: [images.txt]
local: [a.tar, {path: b, repository: r.corp/b}]
charts:
  - app-1.tgz
  - chart: cert-manager
    repository: https://charts.jetstack.io
    version: v1.20.0
    values: [v.yaml]
files: [manifests, {path: x, name: y}]
platforms: [linux/amd64]
referrers: false
mirrors: [{from: docker.io, to: m.corp/hub}]
output: out.tar
profile: compact
")
    .unwrap();
    assert_eq!(file.products[0].version, "v3.32.1");
    // A version is text: its last zero stays, and it is not a number.
    assert_eq!(file.products[1].version, "1.19");
    assert_eq!(file.products[1].with, ["hubble"]);
    assert_eq!(file.local[1].repository.as_deref(), Some("r.corp/b"));
    assert_eq!(file.charts[1].version.as_deref(), Some("v1.20.0"));
    assert_eq!(file.files[1].name.as_deref(), Some("y"));
    assert!(!file.referrers);
    assert_eq!(file.profile, Some(Profile::Compact));
    assert_eq!(file.form, RequestForm::Own);
    assert_eq!(file.not_read, Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_column() {
    for (body, words) in [
        (
            "image: [a]",
            "r.yaml:3:1: the request has no field \"image\" (did you mean \"images\"?)",
        ),
        ("platfroms: [linux/amd64]", "did you mean \"platforms\"?"),
        ("zzz: 1", "(expected apiVersion, kind, products,"),
        ("images:\n  - quay.io/x/y:1\n  - UPPER/x", "r.yaml:5:5: "),
        (
            "images: quay.io/x/y:1",
            "r.yaml:3:9: images is a single value (expected a list)",
        ),
        ("platforms: [linux]", "r.yaml:3:13: "),
        (
            "referrers: maybe",
            "r.yaml:3:12: referrers is a single value (expected true or false)",
        ),
        ("referrers: \"true\"", "expected true or false"),
        (
            "products: [calico]",
            "r.yaml:3:12: \"calico\" is not a release (expected NAME@VERSION)",
        ),
        (
            "products: [{name: a, version: 1, wiht: [x]}]",
            "did you mean \"with\"?",
        ),
        (
            "products: [{name: a}]",
            "r.yaml:3:12: a product has no version",
        ),
        (
            "products: [{name: a, version: 1, mirror: a, registry: b}]",
            "expected one of them",
        ),
        ("mirrors: [{from: a.io}]", "r.yaml:3:11: a mirror has no to"),
        (
            "charts: [{chart: a, repository: https://x}]",
            "has no version",
        ),
        ("profile: tiny", "expected plain, compact or delta"),
        (
            "output: a\noutput: b",
            "r.yaml:4:1: \"output\" is repeated (first in line 3)",
        ),
        ("output: [", "not YAML"),
        (
            "output: &a b\nprofile: *a",
            "r.yaml:3:9: \"b\" is not a profile",
        ),
        ("---\nkind: Bundle", "several documents"),
    ] {
        let error = own(body).unwrap_err();
        assert!(error.contains(words), "{body}\n  {error}\n  {words}");
    }
    for (text, words) in [
        ("", "r.yaml: the file is empty"),
        (
            "kind: Bundle",
            "the request has no apiVersion (expected apiVersion: sealift/v1",
        ),
        (
            "apiVersion: sealift/v2\nkind: Bundle",
            "r.yaml:1:13: apiVersion is \"sealift/v2\"",
        ),
        ("- a", "the request is a list (expected a mapping)"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(words), "{text}\n  {error}");
    }
    assert!(RequestFile::read("r", b"\xff").is_err());
    for levels in [110, 10_000] {
        let deep = format!("output: {}", "[".repeat(levels));
        let error = own(&deep).unwrap_err();
        assert!(error.starts_with("r.yaml:3:"), "{error}");
        assert_eq!(error.contains("nested more than"), levels == 110, "{error}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("true".to_owned()),
        Just("1.10".to_owned()),
        Just("- a: #x".to_owned()),
        Just("a\"b\\c\nd\u{e9}\u{2028}".to_owned()),
        "[ -~]{1,12}",
        "[a-z0-9./_-]{1,12}",
    ]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn few<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(one, 0..3)
}

prop_compose! {
    fn chart()(chart in text(), repository in maybe(), version in text(), values in few(text())) -> Chart {
        Chart {
            chart,
            repository,
            version: Some(version),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

prop_compose! {
    fn product()(
        name in text(), version in text(), with in few(text()), without in few(text()), mirror in any::<bool>()
    ) -> Product {
        Product {
            name,
            version,
            with,
            without,
            registry: None,
            mirror: mirror.then(|| "m.corp:5000/x".to_owned()),
        }
    }
}

prop_compose! {
    fn request()(
        products in few(product()),
        lists in few(text()),
        (strict, allow_incomplete, referrers, foreign_layers, mirror_fallback) in any::<(bool, bool, bool, bool, bool)>(),
        local in few((text(), maybe())),
        charts in few(chart()),
        files in few((text(), maybe())),
        from in few(text()),
        (registries_conf, output) in (maybe(), maybe()),
        compact in prop::option::of(any::<bool>()),
        bases in few(text()),
        (with_sealift, checksums, keep_going) in any::<(bool, bool, bool)>(),
    ) -> RequestFile {
        RequestFile {
            products,
            images: vec!["docker.io/calico/node:v3.32.1".to_owned()],
            lists: lists.into_iter().map(Into::into).collect(),
            strict,
            allow_incomplete,
            local: local.into_iter().map(|(path, repository)| LocalImages { path: path.into(), repository }).collect(),
            charts,
            files: files.into_iter().map(|(path, name)| CarriedFile { path: path.into(), name }).collect(),
            platforms: vec!["linux/arm/v7".to_owned()],
            referrers,
            foreign_layers,
            mirrors: from.into_iter().map(|from| Mirror { from, to: "m.corp/hub".to_owned() }).collect(),
            mirror_fallback,
            registries_conf: registries_conf.map(Into::into),
            output: output.map(Into::into),
            profile: compact.map(|compact| if compact { Profile::Compact } else { Profile::Plain }),
            bases: bases.into_iter().map(Into::into).collect(),
            with_sealift,
            checksums,
            keep_going,
            ..RequestFile::default()
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_as_the_same(file in request()) {
        let yaml = file.to_yaml();
        prop_assert_eq!(read(&yaml), Ok(file), "{}", yaml);
    }

    #[test]
    fn no_text_is_read_with_a_panic(text in "[ -~\n]{0,200}") {
        let _ = read(&text);
        let _ = own(&text);
    }
}

/// The schema that editors read.
fn schema() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/request.schema.json"
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A value that a schema allows, with every field of every object.
fn sample(schema: &Value) -> Value {
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        return sample(forms.last().unwrap());
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => Value::Bool(!schema["default"].as_bool().unwrap()),
        "string" => schema["examples"][0].clone(),
        "array" if schema["examples"].is_array() => schema["examples"][0].clone(),
        "array" => Value::Array(vec![sample(&schema["items"])]),
        "object" => {
            let properties = schema["properties"].as_object().unwrap();
            let fields = properties
                .iter()
                .map(|(key, schema)| (key.clone(), sample(schema)));
            Value::Object(fields.collect())
        }
        other => panic!("{other}"),
    }
}

/// The places of all objects in the schema, as pointers into the sample, with their schema.
fn objects(schema: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    if let Some(forms) = schema["anyOf"].as_array() {
        return objects(forms.last().unwrap(), pointer, found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.push((pointer.to_owned(), schema.clone()));
        for (key, schema) in properties {
            objects(schema, &format!("{pointer}/{key}"), found);
        }
    } else if schema["items"].is_object() {
        objects(&schema["items"], &format!("{pointer}/0"), found);
    }
}

fn refused(document: &Value, why: &str) {
    // JSON is YAML.
    let error = read(&document.to_string());
    assert!(error.is_err(), "{why}: {document}");
}

#[test]
fn the_schema_and_the_reader_agree_on_every_field() {
    let schema = schema();
    let mut whole = sample(&schema);
    // The two exclude each other.
    whole["products"][0]
        .as_object_mut()
        .unwrap()
        .remove("registry");
    let file = read(&whole.to_string()).unwrap();
    assert_eq!(read(&file.to_yaml()).unwrap(), file);
    let mut found = Vec::new();
    objects(&schema, "", &mut found);
    assert_eq!(found.len(), 6, "{found:?}");
    for (pointer, schema) in found {
        let fields = whole.pointer(&pointer).unwrap().as_object().unwrap();
        let with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut changed = whole.clone();
            change(
                changed
                    .pointer_mut(&pointer)
                    .unwrap()
                    .as_object_mut()
                    .unwrap(),
            );
            changed
        };
        assert_eq!(schema["additionalProperties"], false, "{pointer}");
        let unknown = with(&|fields| {
            fields.insert("unknown".to_owned(), Value::Bool(true));
        });
        refused(&unknown, &pointer);
        let required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key.as_str().unwrap())
            .collect();
        for key in fields.keys() {
            let without = with(&|fields| {
                fields.remove(key);
            });
            if required.contains(&key.as_str()) {
                refused(&without, key);
            } else if key != "version" {
                read(&without.to_string()).unwrap();
            }
            let other_type = with(&|fields| {
                fields.insert(key.clone(), serde_json::json!({"a": {"b": []}}));
            });
            refused(&other_type, key);
        }
    }
}

#[test]
fn haulers_manifests_are_read_and_what_they_mean_besides_is_listed() {
    let file = read(
        r"apiVersion: content.hauler.cattle.io/v1
kind: Images
metadata:
  name: images
  annotations:
    hauler.dev/platform: linux/amd64
    hauler.dev/registry: registry.corp
    hauler.dev/key: cosign.pub
spec:
  images:
    - name: rancher/rancher:v2.11.0
    - name: docker.io/library/nginx:1.29
      key: other.pub
---
apiVersion: content.hauler.cattle.io/v1
kind: Charts
metadata:
  name: charts
spec:
  charts:
    - name: rancher
      repoURL: https://releases.rancher.com/server-charts/stable
      version: 2.11.0
    - name: hauler
      repoURL: oci://ghcr.io/hauler-dev
    - name: local-1.0.0.tgz
      repoURL: testdata
---
apiVersion: content.hauler.cattle.io/v1
kind: Files
metadata:
  name: files
spec:
  files:
    - path: testdata/x.yaml
    - path: https://get.rke2.io/install.sh
      name: install.sh
",
    )
    .unwrap();
    assert_eq!(file.form, RequestForm::Hauler);
    assert_eq!(
        file.images,
        [
            "registry.corp/rancher/rancher:v2.11.0",
            "docker.io/library/nginx:1.29"
        ]
    );
    assert_eq!(file.platforms, ["linux/amd64"]);
    let charts: Vec<&str> = file
        .charts
        .iter()
        .map(|chart| chart.chart.as_str())
        .collect();
    assert_eq!(
        charts,
        [
            "rancher",
            "oci://ghcr.io/hauler-dev/hauler",
            "testdata/local-1.0.0.tgz"
        ]
    );
    assert_eq!(file.files.len(), 1);
    assert_eq!(
        file.not_read,
        [
            "line 8: hauler.dev/key of the annotations",
            "line 13: key of an image",
            "line 36: https://get.rke2.io/install.sh (download it first)",
        ]
    );
}

#[test]
fn a_zarf_packages_images_charts_and_files_are_read() {
    let file = read(
        r#"kind: ZarfPackageConfig
metadata:
  name: app
  architecture: arm64
variables: [{name: X}]
components:
  - name: app
    required: true
    charts:
      - {name: app, version: 1.2.3, url: "https://charts.example.com", namespace: a, valuesFiles: [v.yaml]}
      - {name: deep, version: 1.0.0, url: "https://github.com/a/b.git", gitPath: charts/deep}
      - {name: near, version: 1.0.0, localPath: ./near, namespace: a}
    manifests: [{name: m, files: [m.yaml]}]
    images:
      - ghcr.io/a/b:1.2.3
      - ghcr.io/a/###ZARF_PKG_TMPL_X###:1
    files:
      - {source: bin/tool, target: /usr/local/bin/tool, executable: true}
"#,
    )
    .unwrap();
    assert_eq!(file.images, ["ghcr.io/a/b:1.2.3"]);
    assert_eq!(file.platforms, ["linux/arm64"]);
    assert_eq!(file.charts.len(), 2);
    assert_eq!(
        file.charts[0].repository.as_deref(),
        Some("https://charts.example.com")
    );
    assert_eq!(file.charts[1].chart, "./near");
    assert_eq!(file.files[0].path.to_str(), Some("bin/tool"));
    let notes = file.not_read.join("\n");
    for words in [
        "variables",
        "manifests",
        "chart deep",
        "line 16: ",
        "target of a file",
        "executable",
    ] {
        assert!(notes.contains(words), "{words} in {notes}");
    }
}

#[test]
fn an_image_sets_additional_images_and_charts_are_read_and_its_catalogs_are_listed() {
    let file = read(
        r"apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
archiveSize: 4
mirror:
  platform: {channels: [{name: stable-4.18}]}
  operators: [{catalog: registry.redhat.io/redhat/redhat-operator-index:v4.18}]
  additionalImages: [{name: registry.redhat.io/ubi9/ubi:latest}]
  helm:
    repositories:
      - name: podinfo
        url: https://stefanprodan.github.io/podinfo
        charts: [{name: podinfo, version: 5.0.0}, {name: other}]
    local: [{name: x, path: x.tgz}]
",
    )
    .unwrap();
    assert_eq!(file.form, RequestForm::OcMirror);
    assert_eq!(file.images, ["registry.redhat.io/ubi9/ubi:latest"]);
    let charts: Vec<&str> = file
        .charts
        .iter()
        .map(|chart| chart.chart.as_str())
        .collect();
    assert_eq!(charts, ["podinfo", "x.tgz"]);
    let notes = file.not_read.join("\n");
    for words in [
        "archiveSize",
        "platform of mirror",
        "operators of mirror",
        "chart other",
    ] {
        assert!(notes.contains(words), "{words} in {notes}");
    }
}
