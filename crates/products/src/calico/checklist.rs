//! `CHECKLIST.md`: what a second person compares and signs.

use std::fmt::Write as _;

use super::request::ApplyRequest;
use super::steps::word;
use super::target::{Proof, ProvedBy};
use crate::file::OutputFile;
use crate::version::Version;

/// The checklist for the files of one request.
pub(super) fn checklist(
    request: &ApplyRequest<'_>,
    proof: &Proof,
    files: &[OutputFile],
) -> OutputFile {
    let operator = request.release.operator.as_ref();
    let mut text = format!(
        "# Checklist: Calico {} at {}\n\n- [ ] Operator {}, images named by the rule `{}`.\n",
        request.release.version,
        request.target.destination(),
        operator.map_or("none", Version::as_str),
        request.target.rule(),
    );
    if let Some(identity) = request.identity {
        let _ = writeln!(
            text,
            "- [ ] `sealift verify {}` prints the bundle's identity `{identity}`.",
            word(request.bundle)
        );
    }
    let fields = &proof.fields;
    let _ = writeln!(
        text,
        "- [ ] Installation: `registry: {}`, `imagePath: {}`, `imagePrefix: {}`.",
        fields.registry,
        fields.image_path.as_deref().unwrap_or("(none)"),
        fields.image_prefix.as_deref().unwrap_or("(none)")
    );
    reviewed(request, files, &mut text);
    images(request, proof, &mut text);
    text.push_str("\nPrepared by: ____________________  Date: ____________\n\nChecked by: _____________________  Date: ____________\n");
    OutputFile::text("CHECKLIST.md", text)
}

fn reviewed(request: &ApplyRequest<'_>, files: &[OutputFile], text: &mut String) {
    for manifest in request.manifests {
        let _ = writeln!(text, "- [ ] `{}` was reviewed.", manifest.name);
    }
    for file in files {
        let how = if file.secret {
            "contains credentials: readable only by its owner, deleted after use"
        } else {
            "was reviewed"
        };
        let _ = writeln!(text, "- [ ] `{}` {how}.", file.name);
    }
}

fn images(request: &ApplyRequest<'_>, proof: &Proof, text: &mut String) {
    text.push_str("\n## Images\n\nThe registry serves each of these with the digest given.\n\n| | source | destination | requested by | digest |\n|---|---|---|---|---|\n");
    for row in &proof.rows {
        let digest = request.digests.get(&row.image);
        let _ = writeln!(
            text,
            "| [ ] | {} | {} | {} | {} |",
            row.image,
            row.loaded,
            match row.by {
                ProvedBy::Operator => "the operator",
                ProvedBy::Manifest => "a manifest",
            },
            digest.map_or_else(|| "see the receipt".to_owned(), ToString::to_string)
        );
    }
}
