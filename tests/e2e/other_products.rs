//! Products besides Calico: their images, and where their own settings look for them.

use std::fs;
use std::path::Path;

use sealift_testkit::{Image, ImageMaker, Registry, real::shared_data};
use serde_json::Value;

use crate::calico::publish;
use crate::support::WorkDir;

/// Arguments that choose a product's images, the list that upstream publishes of them, and their number.
const LISTS: &[(&[&str], &str, usize)] = &[
    (&["kubeadm@v1.26.0"], "kubeadm/v1.26.0.txt", 7),
    (&["kubeadm@v1.28.5"], "kubeadm/v1.28.5.txt", 7),
    (&["kubeadm@v1.36.5"], "kubeadm/v1.36.5.txt", 7),
    (&["k3s@v1.19.12-rc1+k3s2"], "k3s/image-list.2021.txt", 8),
    (&["k3s@v1.35.0+k3s1"], "k3s/image-list.2025-12.txt", 8),
    (
        &["rke2@v1.36.4+rke2r1", "--without", "canal"],
        "rke2/images-core.txt",
        15,
    ),
    (
        &["rke2@v1.36.4+rke2r1", "--without", "core"],
        "rke2/images-canal.txt",
        2,
    ),
    (
        &[
            "rke2@v1.36.4+rke2r1",
            "--without",
            "core,canal",
            "--with",
            "calico",
        ],
        "rke2/images-calico.txt",
        16,
    ),
    (
        &[
            "rke2@v1.36.4+rke2r1",
            "--without",
            "core,canal",
            "--with",
            "harvester",
        ],
        "rke2/images-harvester.txt",
        8,
    ),
    (
        &["cert-manager@v1.21.1"],
        "cert-manager/v1.21.1/images.txt",
        5,
    ),
    (&["argo-cd@v2.13.9"], "argo-cd/v2.13.9/images.txt", 3),
];

/// A working folder with the bundle of `product`, `p.tar`, made from a mirror that is gone.
fn work_dir_with(product: &[&str]) -> WorkDir {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    publish(&work_dir, &source, &[&["--product"], product].concat());
    let mirror = source.host();
    let from = ["--product-mirror", &mirror, "-o", "p.tar", "--quiet"];
    work_dir.ok(&[["bundle", "--product"].as_slice(), product, &from].concat());
    work_dir
}

/// Whether `registry` answers for a reference to it.
fn answers(registry: &Registry, reference: &str) -> bool {
    let name = reference.strip_prefix(&format!("{}/", registry.host()));
    let name = name.unwrap_or_else(|| panic!("{reference} is elsewhere"));
    let (repository, tag) = name.rsplit_once(':').unwrap();
    registry.tagged(repository, tag).is_some()
}

fn shared(path: &str) -> Option<String> {
    let path = shared_data()?.join("data/image-lists").join(path);
    Some(fs::read_to_string(path).unwrap())
}

#[test]
fn the_images_of_a_release_are_those_of_the_published_list() {
    let Some(shared) = shared_data() else { return };
    let work_dir = WorkDir::new();
    for (product, list, count) in LISTS {
        let list = shared.join("data/image-lists").join(list);
        let published = work_dir.ok(&["images", "-f", list.to_str().unwrap()]);
        let ours = work_dir.ok(&[["images", "--product"].as_slice(), product].concat());
        assert_eq!(ours.lines().count(), *count, "{product:?}");
        assert_eq!(ours, published, "{product:?}");
    }
}

#[test]
fn every_product_tells_its_images_as_json_with_what_was_left_out() {
    let work_dir = WorkDir::new();
    for (product, images, left_out) in [
        ("kubeadm@1.36", 7, &[][..]),
        ("k3s@1.35", 8, &[]),
        ("rke2@1.36", 17, &["calico", "cilium", "multus", "vsphere"]),
        ("cert-manager@1.21", 5, &[]),
        ("argo-cd@3.5", 3, &["ha"]),
        ("cilium@1.19", 3, &["hubble", "aws", "spire", "ztunnel"]),
        ("istio@1.30", 2, &["cni", "ambient"]),
    ] {
        let said = work_dir.json(&["images", "--json", "--product", product]);
        let release = &said["products"][0];
        let name = product.split('@').next().unwrap();
        assert!(release["product"].as_str().unwrap().starts_with(name));
        let chosen = release["images"].as_array().unwrap();
        assert_eq!(chosen.len(), images, "{product}");
        assert_eq!(said["images"].as_array().unwrap().len(), images);
        for image in chosen {
            let named = image["namedBy"].as_array().unwrap();
            assert!(!named.is_empty(), "{image}");
        }
        let others = release["leftOut"].to_string();
        for feature in left_out {
            assert!(
                others.contains(&format!("\"{feature}\"")),
                "{product}: {feature}"
            );
        }
        let newest = release["warnings"].to_string();
        assert!(
            newest.contains("newest known release of its series"),
            "{newest}"
        );
    }
}

