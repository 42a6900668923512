//! `sealift`: carries container images across an air gap.

mod exit;
mod failure;
mod progress;
mod words;

fn main() {}
