use std::fs;
use std::path::{Path, PathBuf};

use sealift_archive::{FileKind, ImageSource};
use sealift_bundle::{BundleError, FileRequest, LocalRequest, Request, resume};
use sealift_oci::{Descriptor, Digest, annotation, media_type};
use sealift_testkit::{Image, ImageMaker, Layer, Registry, Route, cosign};

use crate::support::{Connected, assert_has, image, plain, read, request, three, words};

/// Writes a layout folder with these images, each under its name.
fn layout(folder: &Path, images: &[(&str, &Image)]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(
        folder.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let mut named: Vec<Descriptor> = Vec::new();
    for (name, image) in images {
        for made in &image.manifests {
            put(folder, &made.descriptor.digest, &made.bytes);
        }
        for (digest, bytes) in &image.blobs {
            put(folder, digest, bytes);
        }
        named.push(
            image
                .root
                .clone()
                .with_annotation(annotation::REF_NAME, *name),
        );
    }
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": named,
    });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn put(folder: &Path, digest: &Digest, bytes: &[u8]) {
    let path = folder.join(digest.blob_path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn local(path: PathBuf) -> Request {
    Request {
        local: vec![path.into()],
        referrers: true,
        ..Request::default()
    }
}

/// A `docker save` archive as it was before it had manifests.
fn saved(path: &Path) -> Digest {
    let layer = {
        let mut layer = tar::Builder::new(Vec::new());
        append(&mut layer, "etc/hello", b"hello");
        layer.into_inner().unwrap()
    };
    let diff = Digest::sha256(&layer);
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [diff]},
    });
    let manifest = serde_json::json!([{
        "Config": "config.json", "RepoTags": ["r.example/hello:1"], "Layers": ["x/layer.tar"],
    }]);
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "x/layer.tar", &layer);
    append(&mut archive, "config.json", config.to_string().as_bytes());
    append(
        &mut archive,
        "manifest.json",
        manifest.to_string().as_bytes(),
    );
    fs::write(path, archive.into_inner().unwrap()).unwrap();
    diff
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content).unwrap();
}

