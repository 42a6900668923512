//! Calico from a private registry: what the operator will ask for is there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use sealift_oci::Digest;
use sealift_testkit::{ImageMaker, Registry};
use serde_json::Value;

use crate::support::{WorkDir, names};

/// Puts an image under every name that `images` prints for `arguments`; they are empty but for their layer,
/// and no two are the same.
pub(crate) fn publish(work_dir: &WorkDir, source: &Registry, arguments: &[&str]) {
    let list = work_dir.ok(&[&["images"], arguments].concat());
    for line in list.lines() {
        let (name, tag) = line.rsplit_once(':').unwrap();
        let (_, repository) = name.split_once('/').unwrap();
        ImageMaker::new(repository)
            .make()
            .put_into(source, repository, Some(tag));
    }
}

/// A working folder with a bundle of what a default install pulls, made from a mirror that is gone.
fn work_dir_with_calico(version: &str) -> WorkDir {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let product = format!("calico@{version}");
    // Some operators ask every ImageSet for an image that only Windows nodes pull.
    let with: &[&str] = if version == "v3.25.0" {
        &["--with", "windows"]
    } else {
        &[]
    };
    publish(
        &work_dir,
        &source,
        &[&["--product", &product], with].concat(),
    );
    let mirror = source.host();
    let arguments = ["bundle", "--product", &product, "--product-mirror", &mirror];
    work_dir.ok(&[arguments.as_slice(), with, &["-o", "calico.tar", "--quiet"]].concat());
    work_dir
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

/// What an operator would ask for, given its resources, and not get: each image of the set by its digest.
pub(crate) fn missing(
    installation: &str,
    set: &str,
    host: &str,
    has: &dyn Fn(&str, &str) -> bool,
) -> Vec<String> {
    let images = pinned(set);
    assert!(images.len() >= 6, "{set}");
    let asked = images.into_iter().map(|(image, digest)| {
        let name = composed(installation, &image);
        let repository = name.strip_prefix(&format!("{host}/"));
        let repository = repository.unwrap_or_else(|| panic!("{name} is not at {host}"));
        (repository.to_owned(), digest.to_string())
    });
    asked
        .filter(|(repository, digest)| !has(repository, digest))
        .map(|(repository, digest)| format!("{repository}@{digest}"))
        .collect()
}

/// The tag of each image of a release, whether it is chosen or not.
fn tags(work_dir: &WorkDir, version: &str) -> BTreeMap<String, String> {
    let product = format!("calico@{version}");
    let json = work_dir.json(&["images", "--json", "--product", &product]);
    let products = &json["products"][0];
    let all = ["images", "leftOut"].map(|list| products[list].as_array().unwrap());
    let rows = all.into_iter().flatten();
    let tag = |row: &Value| {
        let (name, tag) = row["reference"].as_str()?.rsplit_once(':')?;
        let (_, repository) = name.split_once('/')?;
        (!tag.ends_with("-fips")).then(|| (repository.to_owned(), tag.to_owned()))
    };
    rows.filter_map(tag).collect()
}

/// Writes what is applied for `destination`, and plays the operator that reads it.
fn missing_after_product(work_dir: &WorkDir, destination: &Registry) -> Vec<String> {
    let host = destination.host();
    work_dir.ok(&[
        "product",
        "calico",
        "calico.tar",
        &host,
        "--out-dir",
        "apply",
    ]);
    let (installation, set) = resources(work_dir, "apply");
    let has = |repository: &str, digest: &str| destination.manifest(repository, digest).is_some();
    missing(&installation, &set, &host, &has)
}

/// The two resources in a folder of a working folder.
fn resources(work_dir: &WorkDir, folder: &str) -> (String, String) {
    let text = |name: &str| String::from_utf8(work_dir.read(&format!("{folder}/{name}"))).unwrap();
    (text("installation.yaml"), text("imageset.yaml"))
}

#[test]
fn the_destination_answers_every_reference_that_the_operator_composes() {
    for version in ["v3.20.0", "v3.25.0", "v3.28.5", "v3.30.7", "v3.32.1"] {
        let work_dir = work_dir_with_calico(version);
        let tags = tags(&work_dir, version);
        for (path, flags) in [
            ("", [].as_slice()),
            ("/a/b", &[]),
            ("/imgs", &["--naming", "flat"]),
            ("/a/b", &["--naming", "flat", "--image-prefix", "pre-"]),
        ] {
            let destination = Registry::start();
            let to = format!("{}{path}", destination.host());
            work_dir.ok(&[&["load", "calico.tar", &to, "--quiet"], flags].concat());
            let write = ["product", "calico", "calico.tar", &to, "--out-dir", "apply"];
            work_dir.ok(&[&write, flags, &["--overwrite"]].concat());
            let (installation, set) = resources(&work_dir, "apply");
            assert_eq!(field(&set, "name"), Some(format!("calico-{version}")));
            let has =
                |repository: &str, digest: &str| destination.manifest(repository, digest).is_some();
            let missing = missing(&installation, &set, &destination.host(), &has);
            assert_eq!(missing, Vec::<String>::new(), "{version} {to} {flags:?}");
            // Without an ImageSet the same names are asked for by the release's tag.
            for (image, digest) in pinned(&set) {
                let tag = &tags[&image];
                let name = composed(&installation, &image);
                let (_, repository) = name.split_once('/').unwrap();
                assert_eq!(
                    destination.tagged(repository, tag),
                    Some(digest),
                    "{name}:{tag}"
                );
            }
        }
    }
}

#[test]
fn an_image_that_is_left_out_is_missed() {
    let work_dir = work_dir_with_calico("v3.32.1");
    let destination = Registry::start();
    let host = destination.host();
    let load = [
        "load",
        "calico.tar",
        &host,
        "--quiet",
        "--skip",
        "*calico/typha*",
    ];
    work_dir.ok(&load);
    let missing = missing_after_product(&work_dir, &destination);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        missing[0].starts_with("calico/typha@sha256:"),
        "{missing:?}"
    );
}

