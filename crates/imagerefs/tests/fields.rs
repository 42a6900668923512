//! Fields in the `spec` of a custom resource.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{data, yaml_files};
use sealift_imagerefs::{Reason, SpecFields, plan_spec_fields};

const FIELDS: &[(&str, &str)] = &[
    ("registry", "r.corp:5000/m/"),
    ("imagePath", ""),
    ("imagePrefix", "pre-"),
];

fn wanted(pull_secret: Option<&str>) -> SpecFields<'_> {
    SpecFields {
        group: "operator.tigera.io",
        kind: "Installation",
        fields: FIELDS,
        pull_secret,
    }
}

/// Sets the fields, and again to see that nothing changes then.
fn set(text: &str, pull_secret: Option<&str>) -> String {
    let wanted = wanted(pull_secret);
    let plan = plan_spec_fields("t", text.as_bytes(), &wanted).unwrap();
    assert_eq!(plan.not_understood, [], "{text}");
    assert_eq!(plan.resources, 1, "{text}");
    let out = plan.apply(text.as_bytes(), &wanted).unwrap();
    let again = plan_spec_fields("t", &out, &wanted).unwrap();
    assert_eq!((again.edits.len(), again.resources), (0, 1));
    String::from_utf8(out).unwrap()
}

const HEAD: &str =
    "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {name: default}\n";

#[test]
fn missing_fields_go_below_the_key_and_comments_stay_with_theirs() {
    let text = format!("{HEAD}spec: # mine\n  # The network.\n  calicoNetwork:\n    ipPools: []\n");
    let expected = text.replace(
        "# mine\n",
        "# mine\n  registry: \"r.corp:5000/m/\"\n  imagePrefix: \"pre-\"\n  imagePullSecrets: [{name: \"corp\"}]\n",
    );
    assert_eq!(set(&text, Some("corp")), expected);
    let windows = text.replace('\n', "\r\n");
    assert_eq!(set(&windows, Some("corp")), expected.replace('\n', "\r\n"));
    let marked = format!("\u{feff}{text}");
    assert_eq!(set(&marked, Some("corp")), format!("\u{feff}{expected}"));
}

#[test]
fn fields_that_are_there_get_their_text_and_what_is_not_wanted_is_cleared() {
    for (spec, expected) in [
        (
            "  registry: quay.io # old\n  imagePath: 'x'\n  variant: Calico\n",
            "  imagePrefix: \"pre-\"\n  registry: \"r.corp:5000/m/\" # old\n  imagePath: \"\"\n  variant: Calico\n",
        ),
        (
            "  imagePrefix: pre-\n  registry: r.corp:5000/m/\n",
            "  imagePrefix: pre-\n  registry: r.corp:5000/m/\n",
        ),
    ] {
        let text = format!("{HEAD}spec:\n{spec}");
        assert_eq!(set(&text, None), format!("{HEAD}spec:\n{expected}"));
    }
    let flow = format!("{HEAD}spec: {{}}\n");
    assert_eq!(
        set(&flow, None),
        format!("{HEAD}spec: {{registry: \"r.corp:5000/m/\", imagePrefix: \"pre-\"}}\n")
    );
    let flow = format!("{HEAD}spec: {{variant: Calico, imagePullSecrets: [{{name: a}}]}}\n");
    assert_eq!(
        set(&flow, Some("b")),
        format!(
            "{HEAD}spec: {{registry: \"r.corp:5000/m/\", imagePrefix: \"pre-\", variant: Calico, imagePullSecrets: [{{name: b}}, {{name: a}}]}}\n"
        )
    );
}

#[test]
fn nothing_is_replaced_where_it_stands() {
    let all = "registry: \"r.corp:5000/m/\", imagePrefix: \"pre-\"";
    for (spec, expected) in [
        ("spec:\n", format!("spec: {{{all}}}\n")),
        ("spec: ~ # none\n", format!("spec: {{{all}}} # none\n")),
        (
            "spec:\n  registry:\n  imagePrefix: null\n",
            "spec:\n  registry: \"r.corp:5000/m/\"\n  imagePrefix: \"pre-\"\n".to_owned(),
        ),
    ] {
        let text = format!("{HEAD}{spec}");
        assert_eq!(set(&text, None), format!("{HEAD}{expected}"));
    }
}

