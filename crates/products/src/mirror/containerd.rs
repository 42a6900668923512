//! containerd: `hosts.toml` in a folder named after the registry (docs/hosts.md of containerd).
//!
//! A host without a path is asked at `/v2/`. A host with a path has to contain the `/v2` itself, marked by
//! `override_path`; otherwise containerd would append another one.

use super::names::{prefixes, scheme};
use super::request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};
use crate::file::OutputFile;

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    let base = format!("{}://{}", scheme(request), request.destination.registry());
    let files = prefixes(MirrorFormat::Containerd, request)?
        .into_iter()
        .map(|(registry, prefix)| {
            OutputFile::text(
                format!("{registry}/hosts.toml"),
                hosts(&base, prefix.as_deref()),
            )
        })
        .collect();
    Ok(MirrorFiles {
        files,
        notes: vec![
            "copy these folders into /etc/containerd/certs.d on every node; config_path in containerd's config.toml must name /etc/containerd/certs.d".to_owned(),
            "containerd reads hosts.toml at every pull; only a change of config_path needs a restart".to_owned(),
            "for a private CA add ca = \"/etc/containerd/certs.d/ca.crt\" to each hosts.toml".to_owned(),
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
