//! containerd: `hosts.toml` in a folder named after the registry (docs/hosts.md of containerd).
//!
//! A host without a path is asked at `/v2/`. With a path it has to hold the `/v2` itself, and
//! `override_path` says so; without that containerd would append another one.

use super::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest, prefixes, scheme};
use crate::OutputFile;

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    let base = format!("{}://{}", scheme(request), request.destination.registry());
    let files = prefixes(MirrorFormat::Containerd, request)?
        .into_iter()
        .map(|(registry, prefix)| {
            OutputFile::text(
                format!("certs.d/{registry}/hosts.toml"),
                hosts(&base, prefix.as_deref()),
            )
        })
        .collect();
    Ok(MirrorFiles {
        files,
        notes: vec![
            "copy certs.d to /etc/containerd/ on every node; config_path in containerd's config.toml must name /etc/containerd/certs.d".to_owned(),
            "hosts.toml is read at every pull; only a change of config_path needs a restart of containerd".to_owned(),
            "a private CA is added to each hosts.toml as ca = \"/etc/containerd/certs.d/ca.crt\"".to_owned(),
        ],
    })
}

fn hosts(base: &str, prefix: Option<&str>) -> String {
    match prefix {
        None => format!("[host.\"{base}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"),
        Some(prefix) => format!(
            "[host.\"{base}/v2/{prefix}\"]\ncapabilities = [\"pull\", \"resolve\"]\noverride_path = true\n"
        ),
    }
}
