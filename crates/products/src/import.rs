//! Readers of what upstream projects publish: each reads bytes with a name and returns the images that the
//! text names, with invalid references listed separately.

mod chart;
mod cilium;
mod collector;
mod components;
mod istio;
mod lists;
mod merge;
mod operator;
mod versions;

pub use chart::{cert_manager_values, tigera_operator_values};
pub use cilium::cilium_values;
pub use collector::{Import, ImportError};
pub use components::{OperatorRegistries, operator_components, operator_registries};
pub use istio::istio_values;
pub use lists::{image_list, manifest_references, release_metadata};
pub use merge::{MergeError, Merged, Part, data_file, gather, merge};
pub use operator::{Printed, calico_versions, print_images};
pub use versions::{PageNames, page_names_js, page_names_yml, releases_json, versions_yml};
