//! `github.com/klauspost/compress/flate` and `github.com/klauspost/pgzip`, which podman, buildah,
//! skopeo, umoci and apko write layers with.

pub(crate) mod level5;
pub(crate) mod pgzip;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod writer;
