//! Layers that nobody honest makes: everything ends, in bounded memory, with an error or a note.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sealift_inventory::{FileTree, Inventory, Scanner};

use crate::support::{gzip, inventory, notes, tar};

/// An image with something of everything.
fn sample() -> Vec<u8> {
    tar(&[
        ("etc/os-release", b"ID=x\n"),
        ("var/lib/dpkg/status", b"Package: a\nVersion: 1\n"),
        ("lib/apk/db/installed", b"C:Q1\nP:b\nV:2\n"),
        (
            "usr/bin/p",
            b"\x7fELF\x02\x01............\xff Go buildinf:\x08\x02................\x06go1.22\x00",
        ),
        ("l", b"->var"),
        ("l/x", b"1"),
        ("var/.wh.y", b""),
    ])
}

fn read_all(layer: &[u8]) {
    if let Ok(scan) = Scanner::new(true).layer(layer) {
        let mut tree = FileTree::default();
        for _ in 0..2 {
            let _ = tree.apply(&scan);
        }
        let _ = Inventory::of(&tree);
    }
}

proptest! {
    #[test]
    fn changed_layers_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), end in any::<prop::sample::Index>()) {
        let mut layer = sample();
        for (at, byte) in changes {
            let at = at.index(layer.len());
            layer[at] = byte;
            // With a checksum that is right again, so that more than the checksum is tested.
            let block = at / 512 * 512;
            if layer[block + 257..block + 262] == *b"ustar" {
                layer[block + 148..block + 156].fill(b' ');
                let sum: u32 = layer[block..block + 512].iter().map(|byte| u32::from(*byte)).sum();
                layer[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        read_all(&layer);
        read_all(&layer[..end.index(layer.len())]);
        read_all(&gzip(&layer));
    }

    #[test]
    fn any_bytes_as_any_file_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for (path, head) in [
            ("var/lib/rpm/rpmdb.sqlite", &b"SQLite format 3\0\x02\0\x01\x01\0\x40\x20\x20"[..]),
            ("var/lib/rpm/Packages.db", b"RpmP\0\0\0\0\0\0\0\0\x01\0\0\0"),
            ("var/lib/rpm/Packages", b"\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0\0\0\0\0\0\x02\0\0"),
            ("usr/bin/p", b"\x7fELF\x02\x01"),
            ("var/lib/dpkg/status", b"Package:"),
        ] {
            inventory(&[(path, &[head, &bytes].concat())]);
        }
    }
}

/// As many bytes as are asked for, all the same.
struct Endless(u8);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(self.0);
        Ok(buffer.len())
    }
}

#[test]
fn metadata_without_an_end_is_refused_after_a_mebibyte() {
    for flag in [b'L', b'x', b'g'] {
        let mut header = tar::Header::new_gnu();
        header.set_path("x").unwrap();
        header.set_entry_type(tar::EntryType::new(flag));
        header.set_size(1 << 40);
        header.set_cksum();
        let layer = io::Cursor::new(header.as_bytes().to_vec()).chain(Endless(b'a'));
        let error = Scanner::new(true).layer(layer).unwrap_err();
        assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
    }
}

#[test]
fn a_file_that_is_too_large_to_search_is_noted_without_being_held() {
    let mut header = tar::Header::new_gnu();
    header.set_path("usr/bin/huge").unwrap();
    header.set_size(300 << 20);
    header.set_cksum();
    let head = [header.as_bytes().as_slice(), b"\x7fELF"].concat();
    let rest = Endless(0).take((300 << 20) - 4 + 1024);
    let scan = Scanner::new(false)
        .layer(io::Cursor::new(head).chain(rest))
        .unwrap();
    let mut tree = FileTree::default();
    tree.apply(&scan).unwrap();
    let found = Inventory::of(&tree);
    assert_eq!(
        notes(&found),
        ["usr/bin/huge: a file of 314572800 bytes was not read, the limit is 268435456"]
    );
}

#[test]
fn deep_paths_and_many_links_take_no_more_time_than_their_length() {
    let start = Instant::now();
    let deep = "d/".repeat(2000);
    let mut names: Vec<String> = (0..2000).map(|number| format!("{deep}{number}")).collect();
    names.extend((0..2000).map(|number| format!("{deep}.wh.{number}")));
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    read_all(&tar(&files));
    // Every link leads over all links before it.
    let links: Vec<(String, String)> = (0..300)
        .map(|number| {
            (
                format!("l{number}"),
                format!("->{}", format!("l{}/../", number.max(1) - 1).repeat(300)),
            )
        })
        .collect();
    let mut files: Vec<(&str, &[u8])> = links
        .iter()
        .map(|(name, to)| (name.as_str(), to.as_bytes()))
        .collect();
    files.push(("l299/x", b"1"));
    files.push(("etc", b"->l299"));
    read_all(&tar(&files));
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}
