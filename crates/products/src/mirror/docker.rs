//! Docker: `registry-mirrors` in `daemon.json` replace only Docker Hub, and have no path.

use serde_json::json;

use super::names::{prefixes, scheme};
use super::request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};
use crate::file::OutputFile;

const DOCKER_HUB: &str = "docker.io";

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    if request.destination.path().is_some() {
        return Err(MirrorError::Path {
            destination: request.destination.to_string(),
        });
    }
    let hub: Vec<_> = request
        .images
        .iter()
        .filter(|image| image.registry() == DOCKER_HUB)
        .cloned()
        .collect();
    let first = hub.first().ok_or(MirrorError::NoDockerHub)?;
    let narrowed = MirrorRequest {
        images: &hub,
        ..*request
    };
    if prefixes(MirrorFormat::Docker, &narrowed)?
        .values()
        .any(Option::is_some)
    {
        return Err(MirrorError::Naming {
            format: MirrorFormat::Docker,
            image: first.to_string(),
            loaded: request
                .naming
                .reference_at(first, request.destination)?
                .to_string(),
            expected: "keep",
        });
    }
    let registry = request.destination.registry();
    let mut value = json!({ "registry-mirrors": [format!("{}://{registry}", scheme(request))] });
    if request.plain_http {
        value["insecure-registries"] = json!([registry]);
    }
    let mut notes =
        vec!["merge daemon.json into /etc/docker/daemon.json and reload the daemon".to_owned()];
    let others: Vec<String> = request
        .images
        .iter()
        .filter(|image| image.registry() != DOCKER_HUB)
        .map(ToString::to_string)
        .collect();
    if !others.is_empty() {
        notes.push(format!("Docker mirrors only docker.io; these images cannot be pulled unless manifests are rewritten: {}", others.join(", ")));
    }
    Ok(MirrorFiles {
        files: vec![OutputFile::text("daemon.json", format!("{value:#}\n"))],
        notes,
    })
}
