//! dpkg's `status` and the files of `status.d`: stanzas of `Field: value` lines.

use super::{Database, report};
use crate::bytes::field;
use crate::limits::MAX_PACKAGES;
use crate::package::{Package, PackageKind};

#[derive(Default)]
struct Stanza<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: &'a [u8],
    source: &'a [u8],
    status: Option<&'a [u8]>,
}

pub(super) fn read(bytes: &[u8]) -> Database {
    let mut database = Database::default();
    let mut stanza = Stanza::default();
    let mut offset = 0;
    for line in bytes.split(|&byte| byte == b'\n') {
        if line.trim_ascii().is_empty() {
            add(&mut database, &std::mem::take(&mut stanza), offset);
        } else {
            stanza.line(line);
        }
        offset += line.len() + 1;
    }
    add(&mut database, &stanza, bytes.len());
    database.kind = (!database.packages.is_empty()).then_some(PackageKind::Dpkg);
    database
}

impl<'a> Stanza<'a> {
    fn line(&mut self, line: &'a [u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let value = line[colon + 1..].trim_ascii();
        match &line[..colon] {
            b"Package" => self.name = value,
            b"Version" => self.version = value,
            b"Architecture" => self.architecture = value,
            b"Source" => self.source = value,
            b"Status" => self.status = Some(value),
            _ => {}
        }
    }

    /// Whether its files are there: a removed package may leave its stanza behind.
    fn is_installed(&self) -> bool {
        self.status.is_none_or(|status| {
            let state = status.rsplit(|&byte| byte == b' ').next();
            !matches!(state, Some(b"not-installed" | b"config-files"))
        })
    }
}

fn add(database: &mut Database, stanza: &Stanza<'_>, end: usize) {
    if stanza.name.is_empty() && stanza.version.is_empty() {
        return;
    }
    if stanza.name.is_empty() || stanza.version.is_empty() {
        if stanza.is_installed() {
            report(&mut database.problems, || {
                let name = field(stanza.name);
                format!("the stanza that ends at byte {end} has no name or version ({name:?})")
            });
        }
        return;
    }
    if !stanza.is_installed() {
        return;
    }
    if database.packages.len() == MAX_PACKAGES {
        let limit = format!("only the first {MAX_PACKAGES} packages were read");
        if !database.problems.contains(&limit) {
            database.problems.push(limit);
        }
        return;
    }
    // "name (version)" if the source package has another version.
    let source = stanza
        .source
        .split(|&byte| byte == b' ')
        .next()
        .unwrap_or_default();
    database.packages.push(Package {
        kind: PackageKind::Dpkg,
        name: field(stanza.name),
        version: field(stanza.version),
        architecture: (!stanza.architecture.is_empty()).then(|| field(stanza.architecture)),
        source: (!source.is_empty() && source != stanza.name).then(|| field(source)),
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_of_installed_packages_are_listed() {
        let database = read(
            b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36)\n\
              Version: 2.36-9\nDescription: library\n Package: not this\n\n\
              Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\n\
              Package: half\nStatus: install ok half-configured\nVersion: 3\n\n\
              Package: last\nVersion: 1:2-3",
        );
        let listed: Vec<_> = database
            .packages
            .iter()
            .map(|package| (package.name.as_str(), package.version.as_str()))
            .collect();
        assert_eq!(
            listed,
            [("libc6", "2.36-9"), ("half", "3"), ("last", "1:2-3")]
        );
        assert_eq!(database.packages[0].source.as_deref(), Some("glibc"));
        assert_eq!(database.packages[2].architecture, None);
        assert_eq!(database.problems, Vec::<String>::new());
    }

    #[test]
    fn a_stanza_without_a_version_is_reported() {
        let database =
            read(b"Package: a\nStatus: install ok installed\n\nPackage: b\nVersion: 1\n");
        assert_eq!(database.packages.len(), 1);
        assert_eq!(
            database.problems,
            ["the stanza that ends at byte 40 has no name or version (\"a\")"]
        );
        assert_eq!(read(b""), Database::default());
    }
}
