//! `bundle --chart`: the chart is carried, and its images, from packages, registries and chart repositories.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use sealift_oci::Digest;
use sealift_testkit::real::require;
use sealift_testkit::{ImageMaker, Registry};

use crate::support::{Run, WorkDir};

/// A chart `app` whose deployment runs one image, with another that values name only; packed as
/// `app-1.2.3.tgz`, with the images in a registry.
fn chart() -> (WorkDir, Registry) {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    for name in ["web", "optional"] {
        let image = ImageMaker::new(name).make();
        image.put_into(&registry, &format!("team/{name}"), Some("4.5"));
    }
    let host = registry.host();
    for folder in ["app", "app/templates"] {
        std::fs::create_dir(work_dir.path(folder)).unwrap();
    }
    work_dir.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 1.2.3\nappVersion: \"4.5\"\n",
    );
    work_dir.write(
        "app/values.yaml",
        format!(
            "image:\n  repository: {host}/team/web\n  tag: \"\"\noptional:\n  enabled: false\n  image:\n    repository: {host}/team/optional\n    tag: \"4.5\"\n"
        ),
    );
    work_dir.write(
        "app/templates/deployment.yaml",
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - name: app
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
"#,
    );
    let packed = Command::new("tar")
        .args(["-czf", "app-1.2.3.tgz", "app"])
        .current_dir(work_dir.folder())
        .status()
        .unwrap();
    assert!(packed.success());
    (work_dir, registry)
}

/// The images and files of a bundle, by name.
fn inside(work_dir: &WorkDir, bundle: &str) -> (Vec<String>, Vec<String>) {
    let inside = work_dir.json(&["inspect", bundle, "--json"]);
    let names = |list: &str, key: &str| {
        let items = inside[list].as_array().unwrap().iter();
        items
            .map(|item| item[key].as_str().unwrap().to_owned())
            .collect()
    };
    (names("images", "reference"), names("files", "name"))
}

/// Runs with a `PATH` of this folder, which has helm in it or not.
fn run_with_path(work_dir: &WorkDir, arguments: &[&str], path: &Path) -> Run {
    let output = work_dir.command(arguments).env("PATH", path).output();
    Run::of(output.unwrap())
}

#[test]
fn without_helm_the_values_name_the_images_and_guesses_are_reported() {
    let (work_dir, registry) = chart();
    let arguments = ["bundle", "--chart", "app-1.2.3.tgz", "-o", "a.tar", "-q"];
    let run = run_with_path(&work_dir, &arguments, work_dir.folder());
    assert_eq!(run.code, Some(0), "{}", run.said());
    for words in [
        "chart app 1.2.3: helm is not installed",
        "team/web:4.5: the tag is a guess",
    ] {
        assert!(run.stderr.contains(words), "{words} in {}", run.stderr);
    }
    let host = registry.host();
    let images = [
        format!("{host}/team/optional:4.5"),
        format!("{host}/team/web:4.5"),
    ];
    assert_eq!(
        inside(&work_dir, "a.tar"),
        (images.to_vec(), vec!["app-1.2.3.tgz".to_owned()])
    );
}

#[test]
fn with_helm_the_rendered_manifests_name_the_images() {
    let Some(helm) = require("helm") else { return };
    let (work_dir, registry) = chart();
    let folder = helm.parent().unwrap();
    let arguments = ["bundle", "--chart", "app-1.2.3.tgz", "-o", "a.tar", "-q"];
    let run = run_with_path(&work_dir, &arguments, folder);
    assert_eq!(run.code, Some(0), "{}", run.said());
    let host = registry.host();
    let only = format!("{host}/team/optional is in the values but not in the rendered manifests");
    assert!(run.stderr.contains(&only), "{}", run.stderr);
    let (images, files) = inside(&work_dir, "a.tar");
    assert_eq!(images, [format!("{host}/team/web:4.5")]);
    assert_eq!(files, ["app-1.2.3.tgz"]);

    work_dir.write("v.yaml", "image: {tag: [}");
    let values = [&arguments[..4], &["b.tar", "--chart-values", "v.yaml"]].concat();
    let run = run_with_path(&work_dir, &values, folder);
    assert_eq!(run.code, Some(1), "{}", run.said());
    assert!(
        run.stderr.contains("cannot be rendered: helm: "),
        "{}",
        run.stderr
    );
}

/// A server of these files; it ends with the process.
fn file_server(files: Vec<(String, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default();
            let found = files.iter().find(|(name, _)| name == path);
            let (status, body) = match found {
                Some((_, body)) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", &b""[..]),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body);
        }
    });
    address.to_string()
}