#[test]
fn a_product_or_a_release_that_is_not_known_is_refused_with_those_that_are() {
    let work_dir = WorkDir::new();
    let products = "calico, kubeadm, k3s, rke2, cert-manager, argo-cd, cilium, istio";
    for (product, known) in [
        ("kubeadmin@v1.36.5", products),
        ("kubeadm@v1.36.99", "v1.36.5"),
        ("k3s@v1.35.0+k3s9", "v1.35.0+k3s1"),
        ("rke2@v1.36.4+rke2r9", "v1.36.4+rke2r1"),
        ("cert-manager@0.1", "v1.21.0 to v1.21.1"),
        ("argo-cd@v2.13.99", "v2.13.9"),
        ("cilium@v1.19.99", "v1.19.6"),
        ("istio@1.30.99", "1.30.3"),
    ] {
        for command in [&["images"][..], &["bundle", "--dry-run"]] {
            let run = work_dir.run(&[command, &["--product", product]].concat());
            assert_eq!(run.code, Some(2), "{product}: {}", run.said());
            assert!(run.stderr.contains(known), "{product}: {}", run.stderr);
            assert_eq!(run.stdout, "", "{product}");
        }
    }
    let run = work_dir.run(&["images", "--product", "rke2@1.36", "--with", "weave"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("canal, calico, cilium"),
        "{}",
        run.stderr
    );
    assert_eq!(work_dir.names(), Vec::<String>::new());
}

#[test]
fn kubeadm_finds_its_images_below_its_image_repository() {
    let work_dir = work_dir_with(&["kubeadm@v1.26.0"]);
    let destination = Registry::start();
    let to = format!("{}/subpath", destination.host());
    work_dir.ok(&["load", "p.tar", &to, "--naming", "flat", "--quiet"]);
    for (name, tag) in [
        ("kube-apiserver", "v1.26.0"),
        ("kube-controller-manager", "v1.26.0"),
        ("kube-scheduler", "v1.26.0"),
        ("kube-proxy", "v1.26.0"),
        ("pause", "3.9"),
        ("etcd", "3.5.6-0"),
        ("coredns", "v1.9.3"),
    ] {
        assert!(
            answers(&destination, &format!("{to}/{name}:{tag}")),
            "{name}"
        );
    }
    assert_eq!(destination.repositories().len(), 7);
}

#[test]
fn k3s_and_rke2_find_their_images_in_the_system_default_registry() {
    for product in [&["k3s@1.35"][..], &["rke2@1.36", "--with", "calico"]] {
        let work_dir = work_dir_with(product);
        let destination = Registry::start();
        work_dir.ok(&["load", "p.tar", &destination.host(), "--quiet"]);
        let list = work_dir.ok(&[["images", "--product"].as_slice(), product].concat());
        for line in list.lines() {
            // The setting takes Docker Hub's place in front of the name.
            let there = line.replace("docker.io", &destination.host());
            assert!(answers(&destination, &there), "{there}");
        }
    }
}

/// cert-manager's controller as its chart renders it: the solver is an argument.
pub(crate) const CONTROLLER: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cert-manager}
spec:
  template:
    spec:
      containers:
        - name: cert-manager-controller
          image: \"quay.io/jetstack/cert-manager-controller:v1.21.1\"
          args:
          - --v=2
          - --acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.21.1
";

