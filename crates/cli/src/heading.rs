//! Headings of the options in the help, the same in every command.

/// Which images and files.
pub(crate) const INCLUDE: &str = "What to include";
/// What is changed in a file.
pub(crate) const CHANGES: &str = "What to change";
/// How images are named at the destination.
pub(crate) const NAMES: &str = "Names at the destination";
/// Tags that an earlier release left at the destination.
pub(crate) const EARLIER: &str = "Tags of earlier releases";
/// What is checked, and what happens after a failure.
pub(crate) const CHECKS: &str = "Checks and failures";
/// What is written and printed, and where to.
pub(crate) const OUTPUT: &str = "Output";
/// How registries are reached.
pub(crate) const REGISTRY: &str = "Registry access";
/// Time, network and disk.
pub(crate) const PERFORMANCE: &str = "Performance";
/// Who may read what is served.
pub(crate) const ACCESS: &str = "TLS and passwords";
