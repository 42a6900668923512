//! How layers are applied on each other.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::scan::Scanner;

/// A layer out of entries: `name/` is a folder, `name=content` a file, `name->target` a symbolic link,
/// `name=>target` a hard link.
fn layer(entries: &[&str]) -> Scan {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        if let Some((name, target)) = entry.split_once("->") {
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header, name, target).unwrap();
        } else if let Some((name, target)) = entry.split_once("=>") {
            header.set_entry_type(tar::EntryType::Link);
            builder.append_link(&mut header, name, target).unwrap();
        } else if let Some((name, content)) = entry.split_once('=') {
            header.set_size(content.len() as u64);
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        } else {
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, entry, &[][..]).unwrap();
        }
    }
    let tar = builder.into_inner().unwrap();
    Scanner::new(true).layer(&tar[..]).unwrap()
}

/// The files of an image with these layers, as `path size`.
fn image(layers: &[&[&str]]) -> Vec<String> {
    let tree = tree(layers);
    let files = tree.files();
    files
        .map(|(path, file)| format!("{path} {}", file.size))
        .collect()
}

fn tree(layers: &[&[&str]]) -> FileTree {
    let mut tree = FileTree::default();
    for entries in layers {
        tree.apply(&layer(entries)).unwrap();
    }
    tree
}

#[test]
fn later_layers_replace_and_add_files() {
    let files = image(&[&["a/", "a/x=1", "a/y=22"], &["a/x=333", "b=4444"]]);
    assert_eq!(files, ["a/x 3", "a/y 2", "b 4"]);
}

#[test]
fn whiteouts_delete_what_the_layers_before_have_and_nothing_of_their_own() {
    let base: &[&str] = &["a/", "a/x=1", "a/y=1", "ab=1", "c=1"];
    assert_eq!(image(&[base, &[".wh.a="]]), ["ab 1", "c 1"]);
    assert_eq!(
        image(&[base, &["a/z=2", ".wh.a="]]),
        ["a/z 1", "ab 1", "c 1"]
    );
    assert_eq!(
        image(&[base, &["a/z=22", "a/.wh..wh..opq="]]),
        ["a/z 2", "ab 1", "c 1"]
    );
    assert_eq!(image(&[base, &[".wh..wh..opq=", "d=1"]]), ["d 1"]);
    assert_eq!(
        image(&[base, &[".wh.missing=", ".wh..wh.plnk/", ".wh..wh.plnk/1=1"]]).len(),
        4
    );
}

#[test]
fn a_file_in_place_of_a_folder_removes_all_below_it_and_the_reverse() {
    assert_eq!(image(&[&["a/", "a/x=1", "a/y/z=1"], &["a=22"]]), ["a 2"]);
    assert_eq!(image(&[&["a=1"], &["a/", "a/x=22"]]), ["a/x 2"]);
}

#[test]
fn hard_links_are_the_file_they_name_also_in_a_layer_before() {
    let tree = tree(&[&["x=123", "y=>x"], &["z=>x", ".wh.x="]]);
    let files: Vec<_> = tree.files().collect();
    assert_eq!(
        files.iter().map(|(path, _)| *path).collect::<Vec<_>>(),
        ["y"]
    );
    let mut tree = self::tree(&[&["x=123", "y=>x"], &["z=>x"]]);
    let files: Vec<_> = tree.files().collect();
    assert_eq!(files.len(), 3);
    assert!(Arc::ptr_eq(files[0].1, files[2].1));
    tree.apply(&layer(&["missing=>nowhere"])).unwrap();
    let notes = tree.notes.into_vec();
    assert_eq!(
        notes[0].what,
        "a hard link to nowhere, which is not in the image"
    );
}

#[test]
fn files_below_a_linked_folder_are_where_the_link_leads() {
    let base: &[&str] = &[
        "usr/",
        "usr/lib/",
        "usr/lib/x=1",
        "lib->usr/lib",
        "abs->/usr",
    ];
    let files = image(&[base, &["lib/y=1", "abs/lib/z=1", "lib/.wh.x="]]);
    assert_eq!(files, ["usr/lib/y 1", "usr/lib/z 1"]);
    // A folder takes the place of a link.
    assert_eq!(
        image(&[base, &["lib/", "lib/y=1"]]),
        ["lib/y 1", "usr/lib/x 1"]
    );
    // What links changed a moment ago counts.
    assert_eq!(
        image(&[&["d/", "d/a=1", "e/", "d2->d", "d2/b=1", "d2->e", "d2/c=1"]]),
        ["d/a 1", "d/b 1", "e/c 1"]
    );
}

#[test]
fn links_in_a_circle_and_paths_below_files_are_noted() {
    let tree = tree(&[&["a->b", "b->a", "a/x=1", "f=1", "f/x=1", "ok=1"]]);
    assert!(tree.file("a/x").is_none());
    assert_eq!(tree.files().count(), 2);
    let notes = tree.notes.into_vec();
    let paths: Vec<_> = notes.iter().map(|note| note.path.as_str()).collect();
    assert_eq!(paths, ["a/x", "f/x"]);
}

#[test]
fn a_file_is_found_through_links() {
    let tree = tree(&[&[
        "etc/",
        "etc/os-release->../usr/lib/os-release",
        "usr/lib/os-release=ID=x",
        "l->etc",
    ]]);
    for path in ["etc/os-release", "usr/lib/os-release", "l/os-release"] {
        assert_eq!(tree.file(path).unwrap().size, 4, "{path}");
    }
    assert!(tree.file("etc").is_none());
    let names: Vec<_> = tree
        .files_in("l/../usr/lib")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["os-release"]);
}
