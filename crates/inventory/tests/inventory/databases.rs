//! Package databases, in the places where package managers have them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sealift_testkit::real::{require, run_ok};

use crate::support::{gzip, inventory, notes, packages, tar, tree};
use sealift_inventory::Inventory;

const STATUS: &[u8] = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n";
const APK: &[u8] = b"C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\n";

#[test]
fn dpkg_and_apk_are_read_where_they_are_in_old_and_new_images() {
    let found = inventory(&[
        ("./var/lib/dpkg/status", STATUS),
        (
            "./var/lib/dpkg/status.d/base",
            b"Package: base-files\nVersion: 12.4\n",
        ),
        ("./var/lib/dpkg/status.d/base.md5sums", b"0123  etc/issue\n"),
        ("./etc/os-release", b"->../usr/lib/os-release"),
        ("./usr/lib/os-release", b"ID=debian\nVERSION_ID=12\n"),
    ]);
    assert_eq!(
        packages(&found),
        ["dpkg base-files 12.4", "dpkg libc6 2.36-9"]
    );
    assert_eq!(found.os.as_ref().unwrap().id, "debian");
    assert_eq!(notes(&found), Vec::<String>::new());
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        assert_eq!(
            packages(&inventory(&[(path, APK)])),
            ["apk musl 1.2.5-r0"],
            "{path}"
        );
    }
}

#[test]
fn the_last_layer_with_a_database_counts_and_whiteouts_delete_it() {
    let newer = b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-10\n";
    let base = gzip(&tar(&[("var/lib/dpkg/status", STATUS)]));
    let update = zstd::encode_all(&tar(&[("var/lib/dpkg/status", newer)])[..], 1).unwrap();
    let found = Inventory::of(&tree(&[base.clone(), update]));
    assert_eq!(packages(&found), ["dpkg libc6 2.36-10"]);
    let deleted = tar(&[("var/lib/.wh.dpkg", b"")]);
    assert_eq!(
        packages(&Inventory::of(&tree(&[base, deleted]))),
        Vec::<String>::new()
    );
}

#[test]
fn a_database_is_found_through_links() {
    let found = inventory(&[
        ("var/lib/dpkg", b"->/opt/dpkg"),
        ("opt/dpkg/status", STATUS),
    ]);
    assert_eq!(packages(&found), ["dpkg libc6 2.36-9"]);
}

#[test]
fn what_is_not_understood_is_noted_with_its_path() {
    let found = inventory(&[
        ("var/lib/dpkg/status", b"this is no list of packages"),
        ("var/lib/rpm/Packages", b"neither is this"),
        ("var/lib/rpm/rpmdb.sqlite-wal", b"log"),
        ("lib/apk/db/installed", STATUS),
        (
            "srv/any.sqlite",
            b"SQLite format 3\0not a package database at all",
        ),
    ]);
    assert_eq!(packages(&found), Vec::<String>::new());
    assert_eq!(
        notes(&found),
        [
            "lib/apk/db/installed: a database of dpkg where apk has its own; not read",
            "var/lib/dpkg/status: a database of dpkg that lists no package",
            "var/lib/rpm/Packages: not a database of rpm in a format that is known",
            "var/lib/rpm/rpmdb.sqlite-wal: changes that are not in the database yet were not read",
        ]
    );
}

/// A specification of a package with 150 subpackages, some of which have headers of many pages.
fn specification() -> String {
    let mut text = "Name: demo\nVersion: 1.2\nRelease: 3\nEpoch: 1\nSummary: x\nLicense: MIT\n\
        BuildArch: noarch\n%description\nx\n%files\n"
        .to_owned();
    for number in 0..150 {
        let description = "words ".repeat(if number % 10 == 0 { 6000 } else { 10 });
        write!(
            text,
            "%package -n sub{number:03}\nSummary: x\n%description -n sub{number:03}\n{description}\n%files -n sub{number:03}\n"
        )
        .unwrap();
    }
    text
}