#[test]
fn a_pull_secret_is_made_readable_by_its_owner_alone_and_never_printed() {
    let work_dir = work_dir_with_calico("v3.32.1");
    work_dir.write(
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
    let shown = work_dir.run(&[arguments.as_slice(), &["--dry-run"]].concat());
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(!shown.said().contains("bWU6Y2FuYXJ5") && !shown.said().contains("canary"));
    let written = work_dir.run(&[arguments.as_slice(), &["--out-dir", "apply"]].concat());
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    assert!(!written.said().contains("bWU6"), "{}", written.said());
    let secret = work_dir.path("apply/pull-secret-tigera-operator.yaml");
    assert_eq!(
        fs::metadata(&secret).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(names(&work_dir.path("apply")).contains(&"README.md".to_owned()));
    assert!(names(&work_dir.path("apply")).contains(&"CHECKLIST.md".to_owned()));
}

#[test]
fn what_cannot_work_is_said_and_nothing_is_written() {
    let work_dir = work_dir_with_calico("v3.32.1");
    work_dir.write("no-secret.json", "hello");
    work_dir.write(
        "no-spec.yaml",
        "apiVersion: operator.tigera.io/v1\nkind: Installation\n",
    );
    let all: [(&[&str], &str); 11] = [
        (
            &["r.corp", "--manifest", "no-spec.yaml"],
            "no field for the spec",
        ),
        (
            &["r.corp", "--patch", "--install", "helm"],
            "--patch cannot be used with",
        ),
        (&["corp"], "path on Docker Hub"),
        (
            &["r.corp", "--release", "v3.31.0"],
            "contains no image of calico v3.31.0",
        ),
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
        let run = work_dir.run(&[write.as_slice(), arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
        assert!(!work_dir.path("apply").exists(), "{arguments:?}");
    }
    let mirror = work_dir.run(&["mirror", "containerd", "calico.tar", "corp"]);
    assert_eq!(mirror.code, Some(2), "{}", mirror.said());
    let release = ["images", "--product", "calico@v3.32.1"];
    for (arguments, words) in [
        (&["--product-mirror", "corp/x"], "path on Docker Hub"),
        (&["--product-registry", "corp"], "path on Docker Hub"),
        (&["--with=windows", "--without=windows"], "both included"),
    ] {
        let run = work_dir.run(&[release.as_slice(), arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
    }
    let unknown = work_dir.run(&["images", "--product", "calico@v3.99.0"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("--product-data"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_folder_may_be_written_again_and_what_is_of_another_run_is_said() {
    let work_dir = work_dir_with_calico("v3.32.1");
    work_dir.write("r.yaml", "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata:\n  name: default\nspec: {}\n");
    let write = [
        "product",
        "calico",
        "calico.tar",
        "r.corp",
        "--out-dir",
        "apply",
    ];
    let given = [write.as_slice(), &["--manifest", "r.yaml"]].concat();
    work_dir.ok(&given);
    // As a run leaves it that was interrupted.
    fs::remove_file(work_dir.path("apply/README.md")).unwrap();
    let again = work_dir.run(&given);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(!again.stderr.contains("did not write"), "{}", again.stderr);
    let whole = work_dir.read("apply/README.md");
    let other = work_dir.run(&write);
    assert_eq!(other.code, Some(5), "{}", other.stderr);
    assert!(!work_dir.path("apply/installation.yaml").exists());
    assert_eq!(work_dir.read("apply/README.md"), whole);
    let other = work_dir.run(&[write.as_slice(), &["--overwrite"]].concat());
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    let said = "apply contains files that this run did not write: r.yaml";
    assert!(other.stderr.contains(said), "{}", other.stderr);
    work_dir.write("installation.yaml", "kind: Other\n");
    let two = work_dir.run(&[write.as_slice(), &["--manifest", "installation.yaml"]].concat());
    assert_eq!(two.code, Some(2), "{}", two.stderr);
    assert!(two.stderr.contains("two of the files"), "{}", two.stderr);
}

#[test]
fn an_install_whose_images_are_not_all_in_the_bundle_is_refused_unless_that_is_allowed() {
    let work_dir = work_dir_with_calico("v3.32.1");
    let manifest = include_str!("../fixtures/calico/02-tigera-operator.yaml");
    work_dir.write("02-tigera-operator.yaml", manifest);
    let write = [
        "product",
        "calico",
        "calico.tar",
        "r.corp/m",
        "--manifest",
        "02-tigera-operator.yaml",
        "--out-dir",
        "apply",
    ];
    // The manifest names it, and OpenShift needs it whatever the manifests are.
    for install in ["openshift", "operator"] {
        let run = work_dir.run(&[write.as_slice(), &["--install", install]].concat());
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let ctl = "quay.io/calico/ctl:v3.32.1, in 02-tigera-operator.yaml line 29, which has to be at r.corp/m/calico/ctl:v3.32.1";
        assert!(run.stderr.contains(ctl), "{}", run.stderr);
        assert!(run.stderr.contains("--allow-missing"), "{}", run.stderr);
        assert!(!work_dir.path("apply").exists());
    }
    let bare = ["product", "calico", "calico.tar", "r.corp/m", "--dry-run"];
    let openshift = work_dir.run(&[bare.as_slice(), &["--install", "openshift"]].concat());
    assert_eq!(openshift.code, Some(2), "{}", openshift.stderr);
    let words = "quay.io/calico/ctl:v3.32.1, which calico v3.32.1 on OpenShift pulls";
    assert!(openshift.stderr.contains(words), "{}", openshift.stderr);
    assert!(
        openshift.stderr.contains("--with openshift"),
        "{}",
        openshift.stderr
    );
    let allowed = ["--install", "openshift", "--allow-missing"];
    let allowed = work_dir.run(&[write.as_slice(), &allowed].concat());
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    let said = "warning: the bundle does not contain quay.io/calico/ctl:v3.32.1";
    assert!(allowed.stderr.contains(said), "{}", allowed.stderr);
}

#[test]
fn a_receipt_gives_product_the_destination_and_the_names() {
    let work_dir = work_dir_with_calico("v3.32.1");
    for (path, flags) in [
        ("", [].as_slice()),
        ("/a/b", &["--image-prefix", "corp-"]),
        ("/imgs", &["--naming", "flat"]),
    ] {
        let destination = Registry::start();
        let to = format!("{}{path}", destination.host());
        let load = [
            "load",
            "calico.tar",
            &to,
            "--quiet",
            "--receipt",
            "receipt.json",
        ];
        let _ = fs::remove_file(work_dir.path("receipt.json"));
        work_dir.ok(&[load.as_slice(), flags].concat());
        let write = [
            "product",
            "calico",
            "calico.tar",
            "--receipt",
            "receipt.json",
        ];
        let write = [write.as_slice(), &["--out-dir", "apply", "--overwrite"]].concat();
        work_dir.ok(&write);
        let (installation, set) = resources(&work_dir, "apply");
        let has =
            |repository: &str, digest: &str| destination.manifest(repository, digest).is_some();
        let missing = missing(&installation, &set, &destination.host(), &has);
        assert_eq!(missing, Vec::<String>::new(), "{to} {flags:?}");
        let readme = String::from_utf8(work_dir.read("apply/README.md")).unwrap();
        let load = [&["sealift load ../calico.tar", &to], flags]
            .concat()
            .join(" ")
            + "\n";
        assert!(readme.contains(&load), "{load}: {readme}");
    }
}

#[test]
fn the_chart_goes_into_the_folder_as_it_is() {
    let work_dir = work_dir_with_calico("v3.32.1");
    work_dir.write("tigera-operator-v3.32.1.tgz", b"\x1f\x8b chart");
    let write = [
        "product",
        "calico",
        "calico.tar",
        "r.corp",
        "--out-dir",
        "apply",
    ];
    let chart = ["--chart", "tigera-operator-v3.32.1.tgz"];
    let operator = work_dir.run(&[write.as_slice(), &chart].concat());
    assert_eq!(operator.code, Some(2), "{}", operator.stderr);
    work_dir.ok(&[write.as_slice(), &chart, &["--install", "helm"]].concat());
    let copied = work_dir.read("apply/tigera-operator-v3.32.1.tgz");
    assert_eq!(copied, b"\x1f\x8b chart");
    let readme = String::from_utf8(work_dir.read("apply/README.md")).unwrap();
    let command = "helm upgrade --install calico tigera-operator-v3.32.1.tgz ";
    assert!(readme.contains(command), "{readme}");
}

#[test]
fn a_receipt_of_something_else_is_refused() {
    let (work_dir, destination) = (work_dir_with_calico("v3.32.1"), Registry::start());
    let host = destination.host();
    let load = [
        "load",
        "calico.tar",
        &host,
        "--quiet",
        "--receipt",
        "receipt.json",
    ];
    work_dir.ok(&[load.as_slice(), &["--map", "quay.io/calico/=net/"]].concat());
    work_dir.write("not-a-receipt.json", "{}");
    let text = String::from_utf8(work_dir.read("receipt.json")).unwrap();
    let receipt: Value = serde_json::from_str(&text).unwrap();
    let own = receipt["bundle"].as_str().unwrap();
    let other = Digest::sha256(b"another bundle").to_string();
    work_dir.write("other.json", text.replacen(own, &other, 1));
    for (arguments, words) in [
        (
            &["--receipt", "receipt.json"][..],
            "no naming rule explains",
        ),
        (
            &["--receipt", "not-a-receipt.json"],
            "not-a-receipt.json: missing field",
        ),
        (&["--receipt", "other.json"], "is the receipt of bundle"),
        (
            &["r.corp", "--receipt", "receipt.json"],
            "is the receipt of a load to",
        ),
        (
            &["--receipt", "receipt.json", "--naming", "flat"],
            "cannot be used with",
        ),
        (&[], "REGISTRY[/PATH]"),
    ] {
        let write = ["product", "calico", "calico.tar", "--out-dir", "apply"];
        let run = work_dir.run(&[write.as_slice(), arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
        assert!(!work_dir.path("apply").exists());
    }
}

#[test]
fn a_mirror_with_a_path_gives_the_images_and_they_keep_their_publishers_names() {
    let (work_dir, source, destination) = (WorkDir::new(), Registry::start(), Registry::start());
    let product = ["--product", "calico@v3.29.7"];
    let mirror = format!("{}/proxy/all", source.host());
    let pulled = work_dir.ok(&[
        ["images"].as_slice(),
        &product,
        &["--product-mirror", &mirror],
    ]
    .concat());
    for line in pulled.lines() {
        let (name, tag) = line.rsplit_once(':').unwrap();
        let repository = name.strip_prefix(&format!("{}/", source.host())).unwrap();
        assert!(repository.starts_with("proxy/all/"), "{line}");
        let image = ImageMaker::new(repository).make();
        image.put_into(&source, repository, Some(tag));
    }
    work_dir.ok(&[
        ["bundle"].as_slice(),
        &product,
        &["--product-mirror", &mirror, "-o", "calico.tar", "--quiet"],
    ]
    .concat());
    let inspection = work_dir.json(&["inspect", "--json", "calico.tar"]);
    let images = inspection["images"].as_array().unwrap();
    let names: Vec<&str> = images
        .iter()
        .map(|image| image["reference"].as_str().unwrap())
        .collect();
    let own = work_dir.ok(&[["images"].as_slice(), &product].concat());
    assert_eq!(names, own.lines().collect::<Vec<_>>());
    let host = destination.host();
    work_dir.ok(&["load", "calico.tar", &host, "--quiet"]);
    let missing = missing_after_product(&work_dir, &destination);
    assert_eq!(missing, Vec::<String>::new());
    let docker = work_dir.ok(&["mirror", "docker", "calico.tar", &host]);
    assert!(docker.contains("registry-mirrors"), "{docker}");
    let containerd = work_dir.ok(&["mirror", "containerd", "calico.tar", &host]);
    for publisher in ["quay.io", "docker.io"] {
        assert!(containerd.contains(publisher), "{containerd}");
    }
}

#[test]
fn a_manifest_without_the_operator_is_refused_where_the_operator_installs() {
    let work_dir = work_dir_with_calico("v3.32.1");
    work_dir.write(
        "calico.yaml",
        include_str!("../fixtures/calico/calico.yaml"),
    );
    let write = ["product", "calico", "calico.tar", "r.corp"];
    let given = ["--manifest", "calico.yaml", "--out-dir", "apply"];
    for install in ["operator", "openshift", "helm"] {
        let run = work_dir.run(&[&write[..], &given, &["--install", install]].concat());
        assert_eq!(run.code, Some(2), "{install}: {}", run.said());
        for words in [
            "calico.yaml installs Calico without the operator",
            "hint: use --install manifests",
        ] {
            assert!(run.stderr.contains(words), "{install}: {}", run.stderr);
        }
        assert!(!work_dir.path("apply").exists());
    }
}
