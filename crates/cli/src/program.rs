//! The running program as a file that a bundle carries, and how to get it out with `tar` alone.

use std::env;
use std::env::consts::{ARCH, OS};

use sealift_archive::Program;
use sealift_bundle::FileRequest;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;

/// The name of the file.
const NAME: &str = "sealift";

/// The running program as a file to carry.
pub(crate) fn running() -> Result<FileRequest, Failure> {
    let path = env::current_exe().map_err(|error| {
        Failure::message(
            Exit::Failed,
            format!("cannot find the running program: {error}"),
        )
    })?;
    if !cfg!(target_feature = "crt-static") {
        progress::warn(
            "the running program, which the bundle will contain, is linked dynamically: it needs a C library that is at least as new as this system's",
        );
    }
    let architecture = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Ok(FileRequest {
        path,
        name: Some(NAME.to_owned()),
        program: Some(format!("{}-{OS}-{architecture}", env!("CARGO_PKG_VERSION"))),
    })
}

/// How to get `program` out of the bundle at `path` where no sealift is installed.
pub(crate) fn words(path: &str, program: &Program) -> [String; 2] {
    [
        format!(
            "{} {} is included; to extract it without sealift:",
            program.name,
            program.reference.tag().unwrap_or_default()
        ),
        format!(
            "    tar -xOf {} {} > {NAME} && chmod +x {NAME}",
            argument(path),
            program.entry
        ),
    ]
}

/// `path` as one word of a shell that tar takes for a file: not for an option, and not for a host.
fn argument(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._/+=@%,:-".contains(c);
    let path = if path.starts_with('-') || (path.contains(':') && !path.starts_with(['/', '.'])) {
        format!("./{path}")
    } else {
        path.to_owned()
    };
    if !path.is_empty() && path.chars().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_argument_that_names_a_file() {
        for (path, expected) in [
            ("calico.tar", "calico.tar"),
            ("/media/usb 1/a.tar", "'/media/usb 1/a.tar'"),
            ("it's.tar", r"'it'\''s.tar'"),
            ("-x.tar", "./-x.tar"),
            ("2026:11.tar", "./2026:11.tar"),
        ] {
            assert_eq!(argument(path), expected);
        }
    }
}