/// The database that rpm itself writes, and the header of every package in it.
fn database(folder: &Path) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (rpm, rpmbuild, sqlite) = (require("rpm")?, require("rpmbuild")?, require("sqlite3")?);
    let path = |name: &str| folder.join(name).display().to_string();
    fs::write(path("demo.spec"), specification()).unwrap();
    let top = format!("_topdir {}", path("top"));
    run_ok(
        &rpmbuild,
        &["-bb", "--quiet", "--define", &top, &path("demo.spec")],
    );
    let mut install = vec!["--dbpath".to_owned(), path("db")];
    let options = [
        "--define",
        "_db_backend sqlite",
        "-i",
        "--justdb",
        "--nodeps",
    ];
    install.extend(options.map(str::to_owned));
    for package in fs::read_dir(path("top/RPMS/noarch")).unwrap() {
        install.push(package.unwrap().path().display().to_string());
    }
    run_ok(&rpm, &install);
    let file = path("db/rpmdb.sqlite");
    let headers = run_ok(&sqlite, &[file.as_str(), "select hex(blob) from Packages"]);
    let unhex = |line: &str| {
        let digits: Vec<char> = line.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    };
    let headers: Vec<Vec<u8>> = headers.lines().map(unhex).collect();
    Some((fs::read(file).unwrap(), headers))
}

/// A database in rpm's own format, as its `rpmpkg.c` writes it.
fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [&b"RpmP"[..], &[0; 28]].concat();
    file[12] = 1;
    file.resize(4096, 0);
    for slot in file[32..].chunks_exact_mut(16) {
        slot[..4].copy_from_slice(b"Slot");
    }
    for (index, header) in headers.iter().enumerate() {
        let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
        let block = number(file.len() / 16);
        let slot = 16 * (2 + index);
        file[slot + 4..slot + 8].copy_from_slice(&number(index + 1));
        file[slot + 8..slot + 12].copy_from_slice(&block);
        file.extend_from_slice(b"BlbS");
        file.extend(number(index + 1));
        file.extend(number(0));
        file.extend(number(header.len()));
        file.extend_from_slice(header);
        file.resize(file.len().next_multiple_of(16), 0);
    }
    file
}

/// A hash that Berkeley DB's own tool writes, with pages of this size.
fn berkeley(folder: &Path, headers: &[Vec<u8>], page: usize, order: usize) -> Option<Vec<u8>> {
    let program = require("db_load")?;
    let mut text = format!(
        "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize={page}\ndb_lorder={order}\nHEADER=END\n"
    );
    text.push_str(" 00000000\n 07000000\n");
    for (number, header) in headers.iter().enumerate() {
        write!(text, " {:02x}000000\n ", number + 1).unwrap();
        for byte in header {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text.push_str("DATA=END\n");
    let file = folder.join(format!("Packages-{page}-{order}"));
    let input = folder.join("input");
    fs::write(&input, text).unwrap();
    let loaded = Command::new(program)
        .arg(&file)
        .stdin(Stdio::from(fs::File::open(input).unwrap()))
        .status()
        .unwrap();
    assert!(loaded.success());
    Some(fs::read(file).unwrap())
}

#[test]
fn every_format_of_rpms_database_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some((sqlite, headers)) = database(folder.path()) else {
        return;
    };
    assert_eq!(headers.len(), 151);
    let mut databases = vec![("rpmdb.sqlite", sqlite), ("Packages.db", ndb(&headers))];
    for (page, order) in [(512, 1234), (4096, 1234), (65_536, 4321)] {
        match berkeley(folder.path(), &headers, page, order) {
            Some(bytes) => databases.push(("Packages", bytes)),
            None => return,
        }
    }
    let mut expected = vec!["rpm demo 1:1.2-3".to_owned()];
    expected.extend((0..150).map(|number| format!("rpm sub{number:03} 1:1.2-3")));
    for (name, bytes) in &databases {
        for place in ["var/lib/rpm", "usr/lib/sysimage/rpm"] {
            let found = inventory(&[(&format!("{place}/{name}"), bytes)]);
            assert_eq!(notes(&found), Vec::<String>::new(), "{name} in {place}");
            assert_eq!(packages(&found), expected, "{name} in {place}");
            assert_eq!(found.packages[1].source.as_deref(), Some("demo"));
        }
    }
    let both = inventory(&[
        ("var/lib/rpm/rpmdb.sqlite", &databases[0].1),
        ("var/lib/rpm/Packages", &databases[2].1),
    ]);
    assert_eq!(
        notes(&both),
        ["var/lib/rpm/Packages: not read: rpmdb.sqlite is newer"]
    );
    // Where a database is changed or cut, all that follows is bounded, and nothing panics.
    for (name, bytes) in &databases {
        let path = format!("var/lib/rpm/{name}");
        let step = bytes.len() / 60 + 1;
        for at in (0..bytes.len()).step_by(step).chain((0..200).step_by(3)) {
            let mut changed = bytes.clone();
            changed[at] ^= 0xff;
            inventory(&[(&path, &changed)]);
            inventory(&[(&path, &bytes[..at])]);
        }
    }
}
