//! The Debian package: an `ar` archive of two tars, as `deb(5)` describes it.

use std::error::Error;

use super::package::{Packaged, gzip, tar};

/// What the package says of itself.
pub(super) struct Control<'a> {
    /// The version, without Debian's revision.
    pub(super) version: &'a str,
    /// Debian's name of the architecture: `amd64`.
    pub(super) architecture: &'a str,
    /// Where the project is.
    pub(super) homepage: &'a str,
}

/// The package of `files`, whose paths are relative to the root of the system; everything in it has the
/// time `time` (seconds since 1970).
pub(super) fn deb(
    control: &Control<'_>,
    files: &[Packaged],
    time: u64,
) -> Result<Vec<u8>, Box<dyn Error>> {
    // Without a list of checksums, dpkg makes its own when it unpacks.
    let members = [Packaged::new("control", control.text(files))];
    let mut out = b"!<arch>\n".to_vec();
    member(&mut out, "debian-binary", b"2.0\n", time)?;
    member(
        &mut out,
        "control.tar.gz",
        &gzip(&tar(&members, "./", time)?)?,
        time,
    )?;
    member(
        &mut out,
        "data.tar.gz",
        &gzip(&tar(files, "./", time)?)?,
        time,
    )?;
    Ok(out)
}

impl Control<'_> {
    fn text(&self, files: &[Packaged]) -> String {
        let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
        format!(
            "\
Package: sealift
Version: {}-1
Architecture: {}
Maintainer: The sealift authors <sealift@example.invalid>
Installed-Size: {}
Section: admin
Priority: optional
Homepage: {}
Description: carries container images across an air gap
 sealift writes container images, with their signatures, attestations and
 SBOMs, to one file, and loads that file into a registry on the other side.
 Every digest stays the publisher's.
",
            self.version,
            self.architecture,
            bytes.div_ceil(1024),
            self.homepage
        )
    }
}

/// Appends a member: a header of 60 bytes, the content, and a line feed where its length is odd.
fn member(out: &mut Vec<u8>, name: &str, content: &[u8], time: u64) -> Result<(), Box<dyn Error>> {
    let header = format!(
        "{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`\n",
        0,
        0,
        "100644",
        content.len()
    );
    if header.len() != 60 {
        return Err(format!("{name} does not fit an ar archive").into());
    }
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(content);
    if content.len() % 2 == 1 {
        out.push(b'\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use sealift_testkit::real::{require, run_ok};

    use super::*;

    #[test]
    fn dpkg_reads_the_package_and_its_files() {
        let Some(dpkg) = require("dpkg-deb") else {
            return;
        };
        let mut program = Packaged::new("usr/bin/sealift", "a program");
        program.executable = true;
        let files = [
            Packaged::new("usr/share/doc/sealift/copyright", "MIT"),
            program,
        ];
        let control = Control {
            version: "1.2.3",
            architecture: "amd64",
            homepage: "https://example.invalid/",
        };
        let bytes = deb(&control, &files, 86_400).unwrap();
        assert_eq!(bytes, deb(&control, &files, 86_400).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealift.deb");
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        let version = run_ok(&dpkg, &["--field", path, "Version"]);
        assert_eq!(version.trim(), "1.2.3-1");
        let list = Command::new(&dpkg)
            .args(["--contents", path])
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let line = list.lines().find(|line| line.ends_with("usr/bin/sealift"));
        let line = line.unwrap_or_else(|| panic!("{list}"));
        assert!(line.starts_with("-rwxr-xr-x 0/0"), "{line}");
        assert!(line.contains("1970-01-02"), "{line}");
    }
}
