//! `github.com/klauspost/compress/flate` and `github.com/klauspost/pgzip`, which podman, buildah,
//! skopeo, umoci and apko write layers with; and Go's own `compress/flate` from 1.27 on, which was
//! made from it.

mod effort;
mod estimate;
mod habits;
mod hasher;
mod history;
pub(crate) mod lazy;
mod level1;
mod level3;
mod level4;
mod level5;
mod level6;
mod literals;
pub(crate) mod pgzip;
mod place;
mod plain;
pub(crate) mod stream;
mod tables;
mod tokens;
pub(crate) mod version;
mod writer;
