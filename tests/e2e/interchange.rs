//! Other people's tools read what we write, and we read what they write.

use std::fs;
use std::path::Path;

use sealift_testkit::real::{Podman, RealRegistry, Skopeo, require, run_ok};
use sealift_testkit::{ImageMaker, Layer, Registry};

use crate::support::{WorkDir, work_dir_with_bundle};

/// skopeo and podman find nothing but OCI's media types in a layout; an image in Docker's schema 2 they
/// get from `sealift serve`.
#[test]
fn skopeo_copies_every_oci_image_out_of_a_bundle() {
    let Some(skopeo) = Skopeo::find() else { return };
    let (work_dir, product) = work_dir_with_bundle();
    let inspection = work_dir.json(&["inspect", "--json", "product.tar"]);
    let mut copied = 0;
    for image in inspection["images"].as_array().unwrap() {
        if !image["mediaType"].as_str().unwrap().contains(".oci.") {
            continue;
        }
        let reference = image["reference"].as_str().unwrap();
        let name = format!(
            "oci-archive:{}:{reference}",
            work_dir.path("product.tar").display()
        );
        let destination = Registry::start();
        skopeo.copy(&name, &format!("docker://{}/copied:v1", destination.host()));
        let digest = image["digest"].as_str().unwrap();
        assert_eq!(
            destination.tagged("copied", "v1").unwrap().to_string(),
            digest
        );
        assert!(
            product
                .names
                .iter()
                .any(|(_, image)| image.digest().to_string() == digest)
        );
        copied += 1;
    }
    assert_eq!(copied, 1);
}

#[test]
fn podman_pulls_an_image_out_of_a_bundle() {
    let Some(podman) = Podman::find() else { return };
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let image = ImageMaker::new("app")
        .layer(Layer::gzip("app", 5000))
        .make();
    image.put_into(&source, "app", Some("v1"));
    let reference = source.reference("app", "v1");
    work_dir.ok(&["bundle", &reference, "-o", "app.tar", "--quiet"]);
    let archive = format!(
        "oci-archive:{}:{reference}",
        work_dir.path("app.tar").display()
    );
    podman.run_ok(&["pull", "--quiet", &archive]);
    let images = podman.run_ok(&["images", "--noheading", "--digests"]);
    assert_eq!(images.lines().count(), 1, "{images}");
}

#[test]
fn a_real_registry_serves_what_was_loaded_with_the_same_digests() {
    let Some(skopeo) = Skopeo::find() else { return };
    for registry in [RealRegistry::distribution2(), RealRegistry::distribution3()] {
        let Some(registry) = registry else { continue };
        let (work_dir, product) = work_dir_with_bundle();
        let to = format!("{}/mirror", registry.host());
        work_dir.ok(&["load", "product.tar", &to, "--quiet"]);
        for (repository, image) in &product.names {
            let name = format!("docker://{to}/{repository}:v1");
            let made = image.manifest(&image.digest()).unwrap();
            assert_eq!(skopeo.raw_manifest(&name), &made.bytes[..], "{repository}");
            // Every blob of every platform is there and right: skopeo checks each.
            let copy = work_dir.path("copy");
            skopeo.copy(&name, &format!("dir:{}", copy.display()));
            fs::remove_dir_all(copy).unwrap();
        }
        // Nothing is sent twice: a second load writes nothing into the storage.
        let before = listing(&registry.storage());
        work_dir.ok(&["load", "product.tar", &to, "--quiet"]);
        assert_eq!(listing(&registry.storage()), before);
    }
}

