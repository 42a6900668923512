//! What differs between two images.

use sealift_inventory::{Inventory, compare_files, compare_packages};

use crate::support::{tar, tree};

fn status(packages: &[(&str, &str)]) -> Vec<u8> {
    let stanza =
        |(name, version): &(&str, &str)| format!("Package: {name}\nVersion: {version}\n\n");
    packages.iter().map(stanza).collect::<String>().into_bytes()
}

#[test]
fn files_are_compared_by_content_permissions_and_kind() {
    let old = tree(&[tar(&[
        ("same", b"1"),
        ("grown", b"1"),
        ("other", b"abc"),
        ("gone", b"1"),
        ("link", b"->a"),
        ("became", b"->a"),
    ])]);
    let mut newer = tar(&[
        ("same", b"1"),
        ("grown", b"123"),
        ("other", b"abd"),
        ("come", b"12"),
        ("link", b"->b"),
        ("became", b"1"),
    ]);
    let new = tree(&[newer.clone()]);
    let changes = compare_files(&old, &new);
    let paths = |files: &[sealift_inventory::ChangedFile]| {
        files
            .iter()
            .map(|file| file.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(&changes.added), ["come"]);
    assert_eq!(paths(&changes.removed), ["gone"]);
    assert_eq!(
        paths(&changes.changed),
        ["became", "grown", "link", "other"]
    );
    assert_eq!(changes.same, 1);
    // The mode of the first file: set user ID.
    newer[100..107].copy_from_slice(b"0004644");
    newer[148..156].copy_from_slice(b"        ");
    let sum: u32 = newer[..512].iter().map(|byte| u32::from(*byte)).sum();
    newer[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let changes = compare_files(&new, &tree(&[newer]));
    assert_eq!(paths(&changes.changed), ["same"]);
    let shown = format!("{:?}", changes.changed[0]);
    assert!(
        shown.contains("\"0644\"") && shown.contains("\"4644\""),
        "{shown}"
    );
}

#[test]
fn packages_are_compared_by_name_and_say_which_way_they_went() {
    let of = |packages: &[(&str, &str)]| {
        Inventory::of(&tree(&[tar(&[("var/lib/dpkg/status", &status(packages))])]))
    };
    let old = of(&[
        ("same", "1"),
        ("up", "1.9"),
        ("down", "2.0"),
        ("gone", "1"),
        ("two", "1"),
        ("two", "2"),
    ]);
    let new = of(&[
        ("same", "1"),
        ("up", "1.10"),
        ("down", "2.0~rc1"),
        ("come", "1"),
        ("two", "2"),
        ("two", "3"),
    ]);
    let changes = compare_packages(&old, &new);
    let changed: Vec<_> = changes
        .changed
        .iter()
        .map(|one| {
            (
                one.package.name.as_str(),
                one.old_version.as_str(),
                one.upgrade,
            )
        })
        .collect();
    assert_eq!(
        changed,
        [
            ("down", "2.0", Some(false)),
            ("two", "1", Some(true)),
            ("up", "1.9", Some(true))
        ]
    );
    assert_eq!(changes.added[0].name, "come");
    assert_eq!(changes.removed[0].name, "gone");
    assert_eq!(changes.same, 2);
    assert_eq!(compare_packages(&old, &old).same, 6);
}
