//! The release's manifests that go into the folder: which of the things that have an order among the steps
//! each of them contains.

use serde_json::Value;

use super::pull_secret::{API_SERVER_NAMESPACE, OPERATOR_NAMESPACE};

/// The API group of the operator's resources.
const GROUP: &str = "operator.tigera.io";

/// What runs on each node in the manifests for installations without the operator.
const NODE_DAEMON_SETS: [&str; 2] = ["calico-node", "canal"];

/// A manifest that goes into the folder.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a manifest can contain any combination of them"
)]
pub struct Manifest {
    /// Its file name there.
    pub name: String,
    /// Whether it contains the Installation resource.
    pub installation: bool,
    /// Whether it contains the operator's Deployment.
    pub operator: bool,
    /// Whether it contains definitions of the operator's resources.
    pub definitions: bool,
    /// Whether it contains something in the API server's own namespace.
    pub api_server: bool,
    /// Whether it contains the workloads of an installation without the operator.
    pub without_operator: bool,
}

impl Manifest {
    /// Reads what a manifest contains. A text that is not YAML contains none of it.
    pub fn read(name: &str, bytes: &[u8]) -> Self {
        let mut manifest = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        for document in sealift_yaml::documents(name, bytes).unwrap_or_default() {
            manifest.add(&document);
        }
        manifest
    }

    fn add(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or_default();
        if let (true, Some(items)) = (
            kind.ends_with("List"),
            object.get("items").and_then(Value::as_array),
        ) {
            for item in items {
                self.add(item);
            }
            return;
        }
        let name = text("/metadata/name").unwrap_or_default();
        let own_group = text("/apiVersion")
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(group, _)| group == GROUP);
        match kind {
            "Installation" => self.installation |= own_group,
            "Deployment" => self.operator |= name == OPERATOR_NAMESPACE,
            // The operator creates its own.
            "DaemonSet" => self.without_operator |= NODE_DAEMON_SETS.contains(&name),
            "CustomResourceDefinition" => self.definitions |= text("/spec/group") == Some(GROUP),
            "Namespace" => self.api_server |= name == API_SERVER_NAMESPACE,
            _ => {}
        }
        self.api_server |= text("/metadata/namespace") == Some(API_SERVER_NAMESPACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_known_by_what_it_contains_and_not_by_its_name() {
        let text = "\
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: tigera-operator, namespace: tigera-operator}}
- {apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: imagesets.operator.tigera.io}
spec: {group: operator.tigera.io}
";
        let manifest = Manifest::read("all.yaml", text.as_bytes());
        assert!(manifest.installation && manifest.operator && manifest.definitions);
        assert!(!manifest.api_server);
        let other = "kind: Installation\napiVersion: other/v1\n---\nkind: Namespace\nmetadata: {name: calico-apiserver}\n";
        let manifest = Manifest::read("other.yaml", other.as_bytes());
        assert!(manifest.api_server && !manifest.installation);
        assert_eq!(
            Manifest::read("x", b"{").installation,
            Manifest::default().installation
        );
    }
}
