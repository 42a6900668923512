//! containers-registries.conf(5), version 2: `prefix` is replaced by the mirror's `location`.

use std::fmt::Write as _;

use super::names::scopes;
use super::request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};
use crate::file::OutputFile;

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    let mut text = String::new();
    for (source, mirror) in scopes(MirrorFormat::RegistriesConf, request)? {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = write!(
            text,
            "[[registry]]\nprefix = \"{source}\"\nlocation = \"{source}\"\n\n[[registry.mirror]]\nlocation = \"{mirror}\"\n"
        );
        if request.plain_http {
            text.push_str("insecure = true\n");
        }
    }
    Ok(MirrorFiles {
        files: vec![OutputFile::text("registries.conf", text)],
        notes: vec![
            "copy registries.conf to /etc/containers/registries.conf.d/90-sealift.conf on every node, and reload CRI-O".to_owned(),
            "put a private CA into /etc/containers/certs.d/HOST:PORT/ca.crt".to_owned(),
        ],
    })
}
