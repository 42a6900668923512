//! Files of other tools, and texts inside of resources.
#![allow(clippy::unwrap_used)]

use sealift_imagerefs::{Findings, InputKind, Reason, Relocation, find, plan_rewrite};
use sealift_oci::{Destination, Naming};

fn found(text: &str) -> Findings {
    find("file", text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn references(found: &Findings) -> Vec<&str> {
    let references = found.occurrences.iter();
    references.map(|found| found.text.as_str()).collect()
}

fn left(found: &Findings) -> Vec<(&str, &Reason)> {
    let left = found.not_understood.iter();
    left.map(|left| (left.text.as_str(), &left.reason))
        .collect()
}

fn rewritten(text: &str) -> String {
    let destination: Destination = "r.corp:5000/m".parse().unwrap();
    let naming = Naming::default();
    let relocation = Relocation::new(&destination, &naming);
    let plan = plan_rewrite("t", text.as_bytes(), &relocation).unwrap();
    String::from_utf8(plan.apply(text.as_bytes()).unwrap()).unwrap()
}

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

const KUSTOMIZATION: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deploy.yaml, https://example.com/x.yaml]
images:
- name: nginx
  newTag: \"1.25\"
- name: redis
  digest: DIGEST
- name: quay.io/t/old
  newName: quay.io/t/new
  newTag: v2
- name: untouched
patches:
- path: patch.yaml
- target: {kind: Deployment, name: web}
  patch: |-
    - op: replace
      path: /spec/template/spec/containers/0/image
      value: busybox:1.36
    - op: add
      path: /spec/template/spec/containers/-
      value: {name: side, image: t/side:v1}
    - op: add
      path: /spec/template/spec/containers/0/args/-
      value: --reloader-image=t/reload:v1
    - op: test
      path: /spec/template/spec/containers/0/image
      value: quay.io/t/before:v1
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {template: {spec: {containers: [{name: web, image: t/web:v3}]}}}
configMapGenerator:
- name: c
  literals: [SIDECAR_IMAGE=t/lit:v1, OTHER=x]
";

#[test]
fn a_kustomizations_overrides_and_patches_are_read() {
    let text = KUSTOMIZATION.replace("DIGEST", DIGEST);
    let found = found(&text);
    assert_eq!(found.input, InputKind::Kustomization);
    let redis = format!("redis@{DIGEST}");
    assert_eq!(
        references(&found),
        [
            "nginx:1.25",
            redis.as_str(),
            "quay.io/t/new:v2",
            "busybox:1.36",
            "t/side:v1",
            "t/reload:v1",
            "t/web:v3",
            "t/lit:v1"
        ]
    );
    assert_eq!(
        left(&found),
        [
            (
                "deploy.yaml, https://example.com/x.yaml",
                &Reason::OtherFiles
            ),
            ("untouched", &Reason::BareName),
            ("patch.yaml", &Reason::OtherFiles),
        ]
    );
    // Kustomize finds an image by `name`, so that this must stay.
    let out = rewritten(&text);
    for kept in [
        "- name: nginx\n",
        "- name: redis\n",
        "- name: quay.io/t/old\n",
    ] {
        assert!(out.contains(kept), "{out}");
    }
    assert!(out.contains("newName: r.corp:5000/m/t/new\n"), "{out}");
    assert!(
        out.contains("value: r.corp:5000/m/library/busybox:1.36\n"),
        "{out}"
    );
    assert!(out.contains("image: r.corp:5000/m/t/web:v3}"), "{out}");
}

#[test]
fn components_and_kustomizations_without_a_kind_are_recognised() {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: [{name: a/b, newTag: v1}]\n";
    let bare = "namespace: x\nimages:\n- name: a/b\n  newTag: v1\n";
    for text in [component, bare] {
        let found = found(text);
        assert_eq!(found.input, InputKind::Kustomization, "{text}");
        assert_eq!(references(&found), ["a/b:v1"]);
        assert_eq!(rewritten(text), text, "there is no newName to edit");
    }
}

#[test]
fn patches_of_their_own_are_read() {
    let text = "- {op: replace, path: /spec/containers/0/image, value: 'nginx:1.25'}\n- {op: add, path: /spec/containers/0/env/-, value: {name: SIDE_IMAGE, value: 't/side:v1'}}\n- {op: remove, path: /metadata/labels}\n";
    let yaml = found(text);
    assert_eq!(yaml.input, InputKind::JsonPatch);
    assert_eq!(references(&yaml), ["nginx:1.25", "t/side:v1"]);
    let json = "[{\"op\":\"replace\",\"path\":\"/spec/template/spec/initContainers/0/image\",\"value\":\"t/init:v1\"}]";
    assert_eq!(references(&found(json)), ["t/init:v1"]);
}

#[test]
fn flux_and_argo_cd_override_images() {
    let flux = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: a}
spec:
  images:
  - {name: nginx, newName: quay.io/t/nginx, newTag: '1.25'}
  - {name: t/pinned, digest: 'DIGEST'}
  patches:
  - patch: |
      - {op: replace, path: /spec/template/spec/containers/0/image, value: 't/web:v1'}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: b}
spec:
  values:
    image: {repository: quay.io/t/b, tag: v2}
  postRenderers:
  - kustomize:
      images: [{name: t/c, newTag: v3}]
"
    .replace("DIGEST", DIGEST);
    let found_flux = found(&flux);
    let pinned = format!("t/pinned@{DIGEST}");
    assert_eq!(
        references(&found_flux),
        [
            "quay.io/t/nginx:1.25",
            pinned.as_str(),
            "t/web:v1",
            "quay.io/t/b:v2",
            "t/c:v3"
        ]
    );
    assert_eq!(left(&found_flux), []);

    let argo = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a}
