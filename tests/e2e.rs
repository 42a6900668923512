//! The real program against registries and other people's tools.
//!
//! What the crates promise is tested in the crates; here is what only the whole can show.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "e2e/bad_input.rs"]
mod bad_input;
#[path = "e2e/calico.rs"]
mod calico;
#[path = "e2e/calico_docs.rs"]
mod calico_docs;
#[path = "e2e/calico_sets.rs"]
mod calico_sets;
#[path = "e2e/charts.rs"]
mod charts;
#[path = "e2e/checking.rs"]
mod checking;
#[path = "e2e/compact.rs"]
mod compact;
#[path = "e2e/crossing.rs"]
mod crossing;
#[path = "e2e/delta.rs"]
mod delta;
#[path = "e2e/delta_registries.rs"]
mod delta_registries;
#[path = "e2e/delta_review.rs"]
mod delta_review;
#[path = "e2e/estimating.rs"]
mod estimating;
#[path = "e2e/everyday.rs"]
mod everyday;
#[path = "e2e/hostile_text.rs"]
mod hostile_text;
#[path = "e2e/interchange.rs"]
mod interchange;
#[path = "e2e/interrupted.rs"]
mod interrupted;
#[path = "e2e/keeping_going.rs"]
mod keeping_going;
#[path = "e2e/limits.rs"]
mod limits;
#[path = "e2e/lists.rs"]
mod lists;
#[path = "e2e/mirroring.rs"]
mod mirroring;
#[path = "e2e/mirrors.rs"]
mod mirrors;
#[path = "e2e/other_products.rs"]
mod other_products;
#[path = "e2e/outputs.rs"]
mod outputs;
#[path = "e2e/own_program.rs"]
mod own_program;
#[path = "e2e/pages.rs"]
mod pages;
#[path = "e2e/product_docs.rs"]
mod product_docs;
#[path = "e2e/product_list.rs"]
mod product_list;
#[path = "e2e/pruning.rs"]
mod pruning;
#[path = "e2e/publisher_index.rs"]
mod publisher_index;
#[path = "e2e/reference.rs"]
mod reference;
#[path = "e2e/report_page.rs"]
mod report_page;
#[path = "e2e/requests.rs"]
mod requests;
#[path = "e2e/reviewing.rs"]
mod reviewing;
#[path = "e2e/rewriting.rs"]
mod rewriting;
#[path = "e2e/scratch.rs"]
mod scratch;
#[path = "e2e/secrets.rs"]
mod secrets;
#[path = "e2e/serving.rs"]
mod serving;
#[path = "e2e/serving_docs.rs"]
mod serving_docs;
#[path = "e2e/serving_tls.rs"]
mod serving_tls;
#[path = "e2e/signals.rs"]
mod signals;
#[path = "e2e/signatures.rs"]
mod signatures;
#[path = "e2e/support.rs"]
mod support;