#[test]
fn certmanagers_solver_is_carried_and_its_argument_rewritten() {
    let work_dir = work_dir_with(&["cert-manager@v1.21.1"]);
    let destination = Registry::start();
    let to = format!("{}/m", destination.host());
    work_dir.ok(&["load", "p.tar", &to, "--quiet"]);
    work_dir.write("controller.yaml", CONTROLLER);
    work_dir.ok(&["rewrite", "controller.yaml", "--to", &to]);
    let text = String::from_utf8(work_dir.read("controller.yaml")).unwrap();
    assert_eq!(text, CONTROLLER.replace("quay.io", &to));
    let solver = text.split("--acme-http01-solver-image=").nth(1).unwrap();
    assert!(answers(&destination, solver.trim()), "{solver}");

    let Some(values) = shared("cert-manager/v1.21.1/values.yaml") else {
        return;
    };
    work_dir.write("values.yaml", &values);
    work_dir.ok(&["rewrite", "values.yaml", "--to", &to]);
    let said = work_dir.json(&[
        "images",
        "-f",
        "values.yaml",
        "--allow-incomplete",
        "--json",
    ]);
    let places = said["incomplete"].as_array().unwrap();
    assert_eq!(places.len(), 5, "{places:?}");
    let text = String::from_utf8(work_dir.read("values.yaml")).unwrap();
    let value = |key: &str| {
        let mut found = text.lines().filter_map(|line| line.strip_prefix(key));
        found.next().unwrap().trim().trim_matches('"').to_owned()
    };
    let (registry, namespace) = (value("imageRegistry:"), value("imageNamespace:"));
    for name in [
        "controller",
        "webhook",
        "cainjector",
        "acmesolver",
        "startupapicheck",
    ] {
        let image = format!("{registry}/{namespace}/cert-manager-{name}:v1.21.1");
        assert!(answers(&destination, &image), "{image}");
    }
}

#[test]
fn istios_charts_find_their_images_by_the_rewritten_hub() {
    let work_dir = work_dir_with(&["istio@1.30.3", "--with", "ambient"]);
    let destination = Registry::start();
    let to = format!("{}/m", destination.host());
    work_dir.ok(&["load", "p.tar", &to, "--quiet"]);
    let mut found = Vec::new();
    for chart in ["istio-control/istio-discovery", "istio-cni", "ztunnel"] {
        let path = format!("istio/1.30.3/manifests/charts/{chart}/values.yaml");
        let Some(values) = shared(&path) else { return };
        // What upstream does to the charts when it releases them.
        let released = values
            .replace(
                "hub: registry.istio.io/testing",
                "hub: registry.istio.io/release",
            )
            .replace("tag: latest", "tag: 1.30.3");
        assert_ne!(released, values);
        work_dir.write("values.yaml", &released);
        work_dir.ok(&["rewrite", "values.yaml", "--to", &to]);
        let text = String::from_utf8(work_dir.read("values.yaml")).unwrap();
        let expected = released.replace("hub: registry.istio.io", &format!("hub: {to}"));
        assert_eq!(text, expected, "{chart}");
        let list = work_dir.ok(&["images", "-f", "values.yaml"]);
        found.extend(list.lines().map(str::to_owned));
    }
    assert_eq!(found.len(), 4, "{found:?}");
    for image in found {
        assert!(answers(&destination, &image), "{image}");
    }
}

/// A data file of a release of Cilium with the digests of `images`, by repository.
fn cilium_data(images: &[(&str, &Image)]) -> String {
    let rows = images.iter().map(|(repository, image)| {
        let digest = image.digest();
        format!("  - {{image: {repository}, digest: \"{digest}\"}}\n")
    });
    format!(
        "product: cilium\nreleases:\n- version: v1.99.0\n  registry: quay.io\n  images:\n{}",
        rows.collect::<Vec<_>>().concat()
    )
}

#[test]
fn ciliums_tag_and_digest_are_both_asked_for_and_both_carried() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let agent = ImageMaker::new("agent").make();
    let operator = ImageMaker::new("operator").make();
    let images = [
        ("cilium/cilium", &agent),
        ("cilium/operator-generic", &operator),
    ];
    for (repository, image) in images {
        image.put_into(&source, repository, Some("v1.99.0"));
    }
    work_dir.write("data.yaml", cilium_data(&images));
    let host = source.host();
    let arguments = [
        "bundle",
        "--product",
        "cilium@1.99",
        "--product-data",
        "data.yaml",
        "--product-mirror",
        &host,
        "--quiet",
    ];
    let plan = work_dir.json(&[&arguments[..], &["--dry-run", "--json"]].concat());
    assert!(plan.to_string().contains(&agent.digest().to_string()));
    work_dir.ok(&[&arguments[..], &["-o", "p.tar"]].concat());
    let destination = Registry::start();
    work_dir.ok(&["load", "p.tar", &destination.host(), "--quiet"]);
    for (repository, image) in images {
        image.assert_in(&destination, repository, Some("v1.99.0"));
    }
    // A tag that moves changes nothing, and where the digest is gone there is no release.
    let moved = ImageMaker::new("moved").make();
    moved.put_into(&source, "cilium/cilium", Some("v1.99.0"));
    work_dir.ok(&[&arguments[..], &["-o", "again.tar"]].concat());
    assert_eq!(work_dir.read("again.tar"), work_dir.read("p.tar"));
    source.forget_manifest("cilium/cilium", &agent.digest());
    let run = work_dir.run(&[&arguments[..], &["-o", "third.tar"]].concat());
    assert_ne!(run.code, Some(0));
    let digest = agent.digest().to_string();
    assert!(run.stderr.contains("cilium/cilium") && run.stderr.contains(&digest));
    assert!(!work_dir.path("third.tar").exists());
}

