//! The crate's promises, checked against upstream's own files if they are at hand.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "products/bad_input.rs"]
mod bad_input;
#[path = "products/calico_sets.rs"]
mod calico_sets;
#[path = "products/case.rs"]
mod case;
#[path = "products/coverage.rs"]
mod coverage;
#[path = "products/data_files.rs"]
mod data_files;
#[path = "products/features.rs"]
mod features;
#[path = "products/files.rs"]
mod files;
#[path = "products/helm.rs"]
mod helm;
#[path = "products/image_set.rs"]
mod image_set;
#[path = "products/instructions.rs"]
mod instructions;
#[path = "products/mirrors.rs"]
mod mirrors;
#[path = "products/operator.rs"]
mod operator;
#[path = "products/other_sets.rs"]
mod other_sets;
#[path = "products/pull_secrets.rs"]
mod pull_secrets;
#[path = "products/readers.rs"]
mod readers;
#[path = "products/releases.rs"]
mod releases;
#[path = "products/schema.rs"]
mod schema;
#[path = "products/shared.rs"]
mod shared;
