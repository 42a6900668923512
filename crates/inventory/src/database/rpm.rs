//! rpm's package headers, as all its databases store them (rpm's `format_header.md`): a count of index entries, the size of
//! the data, the entries, the data.

use super::{Database, Headers, report};
use crate::bytes::{Order, field, slice, until_zero};
use crate::limits::MAX_PACKAGES;
use crate::package::{Package, PackageKind};

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const SOURCE_PACKAGE: u32 = 1044;

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_TRANSLATED: u32 = 9;

/// The most index entries and bytes of data of one header. Each tag is in a header once; there are a few hundred.
const MAX_ENTRIES: u64 = 1024;
const MAX_DATA: u64 = 256 << 20;

/// The packages of all `headers`.
pub(super) fn packages(headers: Headers<'_>) -> Database {
    let mut database = Database {
        kind: Some(PackageKind::Rpm),
        packages: Vec::new(),
        problems: headers.problems,
    };
    for (number, header) in headers.headers.iter().enumerate() {
        if database.packages.len() == MAX_PACKAGES {
            report(&mut database.problems, || {
                format!("only the first {MAX_PACKAGES} packages were read")
            });
            break;
        }
        match package(header) {
            // Keys that signatures are checked with are listed like packages.
            Some(package) if package.name == "gpg-pubkey" => {}
            Some(package) => database.packages.push(package),
            None => report(&mut database.problems, || {
                format!("package header {number} is malformed")
            }),
        }
    }
    database
}

struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

fn package(bytes: &[u8]) -> Option<Package> {
    let header = Header::parse(bytes)?;
    let name = header.text(NAME)?;
    let version = [header.text(VERSION)?, header.text(RELEASE)?].join("-");
    // "bash-5.1.8-6.el9.src.rpm"
    let source = header.text(SOURCE_PACKAGE).and_then(|file| {
        let mut parts = file.rsplitn(3, '-').skip(2);
        parts.next().map(str::to_owned)
    });
    Some(Package {
        kind: PackageKind::Rpm,
        version: match header.number(EPOCH) {
            Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
            _ => version,
        },
        architecture: header.text(ARCHITECTURE),
        source: source.filter(|source| *source != name),
        name,
    })
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let entries = u64::from(Order::Big.u32(bytes, 0)?);
        let size = u64::from(Order::Big.u32(bytes, 4)?);
        if entries > MAX_ENTRIES || size > MAX_DATA {
            return None;
        }
        Some(Self {
            index: slice(bytes, 8, entries * 16)?,
            data: slice(bytes, 8 + entries * 16, size)?,
        })
    }

    /// The type and the data, to the end, of the first entry with this tag.
    fn entry(&self, tag: u32) -> Option<(u32, &'a [u8])> {
        let entry = self
            .index
            .chunks_exact(16)
            .find(|entry| Order::Big.u32(entry, 0) == Some(tag))?;
        let offset = usize::try_from(Order::Big.u32(entry, 8)?).ok()?;
        Some((Order::Big.u32(entry, 4)?, self.data.get(offset..)?))
    }

    fn text(&self, tag: u32) -> Option<String> {
        let (kind, data) = self.entry(tag)?;
        matches!(kind, TYPE_STRING | TYPE_TRANSLATED).then(|| field(until_zero(data)))
    }

    fn number(&self, tag: u32) -> Option<u32> {
        let (kind, data) = self.entry(tag)?;
        (kind == TYPE_INT32)
            .then(|| Order::Big.u32(data, 0))
            .flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn header(entries: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, value) in entries {
            for number in [*tag, *kind, u32::try_from(data.len()).unwrap(), 1] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(value);
        }
        let counts = [entries.len(), data.len()].map(|n| u32::try_from(n).unwrap().to_be_bytes());
        [&counts.concat()[..], &index, &data].concat()
    }

    #[test]
    fn the_version_has_epoch_and_release() {
        let bytes = header(&[
            (NAME, TYPE_STRING, b"bash-libs\0"),
            (VERSION, TYPE_STRING, b"5.1.8\0"),
            (RELEASE, TYPE_STRING, b"6.el9\0"),
            (EPOCH, TYPE_INT32, &[0, 0, 0, 2]),
            (ARCHITECTURE, TYPE_STRING, b"x86_64\0"),
            (SOURCE_PACKAGE, TYPE_STRING, b"bash-5.1.8-6.el9.src.rpm\0"),
        ]);
        let package = package(&bytes).unwrap();
        assert_eq!(package.name, "bash-libs");
        assert_eq!(package.version, "2:5.1.8-6.el9");
        assert_eq!(package.architecture.as_deref(), Some("x86_64"));
        assert_eq!(package.source.as_deref(), Some("bash"));
    }

    #[test]
    fn malformed_headers_are_reported_and_the_others_read() {
        let good = header(&[
            (NAME, TYPE_STRING, b"a\0"),
            (VERSION, TYPE_STRING, b"1\0"),
            (RELEASE, TYPE_STRING, b"2\0"),
        ]);
        let mut cut = good.clone();
        cut.truncate(20);
        let headers = Headers {
            headers: vec![cut.into(), good.into(), vec![0xff; 64].into()],
            problems: Vec::new(),
        };
        let database = packages(headers);
        assert_eq!(database.packages.len(), 1);
        assert_eq!(database.packages[0].version, "1-2");
        let malformed = [
            "package header 0 is malformed",
            "package header 2 is malformed",
        ];
        assert_eq!(database.problems, malformed);
    }
}
