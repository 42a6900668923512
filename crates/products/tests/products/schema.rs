//! As much of a structural schema as Kubernetes uses to refuse a resource: types, required and unknown
//! fields, enumerations, patterns of the simplest kind.

use serde_json::Value;

use crate::shared::upstream;

/// The schema of a kind in one of upstream's manifests.
pub(crate) fn schema(path: &str, kind: &str) -> Option<Value> {
    let bytes = upstream(path)?;
    let documents = sealift_yaml::documents(path, &bytes).unwrap();
    let definition = documents.iter().find(|document| {
        document["kind"] == "CustomResourceDefinition"
            && document["spec"]["names"]["kind"] == kind
            && document["spec"]["group"] == "operator.tigera.io"
    });
    Some(definition.unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

/// What is wrong with a value, with the places; `partial` for merge patches, which need not be complete.
pub(crate) fn faults(schema: &Value, value: &Value, partial: bool) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, value, partial, ".", &mut faults);
    faults
}

fn check(schema: &Value, value: &Value, partial: bool, place: &str, faults: &mut Vec<String>) {
    let expected = schema["type"].as_str().unwrap_or("object");
    let fits = match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        _ => value.is_number(),
    };
    if !fits {
        faults.push(format!("{place}: {value} is no {expected}"));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{place}: {value} is not one of {allowed:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        check(
            &schema["items"],
            item,
            partial,
            &format!("{place}[]"),
            faults,
        );
    }
    let Some(map) = value.as_object() else { return };
    for required in schema["required"].as_array().into_iter().flatten() {
        if !partial && !map.contains_key(required.as_str().unwrap()) {
            faults.push(format!("{place}: {required} is missing"));
        }
    }
    // Metadata has the schema of every object.
    let open = schema["additionalProperties"].is_object()
        || place == ".metadata"
        || schema["x-kubernetes-preserve-unknown-fields"] == true;
    for (key, inner) in map {
        match schema["properties"].get(key) {
            Some(property) => {
                let below = if place == "." {
                    format!(".{key}")
                } else {
                    format!("{place}.{key}")
                };
                check(property, inner, partial, &below, faults);
            }
            None if open => {}
            None => faults.push(format!("{place}: unknown field {key}")),
        }
    }
}

#[test]
fn the_checker_sees_what_kubernetes_would_refuse() {
    let schema = serde_json::json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string", "enum": ["x"]},
        "b": {"type": "array", "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}}},
    }});
    let faults = |value: Value| faults(&schema, &value, false).len();
    assert_eq!(faults(serde_json::json!({"a": "x", "b": [{"n": "1"}]})), 0);
    assert_eq!(faults(serde_json::json!({"a": "y"})), 1);
    assert_eq!(faults(serde_json::json!({"b": [{}]})), 2);
    assert_eq!(faults(serde_json::json!({"a": "x", "c": 1})), 1);
    assert_eq!(faults(serde_json::json!({"a": 1})), 1);
}
