//! apk's `installed`: stanzas of lines that begin with a letter and a colon.

use super::{Database, report};
use crate::bytes::field;
use crate::limits::MAX_PACKAGES;
use crate::package::{Package, PackageKind};

pub(super) fn read(bytes: &[u8]) -> Database {
    let mut database = Database::default();
    let mut fields: [&[u8]; 4] = [b""; 4];
    let mut offset = 0;
    for line in bytes.split(|&byte| byte == b'\n').chain([&b""[..]]) {
        offset += line.len() + 1;
        let at = match line {
            [] => {
                add(&mut database, std::mem::take(&mut fields), offset);
                continue;
            }
            [b'P', b':', ..] => 0,
            [b'V', b':', ..] => 1,
            [b'A', b':', ..] => 2,
            [b'o', b':', ..] => 3,
            _ => continue,
        };
        fields[at] = line[2..].trim_ascii();
    }
    database.kind = (!database.packages.is_empty()).then_some(PackageKind::Apk);
    database
}

fn add(database: &mut Database, fields: [&[u8]; 4], end: usize) {
    let [name, version, architecture, origin] = fields;
    if fields.iter().all(|field| field.is_empty()) {
        return;
    }
    if name.is_empty() || version.is_empty() || database.packages.len() == MAX_PACKAGES {
        report(&mut database.problems, || {
            format!("the stanza that ends at byte {end} was not read")
        });
        return;
    }
    database.packages.push(Package {
        kind: PackageKind::Apk,
        name: field(name),
        version: field(version),
        architecture: (!architecture.is_empty()).then(|| field(architecture)),
        source: (!origin.is_empty() && origin != name).then(|| field(origin)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_are_listed_and_incomplete_ones_reported() {
        let database = read(
            b"C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:ld.so\n\n\
              P:ssl_client\nV:1.36-r1\no:busybox\n\nP:broken\n",
        );
        assert_eq!(database.kind, Some(PackageKind::Apk));
        assert_eq!(database.packages.len(), 2);
        assert_eq!(database.packages[0].version, "1.2.5-r0");
        assert_eq!(database.packages[0].source, None);
        assert_eq!(database.packages[1].source.as_deref(), Some("busybox"));
        assert_eq!(database.problems.len(), 1);
        assert_eq!(read(b""), Database::default());
    }
}
