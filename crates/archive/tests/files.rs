//! What is promised of carried files.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sealift_archive::{
    CarriedFile, CarryError, CarryOptions, ExtractError, ExtractItem, ExtractRequest, FileKind,
    carry, plan_extract,
};
use sealift_oci::{Digest, media_type};
use sealift_pipeline::{Cancel, NoObserver};
use support::{Content, reading};

fn carried(path: &Path) -> CarriedFile {
    carry(path, &CarryOptions::default(), &Cancel::new()).unwrap()
}

fn content_of(file: &CarriedFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    let blob = file.blobs.last().unwrap();
    blob.open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(Digest::sha256(&bytes), blob.descriptor.digest);
    assert_eq!(bytes.len() as u64, blob.descriptor.size);
    bytes
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A folder with what a folder can have: empty files and folders, a long name, an executable file.
fn folder(root: &Path) {
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("deep/er/file"), vec![7; 1000]).unwrap();
    fs::write(root.join("deep-file"), b"sorted after the folder").unwrap();
    fs::write(root.join("nothing"), b"").unwrap();
    fs::write(root.join(format!("deep/{}", "n".repeat(200))), b"long").unwrap();
    fs::write(root.join("run"), b"#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn extract(content: &Content, to: &Path, overwrite: bool) -> Result<Vec<String>, ExtractError> {
    let bundle = content.bundle();
    let request = ExtractRequest {
        names: &[],
        to,
        overwrite,
    };
    let plan = plan_extract(&bundle, &request)?;
    let done = plan.execute(&bundle, &Cancel::new(), &NoObserver)?;
    Ok(done
        .written
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_and_folders_come_out_as_they_went_in() {
    let from = tempfile::tempdir().unwrap();
    let script = from.path().join("setup.sh");
    fs::write(&script, b"#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    folder(&from.path().join("manifests"));
    let mut content = Content::empty();
    content.carry(&carried(&script));
    content.carry(&carried(&from.path().join("manifests")));
    let to = tempfile::tempdir().unwrap();
    assert_eq!(
        extract(&content, to.path(), false).unwrap(),
        ["manifests", "setup.sh"]
    );
    assert_eq!(names(to.path()), ["manifests", "setup.sh"]);
    assert_eq!(
        fs::read(to.path().join("setup.sh")).unwrap(),
        b"#!/bin/sh\n"
    );
    assert_eq!(mode(&to.path().join("setup.sh")) & 0o100, 0o100);
    let out = to.path().join("manifests");
    assert_eq!(fs::read(out.join("deep/er/file")).unwrap(), vec![7; 1000]);
    assert_eq!(mode(&out.join("run")) & 0o100, 0o100);
    assert_eq!(mode(&out.join("nothing")) & 0o111, 0);
    assert!(fs::read_dir(out.join("empty")).unwrap().next().is_none());
    // What came out makes the same artifact again.
    let again = carried(&out);
    assert_eq!(again.entry, carried(&from.path().join("manifests")).entry);
}

#[test]
fn a_folder_is_the_same_bytes_whatever_its_times_owners_and_order() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    folder(&first.path().join("f"));
    let other = second.path().join("f");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("nothing"), b"").unwrap();
    folder(&other);
    fs::set_permissions(other.join("nothing"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(other.join("run"), fs::Permissions::from_mode(0o711)).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    fs::File::open(other.join("run"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let (a, b) = (carried(&first.path().join("f")), carried(&other));
    assert_eq!(content_of(&a), content_of(&b));
    assert_eq!(a.entry, b.entry);
}

#[test]
fn a_folders_tar_is_one_that_every_program_reads() {
    let from = tempfile::tempdir().unwrap();
    folder(&from.path().join("f"));
    let bytes = content_of(&carried(&from.path().join("f")));
    let mut archive = tar::Archive::new(bytes.as_slice());
    let listed: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    assert_eq!(listed.len(), 8, "{listed:?}");
}

#[test]
fn links_inside_a_folder_are_refused_by_name() {
    let from = tempfile::tempdir().unwrap();
    let root = from.path().join("f");
    fs::create_dir(&root).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    let error = carry(&root, &CarryOptions::default(), &Cancel::new()).unwrap_err();
    assert!(
        matches!(&error, CarryError::Kind { path } if path.ends_with("link")),
        "{error}"
    );
}

#[test]
fn names_that_could_do_harm_are_refused_on_the_way_in() {
    let from = tempfile::tempdir().unwrap();
    let path = from.path().join("plain");
    fs::write(&path, b"x").unwrap();
    for name in ["..", "a/b", "a\nb", "NUL", ""] {
        let options = CarryOptions {
            name: Some(name.to_owned()),
            reference: None,
            program: None,
        };
        let error = carry(&path, &options, &Cancel::new()).unwrap_err();
        assert!(matches!(error, CarryError::Name { .. }), "{name:?}");
    }
}

#[test]
fn names_that_could_do_harm_are_refused_on_the_way_out() {
    let from = tempfile::tempdir().unwrap();
    let path = from.path().join("plain");
    fs::write(&path, b"x").unwrap();
    for name in [
        "../escaped",
        "/tmp/escaped",
        "..",
        "a/b",
        "a\u{1b}[2J",
        "con",
    ] {
        let mut file = carried(&path);
        file.entry.name = name.to_owned();
        let mut content = Content::empty();
        content.carry(&file);
        let to = from.path().join("to");
        let error = extract(&content, &to, true).unwrap_err();
        assert!(matches!(error, ExtractError::Name { .. }), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(!to.exists(), "nothing was written");
    }
}

#[test]
fn what_is_there_is_overwritten_only_when_told_and_folders_never() {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("a"), b"new").unwrap();
    let mut content = Content::empty();
    content.carry(&carried(&from.path().join("a")));
    let to = tempfile::tempdir().unwrap();
    fs::write(to.path().join("a"), b"old").unwrap();
    assert!(matches!(
        extract(&content, to.path(), false),
        Err(ExtractError::Exists { .. })
    ));
    assert_eq!(fs::read(to.path().join("a")).unwrap(), b"old");
    extract(&content, to.path(), true).unwrap();
    assert_eq!(fs::read(to.path().join("a")).unwrap(), b"new");
    fs::remove_file(to.path().join("a")).unwrap();
    fs::create_dir(to.path().join("a")).unwrap();
    assert!(matches!(
        extract(&content, to.path(), true),
        Err(ExtractError::FolderExists { .. })
    ));
}

#[test]
fn a_link_at_the_name_is_replaced_and_not_followed() {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("a"), b"new").unwrap();
    fs::write(from.path().join("victim"), b"mine").unwrap();
    let mut content = Content::empty();
    content.carry(&carried(&from.path().join("a")));
    let to = tempfile::tempdir().unwrap();
    symlink(from.path().join("victim"), to.path().join("a")).unwrap();
    assert!(extract(&content, to.path(), false).is_err());
    extract(&content, to.path(), true).unwrap();
    assert_eq!(fs::read(from.path().join("victim")).unwrap(), b"mine");
    assert!(!to.path().join("a").is_symlink());
}

#[test]
fn a_name_that_appears_while_writing_is_not_overwritten() {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("a"), b"new").unwrap();
    let mut content = Content::empty();
    content.carry(&carried(&from.path().join("a")));
    let bundle = content.bundle();
    let to = tempfile::tempdir().unwrap();
    let request = ExtractRequest {
        names: &[],
        to: to.path(),
        overwrite: false,
    };
    let plan = plan_extract(&bundle, &request).unwrap();
    fs::write(to.path().join("a"), b"came meanwhile").unwrap();
    let error = plan
        .execute(&bundle, &Cancel::new(), &NoObserver)
        .unwrap_err();
    assert!(matches!(error, ExtractError::Exists { .. }), "{error}");
    assert_eq!(fs::read(to.path().join("a")).unwrap(), b"came meanwhile");
    assert_eq!(names(to.path()), ["a"]);
}

#[test]
fn damaged_content_is_never_written_under_its_name() {
    let from = tempfile::tempdir().unwrap();
    folder(&from.path().join("f"));
    fs::write(from.path().join("a"), vec![1; 700_000]).unwrap();
    for path in ["f", "a"] {
        let file = carried(&from.path().join(path));
        let mut content = Content::empty();
        content.carry(&file);
        let blob = &file.blobs[1].descriptor;
        let start = content.bundle().store().locate(&blob.digest).offset;
        let mut bytes = content.bytes();
        // The last byte that is content: all before it was written when the fault shows.
        let at = usize::try_from(start + blob.size).unwrap() - 1;
        bytes[at] ^= 1;
        let bundle =
            sealift_archive::Bundle::from_reader(std::sync::Arc::new(bytes), "damaged", &reading())
                .unwrap();
        let to = tempfile::tempdir().unwrap();
        let request = ExtractRequest {
            names: &[],
            to: to.path(),
            overwrite: false,
        };
        let plan = plan_extract(&bundle, &request).unwrap();
        plan.execute(&bundle, &Cancel::new(), &NoObserver)
            .unwrap_err();
        assert!(names(to.path()).is_empty(), "{:?}", names(to.path()));
    }
}

/// A carried folder whose tar somebody else made, with a digest that fits.
fn hostile(tar: Vec<u8>) -> Content {
    let from = tempfile::tempdir().unwrap();
    fs::create_dir(from.path().join("f")).unwrap();
    let file = carried(&from.path().join("f"));
    let text = String::from_utf8(file.manifest.bytes().to_vec()).unwrap();
    let old = &file.blobs[1].descriptor;
    let text = text
        .replace(&old.digest.to_string(), &Digest::sha256(&tar).to_string())
        .replace(
            &format!("\"size\":{}", old.size),
            &format!("\"size\":{}", tar.len()),
        );
    let mut content = Content::empty();
    let descriptor = sealift_oci::Descriptor::of(media_type::OCI_MANIFEST, text.as_bytes());
    let mut entry = file.entry.clone();
    entry.descriptor = (&descriptor).into();
    content.record.files.push(entry);
    content.manifest((&descriptor).into(), text.into_bytes());
    content.blob(Digest::sha256(b"{}"), b"{}".to_vec(), true);
    content.blob(Digest::sha256(&tar), tar, false);
    content
}

fn tar_of(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, link) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        let executable = *kind == tar::EntryType::Directory;
        header.set_mode(if executable { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn a_hostile_folder_writes_nothing_anywhere() {
    use tar::EntryType::{Directory, Fifo, Link, Regular, Symlink};
    let cases: [&[(&str, tar::EntryType, &str)]; 10] = [
        &[("../escaped", Regular, "")],
        &[("/tmp/escaped", Regular, "")],
        &[("a/../../escaped", Regular, "")],
        &[("link", Symlink, "/etc"), ("link/x", Regular, "")],
        &[("hard", Link, "/etc/passwd")],
        &[("pipe", Fifo, "")],
        &[("a/b", Regular, "")],
        &[("b", Regular, ""), ("a", Regular, "")],
        &[("a", Regular, ""), ("a", Regular, "")],
        &[
            ("a/", Directory, ""),
            ("a/b/", Directory, ""),
            ("a/nul", Regular, ""),
        ],
    ];
    for case in cases {
        let content = hostile(tar_of(case));
        let outside = tempfile::tempdir().unwrap();
        let to = outside.path().join("to");
        let error = extract(&content, &to, true).unwrap_err();
        assert!(
            error.to_string().contains("not as sealift writes it"),
            "{error}"
        );
        assert!(names(&to).is_empty(), "{case:?}");
        assert_eq!(names(outside.path()), ["to"]);
    }
    let good = hostile(tar_of(&[("a/", Directory, ""), ("a/b", Regular, "")]));
    let to = tempfile::tempdir().unwrap();
    extract(&good, to.path(), false).unwrap();
    assert!(to.path().join("f/a/b").is_file());
}

#[test]
fn only_what_is_asked_for_is_written_and_an_unknown_name_is_said() {
    let from = tempfile::tempdir().unwrap();
    let mut content = Content::empty();
    for name in ["a", "b"] {
        fs::write(from.path().join(name), name).unwrap();
        content.carry(&carried(&from.path().join(name)));
    }
    let bundle = content.bundle();
    let to = from.path().join("to");
    let names_asked = ["b".to_owned()];
    let request = ExtractRequest {
        names: &names_asked,
        to: &to,
        overwrite: false,
    };
    let plan = plan_extract(&bundle, &request).unwrap();
    plan.execute(&bundle, &Cancel::new(), &NoObserver).unwrap();
    assert_eq!(names(&to), ["b"]);
    let unknown = ["c".to_owned()];
    let request = ExtractRequest {
        names: &unknown,
        ..request
    };
    let error = plan_extract(&bundle, &request).unwrap_err();
    assert!(error.to_string().contains("it carries a, b"), "{error}");
}

/// Asks to stop as soon as something was written.
struct Stop(Cancel);
impl sealift_pipeline::Observer for Stop {
    fn event(&self, event: &sealift_pipeline::Event<'_>) {
        if matches!(event, sealift_pipeline::Event::Advanced { .. }) {
            self.0.cancel();
        }
    }
}

#[test]
fn a_stopped_extraction_leaves_nothing_half_written() {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("a"), vec![1; 2_000_000]).unwrap();
    let mut content = Content::empty();
    content.carry(&carried(&from.path().join("a")));
    let bundle = content.bundle();
    let to = from.path().join("to");
    let request = ExtractRequest {
        names: &[],
        to: &to,
        overwrite: false,
    };
    let plan = plan_extract(&bundle, &request).unwrap();
    let cancel = Cancel::new();
    let error = plan
        .execute(&bundle, &cancel, &Stop(cancel.clone()))
        .unwrap_err();
    assert!(matches!(error, ExtractError::Cancelled(_)), "{error}");
    assert!(names(&to).is_empty());
}

#[test]
fn a_chart_becomes_what_helm_pushes() {
    let from = tempfile::tempdir().unwrap();
    let path = from.path().join("app-1.2.3+build.tgz");
    let yaml = b"apiVersion: v2\nname: app\nversion: 1.2.3+build\ndescription: An app\n";
    let gzip = flate2::write::GzEncoder::new(
        fs::File::create(&path).unwrap(),
        flate2::Compression::default(),
    );
    let mut builder = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(yaml.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "app/Chart.yaml", &yaml[..])
        .unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    let file = carried(&path);
    assert_eq!(file.entry.kind, FileKind::Chart);
    assert_eq!(
        file.entry.reference.to_string(),
        "sealift.invalid/app:1.2.3_build"
    );
    let config = file.manifest.config().unwrap();
    assert_eq!(config.media_type, media_type::HELM_CONFIG);
    let layers = file.manifest.layers();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].media_type, media_type::HELM_CHART);
    assert_eq!(content_of(&file), fs::read(&path).unwrap());
    let mut content = Content::empty();
    content.carry(&file);
    let to = from.path().join("to");
    extract(&content, &to, false).unwrap();
    assert_eq!(
        fs::read(to.join("app-1.2.3+build.tgz")).unwrap(),
        fs::read(&path).unwrap()
    );
}

#[test]
fn what_a_run_that_was_killed_left_is_removed_unless_it_is_still_written() {
    let from = tempfile::tempdir().unwrap();
    fs::write(from.path().join("a"), b"new").unwrap();
    folder(&from.path().join("f"));
    let mut content = Content::empty();
    content.carry(&carried(&from.path().join("a")));
    content.carry(&carried(&from.path().join("f")));
    let bundle = content.bundle();
    let to = tempfile::tempdir().unwrap();
    let request = ExtractRequest {
        names: &[],
        to: to.path(),
        overwrite: false,
    };
    let plan = plan_extract(&bundle, &request).unwrap();
    let left = |item: &ExtractItem, number: u32| {
        let name = format!(".sealift-{}-{number}.partial", item.digest.short());
        to.path().join(name)
    };
    let [file, other] = plan.items.as_slice() else {
        panic!("{:?}", plan.items)
    };
    fs::create_dir_all(left(other, 0).join("deep")).unwrap();
    fs::write(left(other, 0).join("deep/file"), b"cut off").unwrap();
    fs::write(left(file, 1), b"cut off").unwrap();
    let written = fs::File::create(left(file, 0)).unwrap();
    written.lock().unwrap();
    plan.execute(&bundle, &Cancel::new(), &NoObserver).unwrap();
    let locked = left(file, 0).file_name().unwrap().to_owned();
    let locked = locked.to_str().unwrap();
    assert_eq!(names(to.path()), [locked, "a", "f"]);
}