spec:
  source:
    kustomize:
      images:
      - nginx:1.25
      - t/old=quay.io/t/new:v2
    helm:
      parameters:
      - {name: image.tag, value: v3}
      - {name: sidecar.image, value: 't/side:v1'}
      values: |
        image: {repository: quay.io/t/d, tag: v4}
      valuesObject:
        image: {repository: quay.io/t/e, tag: v5}
";
    let found_argo = found(argo);
    assert_eq!(
        references(&found_argo),
        [
            "nginx:1.25",
            "quay.io/t/new:v2",
            "t/side:v1",
            "quay.io/t/d:v4",
            "quay.io/t/e:v5"
        ]
    );
    assert_eq!(found_argo.not_understood.len(), 1);
    assert_eq!(found_argo.not_understood[0].text, "image.tag=v3");
    let out = rewritten(argo);
    assert!(out.contains("- nginx:1.25\n"), "{out}");
    assert!(out.contains("- t/old=r.corp:5000/m/t/new:v2\n"), "{out}");
}

/// Files of tools that list images, and the references in them.
const LISTS: &[(InputKind, &str, &[&str])] = &[
    (
        InputKind::ZarfPackage,
        "kind: ZarfPackageConfig\nmetadata: {name: p}\ncomponents:\n- name: a\n  images: [busybox:1.36, t/app:v2, 'ghcr.io/t/side:6.4.0']\n- name: b\n  imageArchives: [{path: x.tar, images: ['t/b:v1']}]\n",
        &["busybox:1.36", "t/app:v2", "ghcr.io/t/side:6.4.0", "t/b:v1"],
    ),
    (
        InputKind::EdgeImageBuilder,
        "apiVersion: 1.2\nembeddedArtifactRegistry:\n  images:\n  - name: nginx:1.14.2\n  - {name: rancher/shell:v0.1.24, supplyChainKey: x}\n",
        &["nginx:1.14.2", "rancher/shell:v0.1.24"],
    ),
    (
        InputKind::KubeKeyManifest,
        "apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Manifest\nmetadata: {name: m}\nspec:\n  arches: [amd64]\n  images:\n  - docker.io/t/a:v1\n  - kubesphere/b:v2\n",
        &["docker.io/t/a:v1", "kubesphere/b:v2"],
    ),
    (
        InputKind::RkeCluster,
        "nodes: [{address: 10.0.0.1, role: [etcd]}]\nsystem_images:\n  etcd: rancher/mirrored-coreos-etcd:v3.5.9\n  alpine: rancher/rke-tools:v0.1.96\nprivate_registries: [{url: r.corp:5000, user: u, password: canary}]\n",
        &[
            "rancher/mirrored-coreos-etcd:v3.5.9",
            "rancher/rke-tools:v0.1.96",
        ],
    ),
    (
        InputKind::Values,
        "{\"images\":[\"docker.io/a/b:v1\",\"x/y:v2\",\"redis:7\"]}",
        &["docker.io/a/b:v1", "x/y:v2", "redis:7"],
    ),
    (
        InputKind::Manifests,
        "{\"kind\":\"Images\",\"apiVersion\":\"output.kubeadm.k8s.io/v1alpha3\",\"images\":[\"registry.k8s.io/pause:3.10\"]}",
        &["registry.k8s.io/pause:3.10"],
    ),
    (
        InputKind::Values,
        "images:\n- {source: 'busybox:1.36', target: 'r.corp:5000/busybox:1.36'}\n- {source: 'quay.io/t/a:v1', target: 'r.corp:5000/t/a:v1'}\n",
        &["busybox:1.36", "quay.io/t/a:v1"],
    ),
    (
        InputKind::Values,
        "list: |\n  nothing: here\nairgap-images: |\n  redis:7\n  # why\n  t/a:v1\n",
        &["redis:7", "t/a:v1"],
    ),
    (
        InputKind::Values,
        "image_list: {web: 'nginx:1.25', db: 'postgres:16'}\n",
        &["nginx:1.25", "postgres:16"],
    ),
];

