//! The configuration of an image, as its publisher wrote it.

use std::collections::BTreeMap;

use oci_spec::image::{Config, History, ImageConfiguration};
use serde::Serialize;

use crate::json::{JsonError, check_json};

/// What the configuration of an image says (image-spec, `config.md`), as far as people ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageConfig {
    /// When it was built, as RFC 3339 writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who is responsible for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The user that it runs as, if it is not root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The program that it runs, with arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Arguments that are given to the entrypoint unless others are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The folder that it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Variables, as `NAME=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Ports that it listens on, such as `8080/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Folders that hold data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The steps in which it was built, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<BuildStep>,
}

/// A step in which an image was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildStep {
    /// When, as RFC 3339 writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// What its author said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether it made a layer.
    pub layer: bool,
}

/// Why a configuration is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageConfigError {
    /// It is not JSON that every reader understands alike.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is not what the specification describes.
    #[error("{0}")]
    Malformed(String),
}

impl ImageConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// If it is not JSON, or a field has another type than the specification gives it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageConfigError> {
        check_json(bytes)?;
        let parsed: ImageConfiguration = serde_json::from_slice(bytes)
            .map_err(|error| ImageConfigError::Malformed(error.to_string()))?;
        let steps = parsed.history().iter().flatten();
        let mut config = Self {
            created: filled(parsed.created().as_ref()),
            author: filled(parsed.author().as_ref()),
            history: steps.map(step).collect(),
            ..Self::default()
        };
        if let Some(execution) = parsed.config() {
            config.add(execution);
        }
        Ok(config)
    }

    fn add(&mut self, execution: &Config) {
        let list = |values: &Option<Vec<String>>| values.clone().unwrap_or_default();
        let sorted = |values: &Option<Vec<String>>| {
            let mut values = list(values);
            values.sort();
            values
        };
        self.user = filled(execution.user().as_ref());
        self.entrypoint = list(execution.entrypoint());
        self.command = list(execution.cmd());
        self.working_dir = filled(execution.working_dir().as_ref());
        self.environment = list(execution.env());
        self.ports = sorted(execution.exposed_ports());
        self.volumes = sorted(execution.volumes());
        let labels = execution.labels().iter().flatten();
        self.labels = labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
    }
}

fn step(history: &History) -> BuildStep {
    BuildStep {
        created: filled(history.created().as_ref()),
        created_by: filled(history.created_by().as_ref()),
        comment: filled(history.comment().as_ref()),
        layer: !history.empty_layer().unwrap_or_default(),
    }
}

/// A text that says something: builders write empty ones for what is not set.
fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_ask_for_is_read() {
        let config = ImageConfig::parse(
            br#"{
                "created": "2026-01-02T03:04:05Z", "author": "", "architecture": "amd64", "os": "linux",
                "config": {
                    "User": "1001", "Entrypoint": ["/app"], "Cmd": null, "Env": ["PATH=/bin"],
                    "ExposedPorts": {"9090/tcp": {}, "8080/tcp": {}}, "Volumes": null, "WorkingDir": "",
                    "Labels": {"b": "2", "a": "1"}, "OnBuild": null
                },
                "rootfs": {"type": "layers", "diff_ids": []},
                "history": [{"created_by": "COPY /app /app"}, {"created_by": "USER 1001", "empty_layer": true}],
                "moby.buildkit.trace": 1
            }"#,
        )
        .unwrap();
        assert_eq!(config.created.as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(config.author, None);
        assert_eq!(config.user.as_deref(), Some("1001"));
        assert_eq!(config.entrypoint, ["/app"]);
        assert!(config.command.is_empty());
        assert_eq!(config.ports, ["8080/tcp", "9090/tcp"]);
        let labels: Vec<&str> = config.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, ["a", "b"]);
        let layers: Vec<bool> = config.history.iter().map(|step| step.layer).collect();
        assert_eq!(layers, [true, false]);
    }

    #[test]
    fn what_is_not_a_configuration_is_refused() {
        for bytes in [
            &b"{}"[..],
            b"[]",
            b"{",
            b"{\"os\":\"linux\",\"os\":\"plan9\"}",
            b"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":7}",
        ] {
            assert!(ImageConfig::parse(bytes).is_err());
        }
    }
}
