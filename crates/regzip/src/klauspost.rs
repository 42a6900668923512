//! `github.com/klauspost/compress/flate` and `github.com/klauspost/pgzip`, which podman, buildah,
//! skopeo, umoci and apko write layers with; and Go's own `compress/flate` from 1.27 on, which was
//! made from it.

mod behaviour;
mod descriptor;
mod effort;
mod entry;
mod estimate;
mod hasher;
mod history;
mod huffman_only;
mod lazy;
mod level;
mod level1;
mod level3;
mod level4;
mod level5;
mod level6;
mod literals;
mod pairs;
mod pgzip;
mod restart;
mod search;
mod stream;
mod tokens;
mod version;
mod writer;

pub use descriptor::Klauspost;
pub use pgzip::Pgzip;
pub use version::Version;