#[test]
fn a_chart_repository_gives_a_version_that_its_index_describes() {
    let (work_dir, _registry) = chart();
    let package = work_dir.read("app-1.2.3.tgz");
    let hex = Digest::sha256(&package).to_string().replace("sha256:", "");
    let index = |digest: &str| {
        format!("apiVersion: v1\nentries:\n  app:\n  - version: 1.2.3\n    digest: {digest}\n    urls: [app-1.2.3.tgz]\n").into_bytes()
    };
    let other = "0".repeat(64);
    let host = file_server(vec![
        ("/good/index.yaml".to_owned(), index(&hex)),
        ("/good/app-1.2.3.tgz".to_owned(), package.clone()),
        ("/bad/index.yaml".to_owned(), index(&other)),
        ("/bad/app-1.2.3.tgz".to_owned(), package),
    ]);
    let chart = |path: &str| format!("http://{host}/{path}");
    let run = |chart: &str| work_dir.run(&["bundle", "--chart", chart, "-o", "a.tar", "-q"]);
    let bad = run(&chart("bad/app@1.2.3"));
    assert_eq!(bad.code, Some(1), "{}", bad.said());
    assert!(bad.stderr.contains("as its index says"), "{}", bad.stderr);
    let missing = run(&chart("good/app@9.9.9"));
    assert!(
        missing.stderr.contains("has no version 9.9.9"),
        "{}",
        missing.stderr
    );
    let good = run(&chart("good/app@1.2.3"));
    assert_eq!(good.code, Some(0), "{}", good.said());
    let (images, files) = inside(&work_dir, "a.tar");
    assert_eq!((images.len(), files), (2, vec!["app-1.2.3.tgz".to_owned()]));
    let left = work_dir.names();
    assert!(
        !left.iter().any(|name| name.ends_with(".charts")),
        "{left:?}"
    );
}

#[test]
fn a_chart_repository_is_read_from_its_mirror() {
    let (work_dir, _registry) = chart();
    let package = work_dir.read("app-1.2.3.tgz");
    let index = "apiVersion: v1\nentries:\n  app:\n  - version: 1.2.3\n    urls: ['https://charts.invalid/stable/files/app-1.2.3.tgz']\n";
    let host = file_server(vec![
        ("/helm/stable/index.yaml".to_owned(), index.into()),
        ("/helm/stable/files/app-1.2.3.tgz".to_owned(), package),
    ]);
    let rule = format!("charts.invalid={host}/helm");
    let chart = "https://charts.invalid/stable/app@1.2.3";
    let bundle = [
        "bundle", "--chart", chart, "--mirror", &rule, "-o", "a.tar", "-q",
    ];
    work_dir.ok(&bundle);
    let (images, files) = inside(&work_dir, "a.tar");
    assert_eq!((images.len(), files), (2, vec!["app-1.2.3.tgz".to_owned()]));
    let other = format!("charts.invalid={host}/nothing");
    let bundle = [
        "bundle", "--chart", chart, "--mirror", &other, "-o", "b.tar", "-q",
    ];
    let run = work_dir.run(&bundle);
    assert_eq!(run.code, Some(1), "{}", run.said());
    assert!(
        run.stderr.contains("/nothing/stable/index.yaml"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_chart_in_a_registry_is_bundled_as_it_is_and_comes_from_a_mirror_if_there_is_one() {
    let (work_dir, registry) = chart();
    // As `helm push` stores it, which loading a carried chart does.
    work_dir.ok(&["bundle", "--carry", "app-1.2.3.tgz", "-o", "c.tar", "-q"]);
    let to = format!("{}/charts", registry.host());
    work_dir.ok(&["load", "c.tar", &to, "-q"]);
    let stored = registry.tagged("charts/app", "1.2.3").unwrap();
    let rule = format!("charts.example={to}");
    let oci = [
        "bundle",
        "--chart",
        "oci://charts.example/app@1.2.3",
        "--mirror",
        &rule,
    ];
    work_dir.ok(&[&oci[..], &["-o", "a.tar", "-q"]].concat());
    let inside = work_dir.json(&["inspect", "a.tar", "--json"]);
    let images = inside["images"].as_array().unwrap();
    let chart = images
        .iter()
        .find(|image| image["reference"] == "charts.example/app:1.2.3");
    assert_eq!(chart.unwrap()["digest"], stored.to_string());
    assert_eq!(images.len(), 3);
}
