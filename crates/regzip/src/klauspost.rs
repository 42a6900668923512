//! `github.com/klauspost/compress/flate` and `github.com/klauspost/pgzip`, which podman, buildah,
//! skopeo, umoci and apko write layers with; and Go's own `compress/flate` from 1.27 on, which was
//! made from it.

pub(crate) mod lazy;
pub(crate) mod level1;
pub(crate) mod level3;
pub(crate) mod level4;
pub(crate) mod level5;
pub(crate) mod level6;
pub(crate) mod pgzip;
pub(crate) mod plain;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod writer;
