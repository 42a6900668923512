//! A release of many programs: those of Kubernetes, each given all before.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sealift_testkit::real::require;

use super::{Case, built, folder, go, link};
use crate::relate::tools::output;

const VERSION: &str = "v1.33.4";
/// The version of the modules that the repository of Kubernetes has in a folder of its own.
const STAGING: &str = "v0.33.4";
const ARCH: &str = "amd64";

/// Names and packages, in the order in which they are encoded.
const PROGRAMS: [(&str, &str); 15] = [
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
    (
        "cloud-controller-manager",
        "k8s.io/kubernetes/cmd/cloud-controller-manager",
    ),
    ("kubectl-convert", "k8s.io/kubernetes/cmd/kubectl-convert"),
    ("kubemark", "k8s.io/kubernetes/cmd/kubemark"),
    ("agnhost", "k8s.io/kubernetes/test/images/agnhost"),
    ("apiextensions-apiserver", "k8s.io/apiextensions-apiserver"),
    ("kube-aggregator", "k8s.io/kube-aggregator"),
    ("sample-apiserver", "k8s.io/sample-apiserver"),
    ("webhook", "k8s.io/pod-security-admission/cmd/webhook"),
];

/// The cases of the release, one for each program; none without Go.
pub(in crate::relate) fn release() -> Result<Vec<Case>, Box<dyn Error>> {
    if require("go").is_none() {
        return Ok(Vec::new());
    }
    let folder = folder()?;
    let module = module(&folder)?;
    let mut cases: Vec<Case> = Vec::new();
    for (name, package) in PROGRAMS {
        cases.push(Case {
            name: format!("release: {name}"),
            new: build(&folder, &module, name, package, "-compressdwarf=false")?,
            bases: cases.iter().map(|case| case.new.clone()).collect(),
            shipped: build(&folder, &module, name, package, "")?,
        });
    }
    Ok(cases)
}

fn build(
    folder: &Path,
    module: &Path,
    name: &str,
    package: &str,
    flags: &str,
) -> Result<PathBuf, Box<dyn Error>> {
    built(folder, &format!("kubernetes-{name}"), flags, |output| {
        eprintln!("building {package} {VERSION} {flags}");
        link(module, ARCH, package, flags, output)
    })
}

/// A module that requires Kubernetes. Its own modules are replaced there by folders, which the module proxy does not
/// have: here by the versions that were published with it.
fn module(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let module = folder.join(format!("module-kubernetes-{VERSION}"));
    if module.join("go.sum").is_file() {
        return Ok(module);
    }
    fs::create_dir_all(&module)?;
    if !module.join("go.mod").is_file() {
        go(&module, ARCH, &["mod", "init", "bench"])?;
    }
    let wanted = format!("k8s.io/kubernetes@{VERSION}");
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", &wanted]);
    let downloaded: serde_json::Value = serde_json::from_str(&output(&mut download)?)?;
    let requirements = downloaded["GoMod"]
        .as_str()
        .ok_or("no go.mod of Kubernetes")?;
    for line in fs::read_to_string(requirements)?.lines() {
        if let Some((name, _)) = line.split_once(" => ./staging/") {
            let name = name.trim().trim_start_matches("replace ");
            let replace = format!("-replace={name}={name}@{STAGING}");
            go(&module, ARCH, &["mod", "edit", &replace])?;
        }
    }
    go(&module, ARCH, &["get", &wanted])?;
    Ok(module)
}
