//! Manifests are pointed at a registry, and nothing else in them changes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use sealift_testkit::{ImageMaker, Registry, real::shared_data};

use crate::support::{Product, WorkDir};

const DEPLOYMENT: &str = "\
# the operator
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
spec:
  template:
    spec:
      containers:
        - name: operator
          image: 'quay.io/tigera/operator:v1.42.3'   # keep this comment
";

#[test]
fn a_file_is_rewritten_in_place_once() {
    let work_dir = WorkDir::new();
    work_dir.write("operator.yaml", DEPLOYMENT);
    fs::set_permissions(
        work_dir.path("operator.yaml"),
        PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    let arguments = ["rewrite", "operator.yaml", "--to", "r.corp:5000/m"];
    let diff = work_dir.ok(&[arguments.as_slice(), &["--dry-run"]].concat());
    assert!(
        diff.contains("-          image: 'quay.io/tigera/operator:v1.42.3'"),
        "{diff}"
    );
    assert_eq!(work_dir.read("operator.yaml"), DEPLOYMENT.as_bytes());
    work_dir.ok(&arguments);
    let expected = DEPLOYMENT.replace("quay.io/", "r.corp:5000/m/");
    assert_eq!(work_dir.read("operator.yaml"), expected.as_bytes());
    work_dir.ok(&arguments);
    assert_eq!(work_dir.read("operator.yaml"), expected.as_bytes());
    let mode = fs::metadata(work_dir.path("operator.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(work_dir.names(), ["operator.yaml"]);
}

#[test]
fn a_link_stays_one_and_a_file_keeps_its_owner() {
    let work_dir = WorkDir::new();
    work_dir.write("operator.yaml", DEPLOYMENT);
    std::os::unix::fs::symlink("operator.yaml", work_dir.path("link.yaml")).unwrap();
    if std::os::unix::fs::chown(work_dir.path("operator.yaml"), Some(1234), Some(1235)).is_err() {
        println!("SKIPPED: only root may give files away");
    }
    let owner = || {
        let file = fs::metadata(work_dir.path("operator.yaml")).unwrap();
        (file.uid(), file.gid())
    };
    let before = owner();
    work_dir.ok(&["rewrite", "link.yaml", "--to", "r.corp"]);
    assert_eq!(owner(), before);
    assert!(work_dir.path("link.yaml").is_symlink());
    assert_eq!(work_dir.read("link.yaml"), work_dir.read("operator.yaml"));
    assert_ne!(work_dir.read("link.yaml"), DEPLOYMENT.as_bytes());
}

#[test]
fn another_folder_gets_the_result_and_a_pipe_too() {
    let work_dir = WorkDir::new();
    work_dir.write("operator.yaml", DEPLOYMENT);
    let to = ["--to", "r.corp:5000", "--pull-secret", "corp"];
    work_dir.ok(&[
        ["rewrite", "operator.yaml", "--out-dir", "new"].as_slice(),
        &to,
    ]
    .concat());
    assert_eq!(work_dir.read("operator.yaml"), DEPLOYMENT.as_bytes());
    let written = String::from_utf8(work_dir.read("new/operator.yaml")).unwrap();
    assert!(
        written.contains("r.corp:5000/tigera/operator:v1.42.3"),
        "{written}"
    );
    assert!(written.contains("- name: corp"), "{written}");
    let piped = work_dir.run_with_input(
        &[["rewrite", "-"].as_slice(), &to].concat(),
        DEPLOYMENT.as_bytes(),
    );
    assert_eq!((piped.code, piped.stdout), (Some(0), written));
    let again = [
        ["rewrite", "operator.yaml", "--out-dir", "new"].as_slice(),
        &to,
    ]
    .concat();
    work_dir.ok(&again);
    work_dir.write("new/operator.yaml", "mine");
    let refused = work_dir.run(&again);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_eq!(work_dir.read("new/operator.yaml"), b"mine");
}

#[test]
fn pins_are_the_digests_of_the_bundle_and_lead_from_a_whole_index_to_the_chosen_one() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(1000), Registry::start());
    product.put_into(&source);
    let image = source.reference("product/node", "v1");
    work_dir.ok(&[
        "bundle",
        &image,
        "--platform",
        "linux/arm64",
        "-o",
        "p.tar",
        "--quiet",
    ]);
    let inspection = work_dir.json(&["inspect", "--json", "p.tar"]);
    let (new, old) = (
        &inspection["images"][0]["digest"],
        &inspection["images"][0]["original"],
    );
    let (new, old) = (new.as_str().unwrap(), old.as_str().unwrap());
    assert_ne!(new, old);
    work_dir.write("list.txt", format!("{image}\n{image}@{old}\n"));
    work_dir.ok(&["rewrite", "list.txt", "--to", "r.corp", "--pin", "p.tar"]);
    let expected = format!("r.corp/product/node:v1@{new}\n").repeat(2);
    assert_eq!(
        String::from_utf8(work_dir.read("list.txt")).unwrap(),
        expected
    );
}

#[test]
fn what_is_no_manifest_is_refused_and_nothing_is_written() {
    let work_dir = WorkDir::new();
    work_dir.write("good.yaml", DEPLOYMENT);
    for (text, words) in [
        (
            DEPLOYMENT.replace("'quay.io/tigera/operator:v1.42.3'", "{{ .Values.image }}"),
            "Helm",
        ),
        (
            DEPLOYMENT.replace(
                "'quay.io/tigera/operator:v1.42.3'",
                "\"{{site.data.x}}/a:1\"",
            ),
            "Jekyll",
        ),
        ("a: [1, 2\nb: {".to_owned(), "YAML"),
    ] {
        work_dir.write("bad.yaml", &text);
        let run = work_dir.run(&["rewrite", "good.yaml", "bad.yaml", "--to", "r.corp"]);
        assert_eq!(run.code, Some(2), "{}", run.said());
        assert!(
            run.stderr.contains("bad.yaml:") && run.stderr.contains(words),
            "{}",
            run.stderr
        );
        assert_eq!(work_dir.read("good.yaml"), DEPLOYMENT.as_bytes());
        assert_eq!(work_dir.read("bad.yaml"), text.as_bytes());
    }
    for to in ["https://r.corp", "r.corp/Upper", "", "r corp", "corp"] {
        let run = work_dir.run(&["rewrite", "good.yaml", "--to", to]);
        assert_eq!(run.code, Some(2), "{to:?}: {}", run.said());
        assert_eq!(work_dir.read("good.yaml"), DEPLOYMENT.as_bytes());
    }
}

#[test]
fn standard_input_goes_to_standard_output_or_is_refused() {
    let work_dir = WorkDir::new();
    work_dir.write("good.yaml", DEPLOYMENT);
    for (beside, words) in [
        (["good.yaml"].as_slice(), "together with files"),
        (&["--out-dir", "new"], "into a folder"),
        (&["--json"], "with --json"),
    ] {
        let arguments = [["rewrite", "-", "--to", "r.corp"].as_slice(), beside].concat();
        let run = work_dir.run_with_input(&arguments, DEPLOYMENT.as_bytes());
        assert_eq!(run.code, Some(2), "{}", run.said());
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert_eq!(run.stdout, "");
        assert_eq!(work_dir.names(), ["good.yaml"]);
        let dry = [arguments.as_slice(), &["--dry-run"]].concat();
        let run = work_dir.run_with_input(&dry, DEPLOYMENT.as_bytes());
        assert_eq!(run.code, Some(0), "{}", run.said());
    }
    assert_eq!(work_dir.read("good.yaml"), DEPLOYMENT.as_bytes());
}

#[test]
fn a_reference_that_cannot_be_pinned_is_an_error_unless_that_is_allowed() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(1000), Registry::start());
    product.put_into(&source);
    let image = source.reference("product/node", "v1");
    work_dir.ok(&["bundle", &image, "-o", "p.tar", "--quiet"]);
    let pin = ["--to", "r.corp", "--pin", "p.tar"];
    for (text, at) in [
        (
            format!("a: {{image: '{image}'}}\nb: {{image: 'quay.io/t/b:v1'}}\n"),
            "f.yaml:2:",
        ),
        ("a: {image: quay.io/t/a}\n".to_owned(), "no tag specified"),
        (
            "image: {repository: quay.io/t, name: a, tag: v1}\n".to_owned(),
            "fields that no rule joins",
        ),
    ] {
        work_dir.write("f.yaml", &text);
        let refused = work_dir.run(&[&["rewrite", "f.yaml"], &pin[..]].concat());
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("1 reference cannot be pinned"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains(at), "{}", refused.stderr);
        assert_eq!(work_dir.read("f.yaml"), text.as_bytes());
        work_dir.ok(&[&["rewrite", "f.yaml", "--allow-unpinned"], &pin[..]].concat());
    }
}