#[test]
fn a_manifest_that_many_names_share_is_read_once_with_its_config() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.tar");
    let padding = vec![Vec::<u8>::new(); 300_000];
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "padding": padding,
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    let tags: Vec<String> = (0..1000)
        .map(|tag| format!("r.example/hello:{tag}"))
        .collect();
    let manifest = serde_json::json!([{
        "Config": "config.json", "RepoTags": tags, "Layers": [],
    }]);
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "config.json", config.to_string().as_bytes());
    append(
        &mut archive,
        "manifest.json",
        manifest.to_string().as_bytes(),
    );
    fs::write(&path, archive.into_inner().unwrap()).unwrap();
    let start = std::time::Instant::now();
    let plan = Connected::new().plan(&local(path)).unwrap();
    assert_eq!(plan.summary().images.len(), 1000);
    let took = start.elapsed();
    assert!(took < std::time::Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_layout_folder_is_carried_as_it_is() {
    let side = Connected::new();
    let image = image("a");
    let folder = side.folder.path().join("layout");
    layout(&folder, &[("r.example/a:v1", &image)]);
    side.build(&local(folder)).unwrap();
    let bundle = side.open();
    assert_has(&bundle, &image);
    let entry = &bundle.record().images[0];
    assert_eq!(entry.reference.to_string(), "r.example/a:v1");
    assert_eq!(entry.source, ImageSource::Layout);
    assert_eq!(entry.descriptor.digest, image.digest());
}

#[test]
fn a_tag_alone_needs_a_repository() {
    let side = Connected::new();
    let folder = side.folder.path().join("layout");
    layout(&folder, &[("v1", &image("a"))]);
    let words = words(side.build(&local(folder.clone())));
    assert!(words.contains("has no repository"), "{words}");
    let mut request = local(folder.clone());
    request.local = vec![LocalRequest {
        path: folder,
        repository: Some("r.example/given".to_owned()),
    }];
    side.build(&request).unwrap();
    let bundle = side.open();
    let reference = bundle.record().images[0].reference.to_string();
    assert_eq!(reference, "r.example/given:v1");
}

#[test]
fn a_docker_save_archive_gets_a_manifest_and_the_plan_says_so() {
    let side = Connected::new();
    let path = side.folder.path().join("saved.tar");
    let diff = saved(&path);
    let plan = side.plan(&local(path.clone())).unwrap();
    assert!(plan.summary().images[0].new_digest);
    assert_eq!(plan.summary().images[0].platforms, ["linux/amd64"]);
    side.write(&plan).unwrap();
    let bundle = side.open();
    let entry = &bundle.record().images[0];
    assert!(entry.new_digest && entry.source == ImageSource::DockerArchive);
    assert!(bundle.size(&diff).is_some(), "the layer is as it was saved");
    let again = Connected::new();
    again.build(&local(path)).unwrap();
    assert!(again.bytes() == side.bytes());
}

#[test]
fn what_is_on_disk_is_not_asked_of_the_registry() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let side = Connected::new();
    let folder = side.folder.path().join("layout");
    layout(&folder, &[("r.example/a:v1", &images[0])]);
    let mut request = plain(&names);
    request.local = vec![folder.into()];
    side.build(&request).unwrap();
    let bundle = side.open();
    assert_eq!(bundle.record().images.len(), 4);
    let traffic = registry.traffic();
    let asked = traffic.of("GET", Route::Blob);
    for blob in images[0].blobs.keys() {
        assert!(
            asked
                .iter()
                .all(|asked| asked.reference != blob.to_string())
        );
    }
    assert!(!asked.is_empty());
}

#[test]
fn a_bundle_is_a_source_with_its_referrers_and_files() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    cosign(&images[0].root, "sig").put_into(&registry, "one/a", None);
    let first = Connected::new();
    let chart = first.folder.path().join("notes.txt");
    fs::write(&chart, b"carry me").unwrap();
    let mut request = request(&names);
    request.platforms = vec!["linux/arm64".parse().unwrap()];
    request.files = vec![FileRequest {
        path: chart,
        name: None,
        program: None,
    }];
    first.build(&request).unwrap();
    let second = Connected::new();
    second.build(&local(first.path())).unwrap();
    let (one, two) = (first.open(), second.open());
    let (one, two) = (one.record(), two.record());
    assert_eq!(one.referrers, two.referrers);
    assert_eq!(one.files, two.files);
    assert_eq!((&one.manifests, &one.blobs), (&two.manifests, &two.blobs));
    for (one, two) in one.images.iter().zip(&two.images) {
        assert_eq!(
            (&one.original, &one.left_out),
            (&two.original, &two.left_out)
        );
        assert_eq!(one.descriptor, two.descriptor);
    }
}

#[test]
fn platforms_are_chosen_from_a_layout_that_was_saved_without_the_others() {
    let side = Connected::new();
    let image = ImageMaker::new("a")
        .layer(Layer::gzip("a", 500))
        .attested()
        .make();
    let folder = side.folder.path().join("layout");
    layout(&folder, &[("r.example/a:v1", &image)]);
    let children = image.children();
    for gone in [&children[0], &children[2]] {
        fs::remove_file(folder.join(gone.digest.blob_path())).unwrap();
    }
    let words = words(side.plan(&local(folder.clone())));
    assert!(words.contains(&children[0].digest.to_string()), "{words}");
    let mut chosen = local(folder.clone());
    chosen.platforms = vec!["linux/arm64".parse().unwrap()];
    side.build(&chosen).unwrap();
    side.open();
    fs::remove_file(folder.join(children[3].digest.blob_path())).unwrap();
    let plan = Connected::new().plan(&chosen).unwrap();
    let left_out = &plan.summary().images[0].left_out;
    assert!(
        left_out
            .iter()
            .any(|left| left.reason.contains("saved without"))
    );
}