/// Every file below `folder` with its size and time of change.
fn listing(folder: &Path) -> Vec<String> {
    let Some(find) = require("find") else {
        return Vec::new();
    };
    let folder = folder.to_str().unwrap();
    let said = run_ok(&find, &[folder, "-type", "f", "-printf", "%p %s %T@\\n"]);
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// An OCI layout that umoci makes, with one layer of its own gzip.
fn by_umoci(work_dir: &WorkDir) -> Option<String> {
    let umoci = require("umoci")?;
    let layout = work_dir.path("umoci");
    let layout = layout.to_str().unwrap();
    run_ok(&umoci, &["init", "--layout", layout]);
    run_ok(&umoci, &["new", "--image", &format!("{layout}:made")]);
    fs::write(
        work_dir.path("hello.txt"),
        "hello from umoci\n".repeat(1000),
    )
    .unwrap();
    let file = work_dir.path("hello.txt");
    let image = format!("{layout}:made");
    run_ok(
        &umoci,
        &[
            "insert",
            "--image",
            &image,
            file.to_str().unwrap(),
            "/hello.txt",
        ],
    );
    Some(layout.to_owned())
}

#[test]
fn a_layout_that_umoci_wrote_arrives_with_its_digest() {
    let (work_dir, Some(skopeo)) = (WorkDir::new(), Skopeo::find()) else {
        return;
    };
    let Some(layout) = by_umoci(&work_dir) else {
        return;
    };
    let from = format!("{layout}=made.example/umoci/app");
    work_dir.ok(&["bundle", "--from", &from, "-o", "umoci.tar", "--quiet"]);
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    work_dir.ok(&["load", "umoci.tar", &registry.host(), "--quiet"]);
    let there = skopeo.raw_manifest(&format!("docker://{}/umoci/app:made", registry.host()));
    let here = skopeo.raw_manifest(&format!("oci:{layout}:made"));
    assert!(there == here);
}

#[test]
fn what_buildah_commits_and_skopeo_converts_passes_through() {
    let (work_dir, Some(skopeo), Some(buildah)) =
        (WorkDir::new(), Skopeo::find(), require("buildah"))
    else {
        return;
    };
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    let storage = [
        "--root",
        "root",
        "--runroot",
        "run",
        "--storage-driver",
        "vfs",
    ];
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(&buildah)
            .args(storage)
            .args(arguments)
            .current_dir(work_dir.folder())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "buildah {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    work_dir.write("app", "an application\n".repeat(3000));
    let container = run(&["from", "scratch"]);
    run(&["copy", &container, "app", "/app"]);
    let mut names = Vec::new();
    for format in ["oci", "docker"] {
        run(&[
            "commit",
            "--format",
            format,
            &container,
            &format!("made:{format}"),
        ]);
        let name = format!("{}/made:{format}", registry.host());
        let to = format!("docker://{name}");
        run(&["push", "--tls-verify=false", &format!("made:{format}"), &to]);
        names.push(name);
    }
    // The same once more with layers in zstd and without compression.
    for (format, tag) in [("zstd", "zstd"), ("gzip", "gzip")] {
        let to = format!("{}/made:{tag}-again", registry.host());
        let arguments = [
            "--insecure-policy",
            "copy",
            "-q",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "--format",
            "oci",
            "--dest-compress-format",
            format,
            &format!("docker://{}", names[0]),
            &format!("docker://{to}"),
        ];
        assert!(skopeo.run(&arguments).status.success());
        names.push(to);
    }
    let images: Vec<&str> = names.iter().map(String::as_str).collect();
    work_dir.ok(&[&["bundle", "-o", "made.tar", "--quiet"], images.as_slice()].concat());
    let to = format!("{}/arrived", registry.host());
    work_dir.ok(&["load", "made.tar", &to, "--naming", "flat", "--quiet"]);
    for name in &names {
        let arrived = name.replacen("/made", "/arrived/made", 1);
        let there = skopeo.raw_manifest(&format!("docker://{arrived}"));
        assert!(
            there == skopeo.raw_manifest(&format!("docker://{name}")),
            "{name}"
        );
    }
}

#[test]
fn helm_pulls_a_chart_that_was_carried() {
    let Some(helm) = require("helm") else { return };
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    let work_dir = WorkDir::new();
    let helm = |arguments: &[&str]| {
        let output = std::process::Command::new(&helm)
            .args(arguments)
            .current_dir(work_dir.folder())
            .env("HOME", work_dir.folder())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {arguments:?}: {stderr}");
    };
    helm(&["create", "app"]);
    helm(&["package", "app", "--version", "1.2.3+build.4"]);
    let package = "app-1.2.3+build.4.tgz";
    work_dir.ok(&["bundle", "--carry", package, "-o", "chart.tar", "--quiet"]);
    work_dir.ok(&[
        "load",
        "chart.tar",
        &format!("{}/charts", registry.host()),
        "--quiet",
    ]);
    fs::create_dir(work_dir.path("pulled")).unwrap();
    let name = format!("oci://{}/charts/app", registry.host());
    helm(&[
        "pull",
        &name,
        "--version",
        "1.2.3+build.4",
        "--plain-http",
        "-d",
        "pulled",
    ]);
    assert!(work_dir.read(&format!("pulled/{package}")) == work_dir.read(package));
}