#[test]
fn short_names_in_the_lists_of_other_tools_are_references() {
    for (input, text, expected) in LISTS {
        let found = found(text);
        assert_eq!(found.input, *input, "{text}");
        assert_eq!(references(&found), *expected, "{text}");
        assert_eq!(left(&found), [], "{text}");
    }
}

#[test]
fn names_without_a_tag_in_lists_of_other_tools_are_listed() {
    let found = found(
        "kind: ZarfPackageConfig\ncomponents: [{images: [busybox, t/a, quay.io/t/b]}, {images: [{name: nginx}]}]\n",
    );
    assert_eq!(references(&found), [""; 0]);
    assert_eq!(found.incomplete[0].text, "quay.io/t/b");
    assert_eq!(
        left(&found),
        [
            ("busybox", &Reason::BareName),
            ("t/a", &Reason::BareName),
            ("nginx", &Reason::BareName)
        ]
    );
}

#[test]
fn oc_mirrors_sets_are_listed_and_what_it_blocks_is_not_read() {
    let found = found(
        "apiVersion: mirror.openshift.io/v1alpha2\nkind: ImageSetConfiguration\nmirror:\n  platform: {channels: [{name: stable-4.14}]}\n  operators:\n  - catalog: registry.redhat.io/redhat/redhat-operator-index:v4.14\n  additionalImages:\n  - name: registry.redhat.io/ubi9/ubi:9.3\n  - name: nginx:1.25\n  blockedImages:\n  - name: quay.io/t/blocked:v1\n",
    );
    assert_eq!(found.input, InputKind::OcMirror);
    assert_eq!(
        references(&found),
        [
            "registry.redhat.io/redhat/redhat-operator-index:v4.14",
            "registry.redhat.io/ubi9/ubi:9.3",
            "nginx:1.25"
        ]
    );
    assert_eq!(
        left(&found),
        [
            ("platform", &Reason::NotListed),
            ("operators", &Reason::NotListed)
        ]
    );
}

#[test]
fn skopeos_sources_are_read_without_their_credentials() {
    let text = format!(
        "registry.example.com:\n  credentials: {{username: u, password: canary}}\n  images:\n    team/redis: [\"7.2\", \"{DIGEST}\"]\n    team/all: []\nquay.io:\n  tls-verify: false\n  images:\n    coreos/etcd: [latest]\n  images-by-tag-regex:\n    coreos/flannel: ^v1\n"
    );
    let found = found(&text);
    assert_eq!(found.input, InputKind::SkopeoSync);
    let pinned = format!("registry.example.com/team/redis@{DIGEST}");
    assert_eq!(
        references(&found),
        [
            "registry.example.com/team/redis:7.2",
            pinned.as_str(),
            "quay.io/coreos/etcd:latest"
        ]
    );
    assert_eq!(
        left(&found),
        [
            ("registry.example.com/team/all", &Reason::TagsOfRegistry),
            ("quay.io/coreos/flannel", &Reason::TagsOfRegistry)
        ]
    );
    assert!(!format!("{found:?}").contains("canary"));
    assert_eq!(rewritten(&text), text);
}