#[test]
fn subfolders_are_kept_in_another_folder() {
    let work_dir = WorkDir::new();
    fs::create_dir_all(work_dir.path("m/ocp")).unwrap();
    work_dir.write("m/a.yaml", DEPLOYMENT);
    work_dir.write("m/ocp/a.yaml", DEPLOYMENT);
    work_dir.ok(&[
        "rewrite",
        "m/a.yaml",
        "m/ocp/a.yaml",
        "--to",
        "r.corp",
        "--out-dir",
        "new",
    ]);
    let expected = DEPLOYMENT.replace("quay.io/", "r.corp/");
    for name in ["new/a.yaml", "new/ocp/a.yaml"] {
        assert_eq!(work_dir.read(name), expected.as_bytes(), "{name}");
    }
    assert_eq!(work_dir.read("m/ocp/a.yaml"), DEPLOYMENT.as_bytes());
}

#[test]
fn a_file_without_images_is_not_called_rewritten() {
    let work_dir = WorkDir::new();
    work_dir.write(
        "ns.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
    );
    let told = work_dir.ok(&["rewrite", "ns.yaml", "--to", "r.corp"]);
    assert_eq!(
        told,
        "ns.yaml: no images (recognized as Kubernetes manifests)\n"
    );
}

#[test]
fn both_images_of_openshifts_operator_manifest_are_rewritten() {
    let Some(shared) = shared_data() else { return };
    let work_dir = WorkDir::new();
    let path = shared.join("data/calico/manifests/v3.25.0/ocp/02-tigera-operator.yaml");
    fs::copy(path, work_dir.path("02-tigera-operator.yaml")).unwrap();
    work_dir.ok(&[
        "rewrite",
        "02-tigera-operator.yaml",
        "--to",
        "r.corp",
        "--pull-secret",
        "corp",
    ]);
    let text = String::from_utf8(work_dir.read("02-tigera-operator.yaml")).unwrap();
    let images: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "))
        .collect();
    assert_eq!(
        images,
        [
            "r.corp/tigera/operator:v1.29.0",
            "r.corp/calico/ctl:v3.25.0"
        ]
    );
    assert_eq!(text.matches("- name: corp").count(), 1);
}

