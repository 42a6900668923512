//! `mirror`: where its files are written, and when it refuses.

use std::fs;

use sealift_testkit::{ImageMaker, Registry};

use crate::support::{WorkDir, names};

/// A folder with `b.tar`, a bundle of two images from one registry.
fn with_bundle() -> (WorkDir, String) {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    for repository in ["calico/node", "calico/cni"] {
        let image = ImageMaker::new(repository).make();
        image.put_into(&source, repository, Some("v1"));
    }
    let host = source.host();
    let image = |name: &str| format!("{host}/calico/{name}:v1");
    work_dir.ok(&[
        "bundle",
        &image("node"),
        &image("cni"),
        "-o",
        "b.tar",
        "--quiet",
    ]);
    (work_dir, host)
}

#[test]
fn the_files_are_below_the_folder_as_the_runtime_reads_them() {
    let (work_dir, host) = with_bundle();
    let policy = ["--policy-key", "/etc/pki/k.pub"];
    let hosts = format!("{host}/hosts.toml");
    for (format, flags, expected) in [
        ("containerd", [].as_slice(), [hosts.as_str()].as_slice()),
        ("k3s", &[], &["registries.yaml"]),
        (
            "registries-conf",
            &policy,
            &[
                "registries.conf",
                "policy.json",
                "registries.d/sealift.yaml",
            ],
        ),
        (
            "openshift",
            &[],
            &["image-digest-mirror-set.yaml", "image-tag-mirror-set.yaml"],
        ),
    ] {
        let out = format!("{format}.d");
        let write = [
            "mirror",
            format,
            "b.tar",
            "r.corp:5000/m",
            "--out-dir",
            &out,
        ];
        let said = work_dir.ok(&[write.as_slice(), flags].concat());
        let written: Vec<&str> = said.lines().collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("{out}/{name}"))
            .collect();
        assert_eq!(written, expected);
        for path in expected {
            let text = fs::read_to_string(work_dir.path(&path)).unwrap();
            assert!(text.contains("r.corp:5000"), "{path}: {text}");
        }
    }
    assert_eq!(names(&work_dir.path("containerd.d")), [host]);
}

#[test]
fn printed_files_are_those_that_would_be_written() {
    let (work_dir, host) = with_bundle();
    for (format, file) in [
        ("containerd", format!("# {host}/hosts.toml\n")),
        ("registries-conf", "# registries.conf\n".to_owned()),
        ("k3s", "# registries.yaml\n".to_owned()),
        ("openshift", "# image-tag-mirror-set.yaml\n".to_owned()),
    ] {
        let said = work_dir.ok(&["mirror", format, "b.tar", "r.corp:5000/m"]);
        assert!(said.contains("r.corp:5000"), "{format}: {said}");
        assert!(said.contains(&file), "{format}: {said}");
    }
}

#[test]
fn plain_http_names_the_registry_and_loopback_needs_no_flag() {
    let (work_dir, _) = with_bundle();
    let mirror = |arguments: &[&str]| {
        work_dir.run(&[["mirror", "containerd", "b.tar"].as_slice(), arguments].concat())
    };
    for (arguments, scheme) in [
        (&["r.corp:5000/m"][..], "https"),
        (&["r.corp:5000/m", "--plain-http", "r.corp:5000"], "http"),
        (&["r.corp:5000/m", "--plain-http", "R.corp"], "http"),
        (&["localhost:5000"], "http"),
    ] {
        let run = mirror(arguments);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let start = format!("[host.\"{scheme}://");
        assert!(run.stdout.contains(&start), "{arguments:?}: {}", run.stdout);
    }
    let other = mirror(&["r.corp:5000/m", "--plain-http", "q.corp"]);
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(other.stderr.contains("r.corp:5000"), "{}", other.stderr);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_written() {
    let (work_dir, _) = with_bundle();
    work_dir.write("file", "");
    for (arguments, words) in [
        (&["r.corp/m", "--naming", "flat"][..], "keep"),
        (&["corp"], "path on Docker Hub"),
        (&["r.corp", "--out-dir", "file"], "file is not a folder"),
    ] {
        let run = work_dir.run(&[["mirror", "k3s", "b.tar"].as_slice(), arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
    }
    let docker = work_dir.run(&["mirror", "docker", "b.tar", "r.corp"]);
    assert_eq!(docker.code, Some(2), "{}", docker.said());
    assert!(docker.stderr.contains("docker.io"), "{}", docker.stderr);
}

#[test]
fn a_policy_that_nobody_reads_is_reported() {
    let (work_dir, _) = with_bundle();
    let key = ["--policy-key", "/k.pub"];
    let run = work_dir.run(&[["mirror", "k3s", "b.tar", "r.corp"].as_slice(), &key].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("k3s does not check signatures"),
        "{}",
        run.stderr
    );
}