#[test]
fn manifests_in_secrets_are_read_and_nothing_else_of_them_is_repeated() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: t/encoded:v1\n  - image: 'pass word'\n";
    let encoded = base64(pod);
    let text = format!(
        "\
apiVersion: v1
kind: Secret
metadata: {{name: s}}
stringData:
  pod.yaml: |
    apiVersion: v1
    kind: Pod
    spec:
      containers:
      - image: t/plain:v1
      - image: 'pass word'
  cni: docker.io/calico/cni:v3.26.1
  SIDE_IMAGE: t/side:v1
  url: https://user:canary@quay.io/t/x:v1
  note: canary at quay.io/t/x:v1 or so
data:
  pod.yaml: {encoded}
  node: {}
  password: {}
",
        base64("docker.io/calico/node:v3.26.1\n"),
        base64("canary")
    );
    let found = found(&text);
    assert_eq!(
        references(&found),
        [
            "t/plain:v1",
            "docker.io/calico/cni:v3.26.1",
            "t/side:v1",
            "t/encoded:v1",
            "docker.io/calico/node:v3.26.1"
        ]
    );
    let reasons: Vec<_> = left(&found);
    assert_eq!(
        reasons,
        [("", &Reason::WhiteSpace), ("", &Reason::WhiteSpace)]
    );
    let shown: String = found
        .not_understood
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        !shown.contains("canary") && !shown.contains("pass word"),
        "{shown}"
    );
    let out = rewritten(&text);
    assert!(out.contains("- image: r.corp:5000/m/t/plain:v1\n"), "{out}");
    assert!(out.contains(&encoded), "what is encoded is not edited");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn short_names_in_config_maps_are_read_by_their_keys() {
    let found = found(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  SIDECAR_IMAGE: nginx:1.25\n  BASE_IMAGE: quay.io/t/base\n  images.txt: |\n    redis:7\n    t/a:v1\n  pod.json: '{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"image\":\"t/json:v1\"}]}}'\nbinaryData:\n  x: AAEC\n",
    );
    assert_eq!(
        references(&found),
        ["nginx:1.25", "redis:7", "t/a:v1", "t/json:v1"]
    );
    assert_eq!(found.incomplete[0].text, "quay.io/t/base");
}

#[test]
fn manifests_in_texts_with_escapes_are_rewritten() {
    let text = r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: t/a:v1\n  - image: t/a:v1\n"}}"#;
    assert_eq!(rewritten(text), text.replace("t/a:", "r.corp:5000/m/t/a:"));
}

#[test]
fn manifests_are_found_three_texts_deep() {
    let pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 't/deep:v1'}]}\n";
    let indent = |text: &str| format!("    {}\n", text.trim_end().replace('\n', "\n    "));
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n{}",
        indent(pod)
    );
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nstringData:\n  b.yaml: |\n{}",
        indent(&map)
    );
    assert_eq!(references(&found(&secret)), ["t/deep:v1"]);
    assert!(rewritten(&secret).contains("image: 'r.corp:5000/m/t/deep:v1'"));
}

#[test]
fn only_images_of_pods_get_a_default_tag() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: o}
spec:
  template:
    spec:
      containers:
      - image: quay.io/t/operator
        args: [--base-image=quay.io/t/base, --side-image, t/side, --other-image=ubuntu, --enable-image=true]
        env:
        - {name: HELPER_IMAGE, value: quay.io/t/helper}
        - {name: RELATED_IMAGE_X, value: t/related}
        - {name: SHORT_IMAGE, value: busybox}
";
    let found = found(text);
    assert_eq!(references(&found), ["quay.io/t/operator"]);
    let incomplete: Vec<_> = found
        .incomplete
        .iter()
        .map(|name| name.text.as_str())
        .collect();
    assert_eq!(
        incomplete,
        ["quay.io/t/base", "t/side", "quay.io/t/helper", "t/related"]
    );
    assert_eq!(
        left(&found),
        [
            ("ubuntu", &Reason::BareName),
            ("busybox", &Reason::BareName)
        ]
    );
    let out = rewritten(text);
    assert!(out.contains("--base-image=r.corp:5000/m/t/base,"), "{out}");
    assert_eq!(out.matches(":latest").count(), 1, "{out}");
}

#[test]
fn a_document_of_no_known_form_without_images_is_listed() {
    for text in [
        "servers: [a, b]\nmode: fast\n",
        "{\"a\": {\"b\": 1}}",
        "- {a: 1}\n- {a: 2}\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\nreplicas: 3\n",
    ] {
        let found = found(text);
        let last = found.not_understood.last().unwrap();
        assert_eq!(last.reason, Reason::UnknownForm, "{text}");
    }
    for (text, input) in [
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
            InputKind::Manifests,
        ),
        (
            "apiVersion: v2\nname: c\nversion: 1.0.0\n",
            InputKind::HelmChart,
        ),
        ("# nothing\n", InputKind::List),
        ("---\n", InputKind::Empty),
    ] {
        let found = found(text);
        assert!(found.is_empty(), "{text}");
        assert_eq!(found.input, input, "{text}");
    }
}