#[test]
fn where_platforms_were_chosen_the_new_digest_is_put_into_ciliums_values() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let agent = ImageMaker::new("agent").platforms(&["linux/amd64", "linux/arm64"]);
    let agent = agent.make();
    agent.put_into(&source, "cilium/cilium", Some("v1.99.0"));
    work_dir.write("data.yaml", cilium_data(&[("cilium/cilium", &agent)]));
    let old = agent.digest().to_string();
    let values = |repository: &str, digest: &str| {
        format!(
            "image:\n  override: ~\n  repository: \"{repository}\"\n  tag: \"v1.99.0\"\n  # of the index\n  digest: \"{digest}\"\n  useDigest: true\n"
        )
    };
    work_dir.write("values.yaml", values("quay.io/cilium/cilium", &old));
    let host = source.host();
    let product = ["--product", "cilium@1.99", "--product-data", "data.yaml"];
    let from = ["--product-mirror", &host, "--platform", "linux/arm64"];
    let to = ["-o", "p.tar", "--quiet"];
    work_dir.ok(&[&["bundle"], &product[..], &from, &to].concat());
    let destination = Registry::start();
    work_dir.ok(&["load", "p.tar", &destination.host(), "--quiet"]);
    let new = destination.tagged("cilium/cilium", "v1.99.0").unwrap();
    assert_ne!(new.to_string(), old);
    let to = ["--to", &destination.host(), "--pin", "p.tar"];
    work_dir.ok(&[&["rewrite", "values.yaml"], &to[..]].concat());
    let repository = format!("{}/cilium/cilium", destination.host());
    let expected = values(&repository, &new.to_string());
    assert_eq!(
        String::from_utf8(work_dir.read("values.yaml")).unwrap(),
        expected
    );
}

#[test]
fn a_release_that_the_program_does_not_know_comes_from_a_file() {
    let work_dir = WorkDir::new();
    let list = "docker.io/rancher/klipper-lb:v0.4.17\ndocker.io/rancher/mirrored-pause:3.10.2\n";
    let images: Vec<&str> = list.lines().collect();
    let images = images.join(", ");
    work_dir.write(
        "k3s.yaml",
        format!("product: k3s\nreleases:\n  - version: v1.36.4+k3s1\n    images: [{images}]\n"),
    );
    let said = work_dir.ok(&[
        "images",
        "--product",
        "k3s@1.36",
        "--product-data",
        "k3s.yaml",
    ]);
    assert_eq!(said, list);
    work_dir.write(
        "broken.yaml",
        "product: k3s\nreleases:\n- {version: v1.36.4+k3s1}\n",
    );
    let run = work_dir.run(&[
        "images",
        "--product",
        "k3s@1.36",
        "--product-data",
        "broken.yaml",
    ]);
    assert_eq!(run.code, Some(2), "{}", run.said());
    assert!(run.stderr.contains("broken.yaml"), "{}", run.stderr);
}

#[test]
fn the_readme_of_the_data_files_names_every_product() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../products/data/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let work_dir = WorkDir::new();
    let known = work_dir.json(&["product", "list", "--json"]);
    let known = known.as_array().unwrap();
    assert!(known.len() >= 8, "{known:?}");
    for product in known {
        let name = product["name"].as_str().unwrap();
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn ciliums_references_keep_tag_and_digest_in_json() {
    let work_dir = WorkDir::new();
    let said: Value = work_dir.json(&["images", "--json", "--product", "cilium@v1.20.0"]);
    for image in said["images"].as_array().unwrap() {
        let reference = image["reference"].as_str().unwrap();
        let (name, digest) = reference.split_once('@').unwrap();
        assert!(name.rsplit_once(':').unwrap().1.starts_with('v'), "{name}");
        assert!(digest.starts_with("sha256:"), "{digest}");
    }
}
