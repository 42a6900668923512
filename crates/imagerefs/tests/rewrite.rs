//! What a rewrite changes, and that it changes nothing else.
#![allow(clippy::unwrap_used)]

use sealift_imagerefs::{
    InputKind, Pins, Reason, Relocation, Replacement, Rewrite, RewriteError, find, plan_rewrite,
};
use sealift_oci::{Destination, Digest, Naming, Reference};

fn plan(text: &str, to: &str) -> Rewrite {
    let destination: Destination = to.parse().unwrap();
    let naming = Naming::default();
    plan_rewrite(
        "text",
        text.as_bytes(),
        &Relocation::new(&destination, &naming),
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Rewrites, and rewrites again to see that nothing changes then.
fn rewritten(text: &str, to: &str) -> String {
    let out = plan(text, to).apply(text.as_bytes()).unwrap();
    let out = String::from_utf8(out).unwrap();
    let again = plan(&out, to);
    assert_eq!(again.edits, [], "a second run changes\n{out}");
    assert_eq!(again.apply(out.as_bytes()).unwrap(), out.as_bytes());
    out
}

fn digest() -> Digest {
    Digest::sha256(b"x")
}

/// Rewrites with a digest for every image.
fn pinned(text: &str, to: &str) -> (String, Rewrite) {
    let destination: Destination = to.parse().unwrap();
    let naming = Naming::default();
    let tags = plan(text, to);
    let mut pins = Pins::new();
    for (_, new) in &tags.replaced {
        pins.insert(new, digest(), None);
    }
    let mapping = Relocation::new(&destination, &naming).with_pins(&pins);
    let plan = plan_rewrite("text", text.as_bytes(), &mapping).unwrap();
    let out = String::from_utf8(plan.apply(text.as_bytes()).unwrap()).unwrap();
    let again = plan_rewrite("text", out.as_bytes(), &mapping).unwrap();
    assert_eq!(again.edits, [], "a second run changes\n{out}");
    (out, plan)
}

const POD: &str = "# A pod.\napiVersion: v1\nkind: Pod   # kind\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: a\n    image:   calico/node:v3.25.0  # default registry\n  - {name: b, image: 'quay.io/a/b:1',args: [\"--x-image=quay.io/c/d:2\", -v]}\n  - name: c\n    image: \"quay.io/e/f:3\"\n    env:\n    - name: RELATED_IMAGE_G\n      value: !!str quay.io/g/h:4\n  - name: d\n    image: >-\n      quay.io/i/j:5\n  - name: e\n    image: |\n      quay.io/k/l:6\n  - name: f\n    image: nginx\n";

#[test]
fn only_the_references_change() {
    let out = rewritten(POD, "r.corp:5000/mirror");
    let expected = POD
        .replace(
            "calico/node:v3.25.0",
            "r.corp:5000/mirror/calico/node:v3.25.0",
        )
        .replace("quay.io/", "r.corp:5000/mirror/")
        .replace("nginx\n", "r.corp:5000/mirror/library/nginx:latest\n");
    assert_eq!(out, expected);
}

#[test]
fn byte_order_marks_and_windows_line_ends_stay() {
    let text = format!("\u{feff}{}", POD.replace('\n', "\r\n"));
    let out = rewritten(&text, "r.corp:5000/mirror");
    let unix = rewritten(POD, "r.corp:5000/mirror");
    assert_eq!(out, format!("\u{feff}{}", unix.replace('\n', "\r\n")));
}

#[test]
fn digests_and_tags_with_digests_stay() {
    let digest = digest();
    let text = format!("- quay.io/a/b:1@{digest}\n- c/d@{digest}\n");
    assert_eq!(
        rewritten(&text, "r.io"),
        text.replace("- quay.io", "- r.io")
            .replace("- c", "- r.io/c")
    );
}

#[test]
fn a_plain_list_is_rewritten_line_by_line() {
    let text = "# images\n\n  quay.io/a/b:1   # why\r\nredis:7";
    assert_eq!(
        rewritten(text, "r:5/m"),
        "# images\n\n  r:5/m/a/b:1   # why\r\nr:5/m/library/redis:7"
    );
    assert_eq!(plan(text, "r.io").input, InputKind::List);
}

#[test]
fn a_reference_written_with_escapes_is_written_anew() {
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"image\":\"quay.io\\/a\\/b:1\",\"command\":[\"a\"]}]}}";
    assert_eq!(
        rewritten(text, "r.io"),
        text.replace("quay.io\\/a\\/b:1", "r.io/a/b:1")
    );
    let text = "- 'quay.io/a/b:1'\n- \"quay.io/\\\n   c/d:2\"\n";
    assert_eq!(
        rewritten(text, "r.io"),
        "- 'r.io/a/b:1'\n- \"r.io/c/d:2\"\n"
    );
}

#[test]
fn what_must_not_stand_without_quotes_gets_them() {
    let text = "image: {repository: quay.io/a/b, tag: v1}\n";
    let to = |reference: &Reference| {
        if reference.tag() == Some("1.30") {
            return Replacement::Keep;
        }
        Replacement::With("r.io/a/b:1.30".parse().unwrap())
    };
    let plan = plan_rewrite("t", text.as_bytes(), &to).unwrap();
    let out = plan.apply(text.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "image: {repository: r.io/a/b, tag: \"1.30\"}\n"
    );
}

#[test]
fn several_references_in_one_argument_change_together() {
    let text = "apiVersion: x.io/v1\nkind: X\nargs:\n- --all=a=quay.io/a/b:1,b=quay.io/a/b:1,c=quay.io/c/d:2\n";
    assert_eq!(rewritten(text, "r.io/m"), text.replace("quay.io", "r.io/m"));
}

#[test]
fn an_anchor_is_edited_once_and_only_if_all_its_places_are_images() {
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  initContainers:\n  - image: &i quay.io/a/b:1 # c\n  containers:\n  - image: *i\n";
    let change = plan(text, "r.io");
    assert_eq!((change.edits.len(), change.replaced.len()), (1, 2));
    assert_eq!(rewritten(text, "r.io"), text.replace("quay.io", "r.io"));

    let shared = text
        .replace("spec:\n", "spec:\n  hostname: &h quay.io/a/b:1\n")
        .replace("&i quay.io/a/b:1", "*h")
        .replace("*i", "*h");
    let change = plan(&shared, "r.io");
    assert_eq!(change.edits, []);
    let reasons: Vec<_> = change
        .not_understood
        .iter()
        .map(|left| &left.reason)
        .collect();
    assert_eq!(reasons, [&Reason::SharedValue, &Reason::SharedValue]);
}

const VALUES: &str = "\
# one field
a: {image: 'quay.io/a/b:1'}
# the usual two
c:
  image:
    repository: quay.io/c/d   # no registry of its own
    tag: v2
# three
e:
  image: {registry: docker.io, repository: e/f, tag: \"3\", digest: ''}
tigera: {image: tigera/operator, version: v1.42.3, registry: quay.io}
# no tag: the chart's version
g:
  image: {repository: quay.io/g/h, tag: \"\"}
cilium:
  image:
    override: ~
    repository: \"quay.io/cilium/cilium\"
    tag: \"v1.16.5\"
    digest: \"\"
    useDigest: false
";

#[test]
fn each_field_of_a_values_file_gets_its_part() {
    let expected = VALUES
        .replace("'quay.io/a/b:1'", "'r:5/m/a/b:1'")
        .replace("quay.io/c/d", "r:5/m/c/d")
        .replace(
            "registry: docker.io, repository: e/f",
            "registry: r:5, repository: m/e/f",
        )
        .replace(
            "image: tigera/operator, version: v1.42.3, registry: quay.io",
            "image: m/tigera/operator, version: v1.42.3, registry: r:5",
        )
        .replace("quay.io/g/h", "r:5/m/g/h")
        .replace("quay.io/cilium/cilium", "r:5/m/cilium/cilium");
    assert_eq!(rewritten(VALUES, "r:5/m"), expected);
}

#[test]
fn digests_go_where_the_chart_prints_them() {
    let (out, plan) = pinned(VALUES, "r:5/m");
    let digest = digest();
    let read = find("out", out.as_bytes()).unwrap();
    let references: Vec<_> = read
        .occurrences
        .iter()
        .map(|o| o.reference.to_string())
        .collect();
    assert_eq!(
        references,
        [
            format!("r:5/m/a/b:1@{digest}"),
            format!("r:5/m/c/d:v2@{digest}"),
            format!("r:5/m/e/f:3@{digest}"),
            format!("r:5/m/tigera/operator:v1.42.3@{digest}"),
            format!("r:5/m/cilium/cilium:v1.16.5@{digest}"),
        ]
    );
    assert!(out.contains(&format!("tag: v2@{digest}")), "{out}");
    assert!(
        out.contains(&format!("tag: \"3\", digest: '{digest}'")),
        "{out}"
    );
    assert!(out.contains("useDigest: true"), "{out}");
    assert_eq!(
        read.incomplete.len(),
        1,
        "a name without a tag gets no digest"
    );
    assert_eq!(plan.not_understood, []);

    let (out, _) = pinned(POD, "r.corp");
    assert_eq!(out.matches(&digest.to_string()).count(), 8);
}

#[test]
fn images_without_a_known_digest_are_listed_and_left() {
    let destination: Destination = "r.io".parse().unwrap();
    let naming = Naming::default();
    let mut pins = Pins::new();
    pins.insert(&"r.io/a/b:1".parse().unwrap(), digest(), None);
    let mapping = Relocation::new(&destination, &naming).with_pins(&pins);
    let text = "- quay.io/a/b:1\n- quay.io/c/d:2\n";
    let plan = plan_rewrite("t", text.as_bytes(), &mapping).unwrap();
    assert_eq!((plan.edits.len(), plan.unknown.len()), (1, 1));
    assert_eq!(plan.unknown[0].1, "no digest is known for r.io/c/d:2");
}

#[test]
fn a_hub_that_images_share_changes_for_all_of_them_or_for_none() {
    let text = "global: {hub: docker.io/istio, tag: 1.24.0, variant: distroless}\npilot: {image: pilot}\nproxy: {image: proxyv2}\n";
    assert_eq!(
        rewritten(text, "r:5/m"),
        text.replace("docker.io/istio", "r:5/m/istio")
    );
    assert_eq!(plan(text, "r:5/m").edits.len(), 1);

    // One image that stays where it is keeps the hub where it is.
    let split = |reference: &Reference| match reference.repository() {
        "istio/pilot" => Replacement::With("r:5/m/istio/pilot:1.24.0-distroless".parse().unwrap()),
        _ => Replacement::Unknown("not in the bundle".to_owned()),
    };
    let plan = plan_rewrite("t", text.as_bytes(), &split).unwrap();
    assert_eq!(plan.edits, []);
    assert_eq!(plan.unknown.len(), 1);
    assert_eq!(plan.not_understood.len(), 1);
    assert_eq!(plan.not_understood[0].reason, Reason::SharedValue);
}

#[test]
fn edits_say_what_changes_where_and_why() {
    let plan = plan(POD, "r.corp:5000/mirror");
    let edit = &plan.edits[0];
    assert_eq!((edit.line, edit.column), (9, 14));
    assert_eq!(edit.old, "calico/node:v3.25.0");
    assert_eq!(&POD[edit.span.clone()], edit.old);
    assert_eq!(edit.new, "r.corp:5000/mirror/calico/node:v3.25.0");
    assert_eq!(
        edit.why,
        "Pod/p .spec.containers[0].image: docker.io/calico/node:v3.25.0 becomes r.corp:5000/mirror/calico/node:v3.25.0"
    );
}

#[test]
fn another_text_than_the_planned_one_is_not_edited() {
    let plan = plan(POD, "r.io");
    let other = POD.replace("kind: Pod", "kind: Rod");
    assert_eq!(plan.apply(other.as_bytes()), Err(RewriteError::Changed));
    assert_eq!(plan.apply(b""), Err(RewriteError::Changed));
}

#[test]
fn templates_are_refused_before_anything_is_planned() {
    let text = POD.replace("nginx", "\"{{ .Values.image }}\"");
    let settled = |_: &Reference| Replacement::Keep;
    let error = plan_rewrite("pod.yaml", text.as_bytes(), &settled).unwrap_err();
    assert!(error.to_string().contains("helm template"), "{error}");
}

#[test]
fn a_registry_that_would_read_as_a_path_on_docker_hub_is_not_written() {
    let plan = plan("- quay.io/a/b:1\n", "harbor/mirror");
    assert_eq!(plan.edits, []);
    assert!(
        plan.unknown[0].1.contains("a domain or a port"),
        "{}",
        plan.unknown[0].1
    );
}

#[test]
fn an_address_in_brackets_gets_quotes() {
    let plan = plan("a: {image: quay.io/a/b:1}\n", "[::1]:5000/m");
    let out = plan.apply(b"a: {image: quay.io/a/b:1}\n").unwrap();
    assert_eq!(out, b"a: {image: \"[::1]:5000/m/a/b:1\"}\n");
}

#[test]
fn references_inside_of_blocks_change_in_their_lines() {
    let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  pod.yaml: |\n    apiVersion: v1\n    kind: Pod\n    spec:\n      containers:\n      - image: 'quay.io/a/b:1' # one\n      - image: quay.io/a/b:1\n\n  other: x\n";
    assert_eq!(rewritten(text, "r.io/m"), text.replace("quay.io", "r.io/m"));
    let windows = text.replace('\n', "\r\n");
    assert_eq!(
        rewritten(&windows, "r.io/m"),
        windows.replace("quay.io", "r.io/m")
    );

    let values = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  valuesContent: |\n    image: {repository: quay.io/a/b, tag: v1}\n";
    let plan = plan(values, "r.io");
    assert_eq!(plan.edits, []);
    assert_eq!(plan.not_understood[0].reason, Reason::Unwritable);
}
