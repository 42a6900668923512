//! Products: things with a known set of images and a known way of pointing their manifests at a
//! private registry. Calico first; kubeadm, k3s, RKE2, cert-manager, Argo CD, Cilium and Istio as data.
//!
//! Nothing here reads files, the network or the environment: texts come in as bytes with a name, and
//! results are values. The data files under `data/` are compiled in; `data/README.md` describes their
//! format, which [`Catalogue::with_file`] reads as well.
//!
//! - [`Catalogue`] knows products and releases; [`ProductSpec`] names one of them.
//! - [`Release::select`] gives the images of a release, with which source names each of them.
//! - [`calico`] says where Calico's operator will look for them and writes what has to be applied.
//! - [`mirror`] writes mirror configuration for container runtimes.
//! - [`import`] reads what upstream projects publish.

mod catalogue;
mod data;
mod emit;
mod features;
mod file;
mod select;
mod spec;
mod suggest;
mod tag;
mod version;

pub mod calico;
pub mod import;
pub mod mirror;

pub use catalogue::{Catalogue, CatalogueError, Resolved};
pub use data::{DataError, Feature, Gap, ImageRow, Product, Refused, Release, SetNaming, Source};
pub use features::FeatureImages;
pub use file::OutputFile;
pub use select::{ProductImage, ProductImages, RegistryChoice, SelectError, Selection, Warning};
pub use spec::{ProductSpec, SpecError};
pub use tag::floating;
pub use version::Version;