#[test]
fn what_may_be_a_short_name_is_listed_wherever_it_is() {
    let found = found(
        "k8s: [pause:3.9, coredns/coredns:1.11.1]\nhosts: ['redis:6379', 'kafka:9092']\nports: ['8080:80']\napp: team/app:v2\nplain: [{name: 'nginx:1.25'}]\nlabels: {a: x/y}\n",
    );
    assert_eq!(
        left(&found),
        [
            ("pause:3.9", &Reason::MayBeImage),
            ("coredns/coredns:1.11.1", &Reason::MayBeImage),
            ("team/app:v2", &Reason::MayBeImage),
            ("nginx:1.25", &Reason::MayBeImage)
        ]
    );
}

#[test]
fn what_is_copied_to_another_registry_is_listed_by_its_source() {
    let found = found("quay.io/t/a: r.corp/t/a\ndocker.io/t/b:v1: [r.corp/t/b:v1]\n");
    assert_eq!(references(&found), [""; 0]);
    assert_eq!(
        left(&found),
        [
            ("quay.io/t/a", &Reason::MayBeImage),
            ("docker.io/t/b:v1", &Reason::MayBeImage)
        ]
    );
}

#[test]
fn charts_in_registries_are_listed() {
    let found = found(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nspec: {url: 'oci://ghcr.io/t/a', ref: {tag: v1}}\n",
    );
    assert_eq!(left(&found), [("oci://ghcr.io/t/a", &Reason::OciArtifact)]);
}

#[test]
fn files_of_settings_are_read_and_rewritten_line_by_line() {
    let text = "# versions\r\nTAG=v1\r\nexport NODE_IMAGE=quay.io/t/node:v1 # why\r\nSIDE_IMAGE=\"t/side:v2\"\r\nBASE_IMAGE=quay.io/t/base\nSHORT_IMAGE=busybox\nOTHER=quay.io/t/other:3\nTEMPLATE_IMAGE=t/x:${TAG}\n";
    let found = found(text);
    assert_eq!(found.input, InputKind::Settings);
    assert_eq!(
        references(&found),
        ["quay.io/t/node:v1", "t/side:v2", "quay.io/t/other:3"]
    );
    assert_eq!(found.incomplete[0].text, "quay.io/t/base");
    let texts: Vec<_> = left(&found).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["busybox", "t/x:${TAG}"]);
    let expected = text
        .replace("quay.io/", "r.corp:5000/m/")
        .replace("\"t/side", "\"r.corp:5000/m/t/side");
    assert_eq!(rewritten(text), expected);
}

#[test]
fn settings_and_lists_inside_of_texts_are_read() {
    let found = found(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  .env: |\n    SIDE_IMAGE=t/side:v1\n    OTHER=2\n  list: |\n    nginx:1.25\n    t/a:v7\n",
    );
    assert_eq!(references(&found), ["t/side:v1"]);
    assert_eq!(
        left(&found),
        [
            ("nginx:1.25", &Reason::MayBeImage),
            ("t/a:v7", &Reason::MayBeImage)
        ]
    );
}

#[test]
fn utf16_is_read_and_stays_utf16() {
    let list = "\u{feff}docker.io/a/b:v1\r\nquay.io/x/y:v2\r\n";
    let pod = "apiVersion: v1\r\nkind: Pod # é\r\nspec:\r\n  containers:\r\n  - image: quay.io/x/y:v2\r\n";
    let little = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let big = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    let destination: Destination = "r.corp:5000/m".parse().unwrap();
    let naming = Naming::default();
    let relocation = Relocation::new(&destination, &naming);
    for text in [list, pod] {
        for encode in [&little as &dyn Fn(&str) -> Vec<u8>, &big] {
            let bytes = encode(text);
            let found = find("t", &bytes).unwrap();
            assert_eq!(found.occurrences.last().unwrap().text, "quay.io/x/y:v2");
            let plan = plan_rewrite("t", &bytes, &relocation).unwrap();
            let out = plan.apply(&bytes).unwrap();
            assert_eq!(
                out,
                encode(
                    &text
                        .replace("quay.io/", "r.corp:5000/m/")
                        .replace("docker.io/", "r.corp:5000/m/")
                )
            );
        }
    }
    let error = find("t", b"\xff\xfea\0\n\0\x00\xd8").unwrap_err();
    assert!(
        error.to_string().starts_with("t:2:1: not valid UTF-16"),
        "{error}"
    );
    let error = find("t", b"\xff\xfe\0\0a\0\0\0").unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}