#[test]
fn what_cannot_be_opened_is_listed_with_the_rest() {
    let registry = Registry::start();
    let side = Connected::new();
    let missing = registry.reference("no/such", "v1");
    let mut request = plain(std::slice::from_ref(&missing));
    request.local = vec![side.folder.path().join("no-layout").into()];
    request.files = vec![FileRequest {
        path: side.folder.path().join("no-file"),
        name: None,
        program: None,
    }];
    let words = words(side.plan(&request));
    for part in [
        missing.as_str(),
        "no-layout",
        "no-file",
        "3 images or files could not be bundled",
    ] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn files_folders_and_their_names_ride_along() {
    let side = Connected::new();
    let folder = side.folder.path().join("manifests");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.yaml"), b"a: 1\n").unwrap();
    let file = side.folder.path().join("run.sh");
    fs::write(&file, b"#!/bin/sh\n").unwrap();
    let request = Request {
        files: vec![
            FileRequest {
                path: folder,
                name: None,
                program: None,
            },
            FileRequest {
                path: file,
                name: Some("start.sh".to_owned()),
                program: None,
            },
        ],
        ..Request::default()
    };
    side.build(&request).unwrap();
    let bundle = side.open();
    let files = &bundle.record().files;
    let kinds: Vec<(&str, FileKind)> = files
        .iter()
        .map(|file| (file.name.as_str(), file.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("manifests", FileKind::Folder),
            ("start.sh", FileKind::File)
        ]
    );
    assert_eq!(
        read(&bundle, &Digest::sha256(b"#!/bin/sh\n")),
        b"#!/bin/sh\n"
    );
}

#[test]
fn two_files_of_one_name_are_refused() {
    let side = Connected::new();
    let mut files = Vec::new();
    for folder in ["x", "y"] {
        let path = side.folder.path().join(folder);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("same"), folder).unwrap();
        files.push(FileRequest {
            path: path.join("same"),
            name: None,
            program: None,
        });
    }
    let request = Request {
        files,
        ..Request::default()
    };
    let words = words(side.build(&request));
    assert!(
        words.contains("same: another file has this name"),
        "{words}"
    );
}

#[test]
fn a_file_that_changes_between_plan_and_writing_is_not_carried() {
    let side = Connected::new();
    let path = side.folder.path().join("file");
    fs::write(&path, b"before").unwrap();
    let request = Request {
        files: vec![FileRequest {
            path: path.clone(),
            name: None,
            program: None,
        }],
        ..Request::default()
    };
    let plan = side.plan(&request).unwrap();
    fs::write(&path, b"after!").unwrap();
    let result = side.write(&plan);
    assert!(
        matches!(result, Err(BundleError::Unfetched(_))),
        "{result:?}"
    );
    assert!(!side.path().exists());
    assert!(
        resume(&request, &side.output()).is_none(),
        "a new plan is needed"
    );
    side.build(&request).unwrap();
    let bundle = side.open();
    assert_eq!(read(&bundle, &Digest::sha256(b"after!")), b"after!");
}

#[test]
fn a_layout_that_changes_after_an_interruption_is_planned_anew() {
    let mut side = Connected::new();
    let folder = side.folder.path().join("layout");
    layout(&folder, &[("r.example/a:v1", &image("before"))]);
    let request = local(folder.clone());
    side.stopped_after(1);
    assert!(side.build(&request).is_err());
    side.not_stopped();
    assert!(resume(&request, &side.output()).is_some());
    let after = image("after, with a longer name");
    layout(
        &folder,
        &[("r.example/a:v1", &after), ("r.example/b:v1", &image("b"))],
    );
    side.build(&request).unwrap();
    assert_has(&side.open(), &after);
}
