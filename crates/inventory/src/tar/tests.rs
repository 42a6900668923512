//! What is read from a tar, and what is refused.
#![allow(clippy::unwrap_used)]

use super::*;

fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut header = ::tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(BLOCK), 0);
    out
}

fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (rest.len()..rest.len() + 20)
        .find(|length| length.to_string().len() + rest.len() == *length);
    format!("{}{rest}", length.unwrap())
}

/// The entries with their content, and how reading ended.
fn read(tar: &[u8]) -> (Vec<(Header, Vec<u8>)>, Option<String>) {
    let (mut tar, mut entries) = (Tar::new(tar), Vec::new());
    loop {
        match tar.next() {
            Ok(Some(header)) => {
                let (mut content, mut buffer) = (Vec::new(), [0; 100]);
                loop {
                    match tar.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => content.extend_from_slice(&buffer[..read]),
                        Err(error) => return (entries, Some(error.to_string())),
                    }
                }
                entries.push((header, content));
            }
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        }
    }
}

fn names(tar: &[u8]) -> Vec<(String, usize)> {
    let (entries, error) = read(tar);
    assert_eq!(error, None);
    let entries = entries.into_iter();
    entries
        .map(|(header, content)| (String::from_utf8(header.path).unwrap(), content.len()))
        .collect()
}

#[test]
fn names_and_sizes_come_from_gnu_and_pax_entries_first() {
    let long = format!("{}/end", "long".repeat(40));
    let pax = record("path", &long) + &record("size", "3") + &record("comment", "a=b\nc");
    let tar = [
        header("folder/", b'5', 9),
        header("short", b'0', 3),
        padded(b"abc"),
        header("././@LongLink", b'L', long.len() as u64 + 1),
        padded(long.as_bytes()),
        header("cut", b'0', 512),
        vec![7; 512],
        header("x", b'x', pax.len() as u64),
        padded(pax.as_bytes()),
        header("cut", b'0', 0),
        padded(b"pax"),
        header("g", b'g', 3),
        padded(b"any"),
        header("device", b'3', 77),
        header("unknown", b'Z', 5),
        padded(b"12345"),
        vec![0; 1024],
    ]
    .concat();
    let expected = [
        ("folder/", 0),
        ("short", 3),
        (long.as_str(), 512),
        (long.as_str(), 3),
        ("device", 0),
        ("unknown", 5),
    ];
    let expected = expected.map(|(name, size)| (name.to_owned(), size));
    assert_eq!(names(&tar), expected);
}

#[test]
fn links_have_targets_and_no_content() {
    let mut link = ::tar::Header::new_ustar();
    link.set_path("a").unwrap();
    link.set_entry_type(::tar::EntryType::Link);
    link.set_link_name("b").unwrap();
    link.set_size(1000);
    link.set_cksum();
    let (entries, error) = read(&[link.as_bytes().as_slice(), &[0; 1024]].concat());
    assert_eq!(error, None);
    assert_eq!(entries[0].0.kind, Kind::HardLink);
    assert_eq!(
        (entries[0].0.link.as_slice(), entries[0].0.size),
        (&b"b"[..], 0)
    );
}

#[test]
fn sparse_entries_are_known_by_their_own_names() {
    let pax = record("GNU.sparse.major", "1") + &record("GNU.sparse.name", "real");
    let mut old = ::tar::Header::new_gnu();
    old.set_path("old").unwrap();
    old.set_size(2);
    old.set_entry_type(::tar::EntryType::GNUSparse);
    old.as_gnu_mut().unwrap().set_is_extended(true);
    old.set_cksum();
    let tar = [
        header("x", b'x', pax.len() as u64),
        padded(pax.as_bytes()),
        header("GNUSparseFile.1/real", b'0', 3),
        padded(b"abc"),
        old.as_bytes().to_vec(),
        vec![0; BLOCK],
        padded(b"ab"),
        vec![0; 1024],
    ]
    .concat();
    let (entries, error) = read(&tar);
    assert_eq!(error, None);
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|(header, _)| header.sparse));
    assert_eq!(entries[0].0.path, b"real");
    assert_eq!(entries[1].1, b"ab");
}

#[test]
fn what_is_not_a_tar_is_refused_with_its_offset() {
    let file = [header("a", b'0', 3), padded(b"abc")].concat();
    for (tar, error) in [
        (
            vec![7; 600],
            "at byte 0 of the tar: this is not the header of an entry",
        ),
        (
            file[..700].to_vec(),
            "at byte 700 of the tar: the tar ends inside a file",
        ),
        (
            vec![0; 100],
            "at byte 100 of the tar: the tar ends inside a header",
        ),
        (
            [file.clone(), vec![0; 512], file.clone()].concat(),
            "at byte 1536 of the tar: this is not the header of an entry",
        ),
        (
            header("x", b'x', 2 << 20),
            "at byte 512 of the tar: a name or a list of PAX records is larger than 1 MiB",
        ),
        (
            [header("x", b'x', 4), padded(b"99 a")].concat(),
            "at byte 512 of the tar: malformed PAX records",
        ),
        (
            [
                header("x", b'L', 5000),
                padded(&[b'a'; 5000]),
                header("a", b'0', 0),
            ]
            .concat(),
            "at byte 6144 of the tar: a name has more than 4096 bytes",
        ),
    ] {
        assert_eq!(read(&tar).1.as_deref(), Some(error));
    }
}

#[test]
fn a_tar_may_end_without_its_two_blocks_of_zeros() {
    let file = [header("a", b'0', 3), padded(b"abc")].concat();
    assert_eq!(names(&file), [("a".to_owned(), 3)]);
    assert_eq!(names(&[file, vec![0; 512]].concat()), [("a".to_owned(), 3)]);
    assert_eq!(names(b""), []);
}

#[test]
fn what_follows_the_end_is_noticed() {
    for (tail, trailing) in [(vec![0; 4096], false), (vec![0, 0, 1], true)] {
        let tar = [vec![0; 1024], tail].concat();
        let mut tar = Tar::new(&tar[..]);
        assert!(tar.next().unwrap().is_none());
        assert_eq!(tar.rest().unwrap(), trailing);
    }
}

#[test]
fn numbers_are_octal_or_base_256_and_never_negative() {
    assert_eq!(number(b"00000000017\0"), Some(15));
    assert_eq!(number(b"     17 \0   "), Some(15));
    assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(0x2_0000_0000));
    assert_eq!(number(&[0xff; 12]), None);
    assert_eq!(number(b"+0000000001\0"), None);
    assert_eq!(number(b"\0\0\0\0"), Some(0));
}