#[test]
fn a_receipt_gives_rewrite_the_destination_and_the_names() {
    let (work_dir, source, destination) = (WorkDir::new(), Registry::start(), Registry::start());
    for repository in ["a/one", "b/two"] {
        let image = ImageMaker::new(repository).make();
        image.put_into(&source, repository, Some("v1"));
    }
    let host = source.host();
    let (one, two) = (format!("{host}/a/one:v1"), format!("{host}/b/two:v1"));
    work_dir.ok(&["bundle", &one, &two, "-o", "b.tar", "--quiet"]);
    let to = format!("{}/m", destination.host());
    let map = format!("{host}/a/=net/");
    for (naming, names) in [
        (["--naming", "flat"], ["one", "two"]),
        (["--map", &map], ["net/one", "b/two"]),
    ] {
        work_dir.write("list.txt", format!("{one}\n{two}\n"));
        let _ = fs::remove_file(work_dir.path("r.json"));
        let load = ["load", "b.tar", &to, "--quiet", "--receipt", "r.json"];
        work_dir.ok(&[load.as_slice(), &naming].concat());
        work_dir.ok(&["rewrite", "list.txt", "--receipt", "r.json", "--quiet"]);
        let expected = names.map(|name| format!("{to}/{name}:v1\n")).concat();
        assert_eq!(work_dir.read("list.txt"), expected.as_bytes());
    }
    let both = work_dir.run(&["rewrite", "list.txt", "--receipt", "r.json", "--to", &to]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}
