//! What is found in texts of every kind, and what is not.
#![allow(clippy::unwrap_used)]

use sealift_imagerefs::{Findings, InputKind, Kind, Reason, find};

fn found(text: &str) -> Findings {
    find("text", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Kind and text of everything that was found.
fn kinds(found: &Findings) -> Vec<(Kind, &str)> {
    found
        .occurrences
        .iter()
        .map(|found| (found.kind, found.text.as_str()))
        .collect()
}

fn left(found: &Findings) -> Vec<(&str, &Reason)> {
    found
        .not_understood
        .iter()
        .map(|left| (left.text.as_str(), &left.reason))
        .collect()
}

#[test]
fn a_plain_list_may_have_comments_blank_lines_and_windows_line_ends() {
    let text = "\u{feff}# images\r\n\r\nquay.io/calico/node:v3 # the agent\r\n  redis:7#x\r\n";
    let error = find("images.txt", text.as_bytes()).unwrap_err();
    assert_eq!((error.line, error.column), (4, 3));
    assert!(
        error
            .to_string()
            .starts_with("images.txt:4:3: character '#'"),
        "{error}"
    );

    let found = found(&text.replace("redis:7#x", "redis:7"));
    assert_eq!(found.input, InputKind::List);
    assert_eq!(
        kinds(&found),
        [
            (Kind::ListLine, "quay.io/calico/node:v3"),
            (Kind::ListLine, "redis:7")
        ]
    );
    let redis = &found.occurrences[1];
    assert_eq!(redis.reference.to_string(), "docker.io/library/redis:7");
    assert_eq!((redis.line, redis.column), (4, 3));
    assert_eq!(&text[redis.span.clone()], "redis:7");
}

#[test]
fn a_list_with_a_line_that_is_no_reference_is_refused_at_that_line() {
    for (line, word) in [
        ("https://quay.io/x:1", "URL"),
        ("{{site.data.x}}/calico/node", "Jekyll"),
        ("calico/node:$[version]", "Docusaurus"),
        ("quay.io/Calico/node:1", "lower case"),
        ("docker pull redis", "white space"),
        ("$REGISTRY/calico/node:1", "variable"),
    ] {
        let error = find("l", format!("redis:7\n{line}\n").as_bytes()).unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn credentials_are_refused_and_not_repeated() {
    for text in [
        "redis:7\nhttps://user:canary@r.io/a:1\n",
        "user:canary@r.io/a:1\n",
        "- user:canary@r.io/a:1\n",
        "redis:7\ndocker pull user:canary@r.io/a:1\n",
    ] {
        let error = find("l", text.as_bytes()).unwrap_err();
        assert_eq!(error.reason, Reason::Credentials, "{text}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: u:canary@r.io/a:1\n";
    let found = found(pod);
    assert_eq!(left(&found), [("", &Reason::Credentials)]);
    assert!(!format!("{found:?}").contains("canary"));
}

#[test]
fn yaml_lists_and_lock_files_are_read() {
    let list = found("- redis:7\n- \"quay.io/a/b:1\" # x\n");
    assert_eq!(list.input, InputKind::List);
    assert_eq!(
        kinds(&list),
        [
            (Kind::ListLine, "redis:7"),
            (Kind::ListLine, "quay.io/a/b:1")
        ]
    );

    let hauler = found(
        "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nmetadata:\n  name: x\nspec:\n  images:\n    - name: busybox\n      platform: linux/amd64\n    - name: ghcr.io/a/b:1\n",
    );
    assert_eq!(hauler.input, InputKind::HaulerImages);
    assert_eq!(
        kinds(&hauler),
        [
            (Kind::HaulerImage, "busybox"),
            (Kind::HaulerImage, "ghcr.io/a/b:1")
        ]
    );
    assert_eq!(hauler.occurrences[1].path, ".spec.images[1].name");
    assert_eq!(hauler.occurrences[1].object.as_deref(), Some("Images/x"));

    let digest = "a".repeat(64);
    let lock = found(&format!(
        "---\napiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n- annotations:\n    kbld.carvel.dev/id: x\n  image: index.docker.io/a/b@sha256:{digest}\n"
    ));
    assert_eq!(lock.input, InputKind::ImagesLock);
    assert_eq!(
        lock.occurrences[0].reference.to_string(),
        format!("docker.io/a/b@sha256:{digest}")
    );

    let error = find(
        "l",
        b"apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n- url: x\n",
    );
    assert!(error.unwrap_err().to_string().contains("no `image`"));
}

#[test]
fn haulers_registry_is_for_names_without_one() {
    let text = "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nmetadata:\n  name: x\n  annotations: {hauler.dev/registry: r.corp}\nspec:\n  images:\n  - name: rancher/rancher:v2\n  - name: docker.io/a/b:1\n";
    let found = found(text);
    let references = found
        .occurrences
        .iter()
        .map(|found| found.reference.to_string());
    assert_eq!(
        references.collect::<Vec<_>>(),
        ["r.corp/rancher/rancher:v2", "docker.io/a/b:1"]
    );
}

#[test]
fn manifests_and_values_inside_of_blocks_are_searched() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: local-path-config}
data:
  config.json: |-
    {\"image\": \"quay.io/é/x:1\", \"nodes\": []}
  helperPod.yaml: |-

    # é
    apiVersion: v1
    kind: Pod
    metadata: {name: helper}
    spec:
      containers:
        - name: helper
          image: \"rancher/busybox:1.36\"
        - image: \"${IMAGE}\"
  run: |
    set image quay.io/in/script:1
---
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: c, namespace: kube-system}
spec:
  valuesContent: |
    image:
      repository: quay.io/a/b
      tag: v1
    other: {image: 'quay.io/c/d:2'}
";
    let found = found(text);
    assert_eq!(
        kinds(&found),
        [
            (Kind::Container, "rancher/busybox:1.36"),
            (Kind::Values, "quay.io/a/b:v1"),
            (Kind::Values, "quay.io/c/d:2"),
        ]
    );
    let helper = &found.occurrences[0];
    assert_eq!(
        helper.object.as_deref(),
        Some("ConfigMap/local-path-config")
    );
    assert_eq!(
        helper.path,
        ".data[\"helperPod.yaml\"] Pod/helper .spec.containers[0].image"
    );
    assert_eq!((helper.line, helper.column), (16, 19));
    for occurrence in [helper, &found.occurrences[2]] {
        assert_eq!(text[occurrence.span.clone()], occurrence.text);
    }
    let left: Vec<_> = found
        .not_understood
        .iter()
        .map(|l| (l.line, l.column, l.text.as_str()))
        .collect();
    assert_eq!(left, [(17, 18, "${IMAGE}"), (19, 5, "quay.io/in/script:1")]);
}

#[test]
fn json_on_one_line_inside_of_a_text_is_read() {
    let found = found(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: '{\"image\":\"quay.io/a/b:1\",\"b\":[\"quay.io/c/d:2\"]}'\n  b: x=quay.io/e/f:3,[quay.io/g/h:4]\n",
    );
    assert_eq!(
        kinds(&found),
        [
            (Kind::Values, "quay.io/a/b:1"),
            (Kind::Values, "quay.io/c/d:2"),
            (Kind::ConfigMap, "quay.io/e/f:3")
        ]
    );
    assert_eq!(left(&found), [("quay.io/g/h:4", &Reason::InLongerText)]);
}

#[test]
fn a_container_with_two_images_is_listed() {
    let found = found(
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: quay.io/a/b:1\n    image: quay.io/a/c:1\n",
    );
    assert_eq!(found.occurrences, []);
    assert_eq!(
        left(&found),
        [("quay.io/a/b:1", &Reason::KeyTwice("image"))]
    );
}

#[test]
fn registries_without_image_names_are_listed() {
    let found = found(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nimageRepository: r.corp/k8s\ndns: {imageRepository: r.corp/coredns, imageTag: v1.9.3}\netcd: {local: {imageRepository: r.corp/k8s, imageTag: 3.5.6-0}}\n",
    );
    assert_eq!(found.occurrences, []);
    assert_eq!(found.incomplete, []);
    assert_eq!(
        left(&found),
        [
            ("r.corp/k8s", &Reason::NoNames),
            ("r.corp/coredns", &Reason::NoNames),
            ("r.corp/k8s", &Reason::NoNames)
        ]
    );
}

const WORKLOADS: &str = r#"
apiVersion: batch/v1
kind: CronJob
metadata: {name: job, namespace: ns}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          initContainers:
          - {name: a, image: "quay.io/a/init:1"}
          containers:
          - name: b
            image: 'docker.io/a/main:2'   # why
            args:
            - --acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.21.1
            - --pause-image
            - pause:3.9
            - --image-pull-policy=Always
            - --label=app.kubernetes.io/part-of:x
            - --sidecars=a=quay.io/s/one:1,b=quay.io/s/two:2
            command: ["sh", "-c", "docker run quay.io/in/script:1"]
            env:
            - name: RELATED_IMAGE_NODE
              value: calico/node:v3
            - name: OTHER
              value: quay.io/from/env:4
            - name: VERSION
              value: v1.42.3
            - {name: REF, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          ephemeralContainers:
          - name: c
            image: >-
              quay.io/a/debug:3
          volumes:
          - name: v
            image: {reference: quay.io/a/volume:5, pullPolicy: Always}
          - name: ceph
            rbd: {monitors: [a], image: quay.io/not/one:1}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec: {containers: [{image: nginx}]}
  status: {containerStatuses: [{image: docker.io/library/nginx:latest}]}
"#;

#[test]
fn every_image_of_a_pod_is_found_wherever_its_template_hides() {
    let found = found(WORKLOADS);
    let mut all = kinds(&found);
    all.sort();
    assert_eq!(
        all,
        [
            (Kind::Container, "docker.io/a/main:2"),
            (Kind::Container, "nginx"),
            (Kind::InitContainer, "quay.io/a/init:1"),
            (Kind::EphemeralContainer, "quay.io/a/debug:3"),
            (Kind::ImageVolume, "quay.io/a/volume:5"),
            (Kind::Argument, "pause:3.9"),
            (
                Kind::Argument,
                "quay.io/jetstack/cert-manager-acmesolver:v1.21.1"
            ),
            (Kind::Argument, "quay.io/s/one:1"),
            (Kind::Argument, "quay.io/s/two:2"),
            (Kind::Environment, "calico/node:v3"),
            (Kind::Environment, "quay.io/from/env:4"),
        ]
    );
    assert_eq!(
        left(&found),
        [("quay.io/in/script:1", &Reason::InLongerText)]
    );
    for occurrence in &found.occurrences {
        assert_eq!(&WORKLOADS[occurrence.span.clone()], occurrence.text);
        let line = WORKLOADS.lines().nth(occurrence.line - 1).unwrap();
        assert!(line[occurrence.column - 1..].starts_with(&occurrence.text));
    }
    let main = found
        .occurrences
        .iter()
        .find(|o| o.text == "docker.io/a/main:2")
        .unwrap();
    assert_eq!(main.object.as_deref(), Some("CronJob/ns/job"));
    assert_eq!(
        main.path,
        ".spec.jobTemplate.spec.template.spec.containers[0].image"
    );
    assert_eq!(main.document, 1);
    let nginx = found.occurrences.last().unwrap();
    assert_eq!(nginx.object.as_deref(), Some("Pod/p"));
    assert_eq!(nginx.document, 2);
}

#[test]
fn schemas_and_descriptions_are_no_images() {
    let found = found(
        r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x}
spec:
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          image:
            description: For the image docker.io/calico/node:v3.17.1
            default: quay.io/a/b:1
            type: string
---
apiVersion: example.com/v1
kind: Composite
spec:
  openAPIV3Schema: {properties: {image: {default: 'quay.io/a/b:1'}}}
",
    );
    assert_eq!(found.occurrences, []);
    assert_eq!(found.not_understood, []);
}

#[test]
fn custom_resources_are_searched() {
    let found = found(
        r"
apiVersion: example.com/v1
kind: Thing
metadata:
  name: t
  annotations: {containerImage: 'quay.io/a/annotation:1'}
spec:
  image: a/b:1
  sidecarImage: quay.io/c/d:2
  versioned: {image: quay.io/e/f, replicas: 2}
  pullThrough: quay.io/g/h:3
  named: {image: ubuntu}
  prose: this was made with quay.io/i/j:4, mostly
  podTemplate:
    spec:
      containers:
      - image: k/l:5
  workflow: {image: '{{inputs.parameters.image}}'}
  from: {kind: DockerImage, name: 'm/n:6'}
  env:
  - {name: HELPER_IMAGE, value: 'o/p:7'}
status:
  image: quay.io/not/this:1
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
  queue-sidecar-image: gcr.io/knative/queue:v1
  script: |
    crictl pull quay.io/q/r:8
",
    );
    let all = kinds(&found);
    assert_eq!(
        all,
        [
            (Kind::CustomResource, "a/b:1"),
            (Kind::CustomResource, "quay.io/c/d:2"),
            (Kind::CustomResource, "quay.io/g/h:3"),
            (Kind::Container, "k/l:5"),
            (Kind::CustomResource, "m/n:6"),
            (Kind::Environment, "o/p:7"),
            (Kind::ConfigMap, "gcr.io/knative/queue:v1"),
        ]
    );
    assert_eq!(found.incomplete.len(), 1);
    assert_eq!(found.incomplete[0].text, "quay.io/e/f");
    let reasons: Vec<_> = left(&found).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        reasons,
        [
            "quay.io/a/annotation:1",
            "ubuntu",
            "quay.io/i/j:4",
            "{{inputs.parameters.image}}",
            "quay.io/q/r:8"
        ]
    );
}

#[test]
fn values_files_are_read_whatever_fields_the_image_is_in() {
    let digest = "d".repeat(64);
    let text = format!(
        r#"
simple: {{image: 'a/b:1'}}
usual:
  image:
    repository: quay.io/c/d
    tag: v2
bitnami:
  image: {{registry: docker.io, repository: bitnami/e, tag: "3", digest: ""}}
cilium:
  image:
    override: ~
    repository: "quay.io/cilium/cilium"
    tag: "v1.16.5"
    digest: "sha256:{digest}"
    useDigest: true
off:
  image: {{repository: quay.io/cilium/f, tag: v1, digest: 'sha256:{digest}', useDigest: false}}
over:
  image: {{override: 'quay.io/o/p:9', repository: quay.io/ignored/x, tag: v1}}
grafana:
  image: {{repository: grafana/g, tag: "11", sha: "{digest}"}}
tigera: {{image: tigera/operator, version: v1.42.3, registry: quay.io}}
istio: {{hub: docker.io/istio, tag: 1.24.0, variant: distroless, image: pilot}}
number:
  image: {{repository: h/i, tag: 1.20}}
chart:
  image: {{repository: j/k, tag: ""}}
sources: {{repository: 'https://github.com/l/m', branch: main}}
placeholder:
  image: {{repository: '{{{{ .Values.global.registry }}}}/n', tag: v1}}
extraArgs: [--thing-image=quay.io/q/r:10]
"#
    );
    let found = found(&text);
    let references: Vec<_> = found
        .occurrences
        .iter()
        .map(|o| o.reference.to_string())
        .collect();
    let pinned = format!("@sha256:{digest}");
    assert_eq!(
        references,
        [
            "docker.io/a/b:1".to_owned(),
            "quay.io/c/d:v2".to_owned(),
            "docker.io/bitnami/e:3".to_owned(),
            format!("quay.io/cilium/cilium:v1.16.5{pinned}"),
            "quay.io/cilium/f:v1".to_owned(),
            "quay.io/o/p:9".to_owned(),
            format!("docker.io/grafana/g:11{pinned}"),
            "quay.io/tigera/operator:v1.42.3".to_owned(),
            "docker.io/istio/pilot:1.24.0-distroless".to_owned(),
            "quay.io/q/r:10".to_owned(),
        ]
    );
    assert_eq!(found.incomplete.len(), 1);
    assert_eq!(found.incomplete[0].reference.name(), "docker.io/j/k");
    assert_eq!(found.not_understood.len(), 2, "{:?}", found.not_understood);
    assert_eq!(
        found.not_understood[0].reason,
        Reason::NumberAsTag("1.2".to_owned())
    );
    assert!(found.not_understood[1].text.starts_with("{{ .Values"));
    let usual = &found.occurrences[1];
    assert_eq!(usual.path, ".usual.image.repository");
    assert_eq!(&text[usual.span.clone()], "quay.io/c/d");
}

#[test]
fn a_registry_for_all_images_goes_before_each_images_own() {
    let found = found(
        "global: {imageRegistry: r.corp:5000}\nimage: {registry: docker.io, repository: a/b, tag: v1}\n",
    );
    assert_eq!(
        found.occurrences[0].reference.to_string(),
        "r.corp:5000/a/b:v1"
    );
}

#[test]
fn templates_given_as_manifests_are_refused_with_what_to_do() {
    let pod = |image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - image: {image}\n"
        )
    };
    for (image, word) in [
        ("{{ .Values.image }}", "helm template"),
        ("\"{{ .Values.image }}:{{ .Values.tag }}\"", "helm template"),
        ("{{page.registry}}calico/node", "released file"),
        ("\"{{site.data.versions.first}}\"", "released file"),
        ("calico/node:$[version]", "released file"),
        ("${REGISTRY}/calico/node:v1", "envsubst"),
        ("<registry>/calico/node:v1", "real value"),
    ] {
        let error = find("pod.yaml", pod(image).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("pod.yaml:6:"), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = find(
        "x.yaml",
        b"{{- if .Values.x }}\napiVersion: v1\n{{- end }}\n",
    )
    .unwrap_err();
    assert!(error.to_string().contains("Helm template"), "{error}");

    let floating = found(&pod("mcr.microsoft.com/windows/nanoserver:VERSION"));
    assert_eq!(floating.occurrences, []);
    assert_eq!(floating.not_understood.len(), 1);
}

#[test]
fn what_is_no_text_or_no_manifest_is_refused() {
    for (bytes, reason) in [
        (&b"a: b\n\0"[..], "zero byte"),
        (&b"a: \xff\n"[..], "UTF-8"),
        (&b"a: b: c\n"[..], "not valid YAML"),
        (&b"a:\n\t- b\n"[..], "not valid YAML"),
        (
            &b"---\njust a sentence\n"[..],
            "neither a mapping nor a list",
        ),
    ] {
        let error = find("f", bytes).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(found("").occurrences, []);
    assert_eq!(found("# nothing\n---\n---\n").occurrences, []);
}

#[test]
fn anchors_are_found_once_and_aliases_where_they_stand() {
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - &c\n    name: a\n    image: &i quay.io/a/b:1\n  - <<: *c\n    name: b\n  initContainers:\n  - {name: d, image: *i}\n";
    let found = found(text);
    assert_eq!(
        kinds(&found),
        [
            (Kind::Container, "quay.io/a/b:1"),
            (Kind::InitContainer, "quay.io/a/b:1")
        ]
    );
    assert_eq!(found.occurrences[0].span, found.occurrences[1].span);
    assert_eq!(&text[found.occurrences[0].span.clone()], "quay.io/a/b:1");
}

#[test]
fn json_is_yaml_too() {
    let text = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\t\"spec\": {\"containers\": [{\"image\": \"quay.io\\/a\\/b:1\"}]}\n}\n";
    let found = found(text);
    assert_eq!(kinds(&found), [(Kind::Container, "quay.io/a/b:1")]);
    assert_eq!(
        &text[found.occurrences[0].span.clone()],
        "\"quay.io\\/a\\/b:1\""
    );
}
