//! Calico from a private registry: what the operator will ask for is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sealift_oci::Digest;
use sealift_testkit::{ImageMaker, Registry};

use crate::support::{Shore, names};

/// A registry with every image that `images --product` prints, under its own repository and tag, and a
/// bundle of them.
fn shore_with_calico(version: &str) -> Shore {
    let (shore, source) = (Shore::new(), Registry::start());
    let product = format!("calico@{version}");
    // Some operators ask every ImageSet for an image that only Windows nodes pull.
    let with: &[&str] = if version == "v3.25.0" {
        &["--with", "windows"]
    } else {
        &[]
    };
    let list = shore.ok(&[&["images", "--product", &product], with].concat());
    for line in list.lines() {
        let (name, tag) = line.rsplit_once(':').unwrap();
        let (_, repository) = name.split_once('/').unwrap();
        ImageMaker::new(repository)
            .make()
            .put_into(&source, repository, Some(tag));
    }
    let mirror = source.host();
    let arguments = ["bundle", "--product", &product, "--product-mirror", &mirror];
    shore.ok(&[arguments.as_slice(), with, &["-o", "calico.tar", "--quiet"]].concat());
    shore
}

/// A value of a YAML file that has it on a line of its own.
fn field(text: &str, key: &str) -> Option<String> {
    let start = format!("{key}:");
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(&start))?;
    let value = line.trim_start()[start.len()..]
        .trim()
        .trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// `image` and `digest` of every entry of an ImageSet.
fn pinned(text: &str) -> Vec<(String, Digest)> {
    let values = |key: &str| -> Vec<String> {
        let start = format!("{key}:");
        text.lines()
            .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(&start))
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
            .collect()
    };
    let (images, digests) = (values("image"), values("digest"));
    assert_eq!(images.len(), digests.len(), "{text}");
    let digests = digests.iter().map(|digest| digest.parse().unwrap());
    images.into_iter().zip(digests).collect()
}

/// What operators compose: `<registry><imagePath>/<imagePrefix><name>`, where the path replaces all
/// before the first slash of the default name.
fn composed(installation: &str, default: &str) -> String {
    let registry = field(installation, "registry").unwrap();
    let (path, name) = default.split_once('/').unwrap();
    let path = field(installation, "imagePath").unwrap_or_else(|| path.to_owned());
    let prefix = field(installation, "imagePrefix").unwrap_or_default();
    format!("{registry}{path}/{prefix}{name}")
}

#[test]
fn the_destination_answers_every_reference_that_the_operator_composes() {
    for version in ["v3.20.0", "v3.25.0", "v3.28.5", "v3.30.7", "v3.32.1"] {
        let shore = shore_with_calico(version);
        for (path, flags) in [
            ("", [].as_slice()),
            ("/a/b", &[]),
            ("/imgs", &["--naming", "flat"]),
            ("/a/b", &["--naming", "flat", "--image-prefix", "pre-"]),
        ] {
            let destination = Registry::start();
            let to = format!("{}{path}", destination.host());
            shore.ok(&[&["load", "calico.tar", &to, "--quiet"], flags].concat());
            let write = ["product", "calico", "calico.tar", &to, "--out-dir", "apply"];
            shore.ok(&[&write, flags, &["--overwrite"]].concat());
            let text =
                |name: &str| String::from_utf8(shore.read(&format!("apply/{name}"))).unwrap();
            let (installation, set) = (text("installation.yaml"), text("imageset.yaml"));
            assert_eq!(field(&set, "name"), Some(format!("calico-{version}")));
            let images = pinned(&set);
            assert!(images.len() >= 6, "{set}");
            for (image, digest) in images {
                let name = composed(&installation, &image);
                let repository = name
                    .strip_prefix(&format!("{}/", destination.host()))
                    .unwrap();
                let there = destination.manifest(repository, &digest.to_string());
                assert!(there.is_some(), "{version} {to} {flags:?}: {name}@{digest}");
            }
        }
    }
}

#[test]
fn an_image_that_is_left_out_is_missed() {
    let shore = shore_with_calico("v3.32.1");
    let destination = Registry::start();
    let skip = ["--skip", "*calico/typha*"];
    shore.ok(&[
        ["load", "calico.tar", &destination.host(), "--quiet"].as_slice(),
        &skip,
    ]
    .concat());
    assert!(
        destination
            .tags("calico/node")
            .contains(&"v3.32.1".to_owned())
    );
    assert!(destination.tags("calico/typha").is_empty());
}

#[test]
fn a_pull_secret_is_made_readable_by_its_owner_alone_and_never_printed() {
    let shore = shore_with_calico("v3.32.1");
    shore.write(
        "config.json",
        r#"{"auths":{"r.corp":{"auth":"bWU6Y2FuYXJ5"}}}"#,
    );
    let arguments = [
        "product",
        "calico",
        "calico.tar",
        "r.corp",
        "--pull-secret",
        "corp",
        "--credentials",
        "config.json",
    ];
    let shown = shore.run(&[arguments.as_slice(), &["--dry-run"]].concat());
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(!shown.said().contains("bWU6Y2FuYXJ5") && !shown.said().contains("canary"));
    let written = shore.run(&[arguments.as_slice(), &["--out-dir", "apply"]].concat());
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    assert!(!written.said().contains("bWU6"), "{}", written.said());
    let secret = shore.path("apply/pull-secret-tigera-operator.yaml");
    assert_eq!(
        fs::metadata(&secret).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(names(&shore.path("apply")).contains(&"README.md".to_owned()));
    assert!(names(&shore.path("apply")).contains(&"CHECKLIST.md".to_owned()));
}

#[test]
fn what_cannot_work_is_said_and_nothing_is_written() {
    let shore = shore_with_calico("v3.32.1");
    shore.write("no-secret.json", "hello");
    let all: [(&[&str], &str); 7] = [
        (&["r.corp", "--naming", "host"], "naming rule"),
        (&["r.corp", "--naming", "flat"], "needs a path"),
        (&["https://r.corp"], "https://r.corp"),
        (&["r.corp/Upper"], "Upper"),
        (&["r.corp", "--release", "v3.99.0"], "not known"),
        (
            &[
                "r.corp",
                "--pull-secret",
                "x",
                "--credentials",
                "no-secret.json",
            ],
            "no-secret.json",
        ),
        (&["r.corp", "--pull-secret", "Not A Name"], "Secret"),
    ];
    for (arguments, words) in all {
        let write = ["product", "calico", "calico.tar", "--out-dir", "apply"];
        let run = shore.run(&[write.as_slice(), arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
        assert!(!shore.path("apply").exists(), "{arguments:?}");
    }
    let unknown = shore.run(&["images", "--product", "calico@v3.99.0"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("--product-data"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn mirror_configuration_names_the_destination_for_the_images_of_the_bundle() {
    let shore = shore_with_calico("v3.32.1");
    for (format, file) in [
        ("containerd", "hosts.toml"),
        ("registries-conf", ".conf"),
        ("k3s", "registries.yaml"),
        ("openshift", ".yaml"),
    ] {
        let said = shore.ok(&["mirror", format, "calico.tar", "r.corp:5000/m"]);
        assert!(
            said.contains("r.corp:5000") && said.contains(file),
            "{format}: {said}"
        );
    }
    let flat = shore.run(&[
        "mirror",
        "containerd",
        "calico.tar",
        "r.corp:5000/m",
        "--naming",
        "flat",
    ]);
    assert_eq!(flat.code, Some(2), "{}", flat.stderr);
    assert!(flat.stderr.contains("keep"), "{}", flat.stderr);
}
