//! What the connected side promises, against a registry in this process.
#![allow(clippy::unwrap_used, missing_docs)]

mod faults;
mod interruptions;
mod keep_going;
mod local;
mod mirrors;
mod platforms;
mod real;
mod referrers;
mod resolving;
mod support;
mod writing;