#[test]
fn json_stays_json() {
    for (spec, expected) in [
        (
            "{}",
            r#"{"registry": "r.corp:5000/m/", "imagePrefix": "pre-", "imagePullSecrets": [{"name": "corp"}]}"#,
        ),
        (
            "{\n    \"imagePullSecrets\": [\n      {\"name\": \"a\"}\n    ]\n  }",
            "{\n    \"registry\": \"r.corp:5000/m/\",\n    \"imagePrefix\": \"pre-\",\n    \"imagePullSecrets\": [\n      {\"name\": \"corp\"},\n      {\"name\": \"a\"}\n    ]\n  }",
        ),
        (
            r#"{"registry": null, "imagePrefix": "pre-", "imagePullSecrets": null}"#,
            r#"{"registry": "r.corp:5000/m/", "imagePrefix": "pre-", "imagePullSecrets": [{"name": "corp"}]}"#,
        ),
    ] {
        let resource = |spec: &str| {
            format!(
                r#"{{"apiVersion": "operator.tigera.io/v1", "kind": "Installation", "spec": {spec}}}"#
            )
        };
        let text = set(&resource(spec), Some("corp"));
        assert_eq!(text, resource(expected));
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

#[test]
fn items_of_a_list_get_their_fields() {
    let item = |fields: &str| {
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n- apiVersion: operator.tigera.io/v1\n  kind: Installation\n  spec:\n{fields}    variant: Calico\n"
        )
    };
    assert_eq!(
        set(&item(""), None),
        item("    registry: \"r.corp:5000/m/\"\n    imagePrefix: \"pre-\"\n")
    );
}

#[test]
fn one_that_cannot_be_edited_does_not_stop_the_others() {
    let text = format!("{HEAD}---\n{HEAD}spec: {{}}\n");
    let wanted = wanted(None);
    let plan = plan_spec_fields("t", text.as_bytes(), &wanted).unwrap();
    assert_eq!((plan.resources, plan.not_understood.len()), (1, 1));
    let out = plan.apply(text.as_bytes(), &wanted).unwrap();
    let expected = text.replace(
        "{}",
        "{registry: \"r.corp:5000/m/\", imagePrefix: \"pre-\"}",
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn other_resources_and_other_groups_are_left_alone() {
    for text in [
        "apiVersion: operator.tigera.io/v1\nkind: APIServer\nspec: {}\n",
        "apiVersion: other.io/v1\nkind: Installation\nspec: {}\n",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    kind: Installation\n    spec: {}\n",
    ] {
        let wanted = wanted(Some("corp"));
        let plan = plan_spec_fields("t", text.as_bytes(), &wanted).unwrap();
        assert_eq!((plan.edits.len(), plan.resources), (0, 0));
        assert_eq!(
            plan.apply(text.as_bytes(), &wanted).unwrap(),
            text.as_bytes()
        );
    }
}

#[test]
fn what_cannot_be_edited_in_place_is_listed() {
    for (spec, reason) in [
        ("", Reason::NoField("spec")),
        ("spec: text\n", Reason::Unwritable),
        ("spec:\n  registry: |\n    quay.io\n", Reason::Unwritable),
        ("spec: &s\n  a: b\nother: *s\n", Reason::SharedValue),
        (
            "spec:\n  a: &r quay.io\n  registry: *r\n",
            Reason::SharedValue,
        ),
    ] {
        let text = format!("{HEAD}{spec}");
        let wanted = wanted(None);
        let plan = plan_spec_fields("t", text.as_bytes(), &wanted).unwrap();
        assert_eq!(plan.edits, [], "{spec}");
        assert_eq!(plan.not_understood[0].reason, reason, "{spec}");
    }
    let name = plan_spec_fields("t", b"a: b\n", &wanted(Some("A B"))).unwrap_err();
    assert!(name.to_string().contains("secret's name"), "{name}");
    assert!(plan_spec_fields("t", b"a: [\n", &wanted(None)).is_err());
    let odd = SpecFields {
        fields: &[("registry", "a\"b")],
        ..wanted(None)
    };
    let text = format!("{HEAD}spec: {{}}\n");
    let plan = plan_spec_fields("t", text.as_bytes(), &odd).unwrap();
    assert_eq!(plan.not_understood.len(), 1);
}

#[test]
fn the_installations_of_calicos_releases_get_their_fields_and_nothing_else() {
    let Some(data) = data() else { return };
    let mut installations = 0;
    for path in yaml_files(&data.join("calico/manifests")) {
        let before = fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        let wanted = wanted(Some("corp"));
        let plan = plan_spec_fields(&name, before.as_bytes(), &wanted).unwrap();
        assert_eq!(plan.not_understood, [], "{name}");
        let after = plan.apply(before.as_bytes(), &wanted).unwrap();
        let after = String::from_utf8(after).unwrap();
        let ours = [
            "  registry: \"r.corp:5000/m/\"",
            "  imagePrefix: \"pre-\"",
            "  imagePullSecrets: [{name: \"corp\"}]",
        ];
        let left: Vec<&str> = after.lines().filter(|line| !ours.contains(line)).collect();
        assert_eq!(left, before.lines().collect::<Vec<_>>(), "{name}");
        let added = after.lines().count() - before.lines().count();
        assert_eq!(added, 3 * plan.resources, "{name}");
        installations += plan.resources;
    }
    assert!(installations >= 8, "{installations}");
}
