//! The data files that are compiled in, in the order they are read.

/// A file below `data/`, under its path there.
macro_rules! data {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../data/", $path)))),*]
    };
}

/// Name and text of each file; a product's description comes before its releases.
pub(super) const FILES: &[(&str, &str)] = data![
    "calico/product.yaml",
    "calico/v3.20.yaml",
    "calico/v3.21.yaml",
    "calico/v3.22.yaml",
    "calico/v3.23.yaml",
    "calico/v3.24.yaml",
    "calico/v3.25.yaml",
    "calico/v3.26.yaml",
    "calico/v3.27.yaml",
    "calico/v3.28.yaml",
    "calico/v3.29.yaml",
    "calico/v3.30.yaml",
    "calico/v3.31.yaml",
    "calico/v3.32.yaml",
    "kubeadm.yaml",
    "k3s.yaml",
    "rke2.yaml",
    "cert-manager.yaml",
    "argo-cd.yaml",
    "cilium/product.yaml",
    "cilium/v1.16.yaml",
    "cilium/v1.17.yaml",
    "cilium/v1.18.yaml",
    "cilium/v1.19.yaml",
    "cilium/v1.20.yaml",
    "istio.yaml",
];
