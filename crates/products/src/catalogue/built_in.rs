//! The data files that are compiled in, in the order they are read.

/// Name and text of each file; a product's description comes before its releases.
pub(super) const FILES: &[(&str, &str)] = &[(
    "calico/product.yaml",
    include_str!("../../data/calico/product.yaml"),
)];
