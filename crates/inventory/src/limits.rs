//! How much of a layer, and of all layers together, is read. Real images are far below each limit; a layer above one is
//! reported as not read.

/// The most bytes that one layer may have once it is decompressed.
pub const MAX_LAYER_BYTES: u64 = 128 << 30;
/// The most entries that one layer may have.
pub const MAX_LAYER_ENTRIES: usize = 1_000_000;
/// The most names that an image may have, all layers together.
pub const MAX_TREE_ENTRIES: usize = 2_000_000;
/// The most bytes that the names and link targets of one layer may have together.
pub const MAX_LAYER_NAMES: usize = 128 << 20;
/// The most bytes of names and link targets that an image may have, all layers together.
pub const MAX_TREE_NAMES: usize = 256 << 20;
/// The most bytes of names and link targets of all layers that are kept at once, since an image still needs them.
pub const MAX_KEPT_NAMES: usize = 256 << 20;
/// The most entries of all layers that are kept at once.
pub const MAX_KEPT_ENTRIES: usize = 4_000_000;
/// The most bytes that all layers may have once they are decompressed, besides [`OPENED_PER_BYTE`] for each byte of theirs.
pub const MAX_OPENED: u64 = 64 << 30;
/// How many decompressed bytes of all layers each of their bytes allows.
pub const OPENED_PER_BYTE: u64 = 16;
/// The most bytes that a name in a layer may have; Linux allows 4095.
pub const MAX_NAME: usize = 4096;
/// The most bytes of one metadata entry of a tar (a long name, PAX records).
pub const MAX_METADATA: u64 = 1 << 20;
/// The most layers of one image; registries and runtimes stop at 127.
pub const MAX_LAYERS: usize = 1000;
/// The largest file, in bytes, that is searched for packages or build information.
pub const MAX_SEARCHED_FILE: u64 = 256 << 20;
/// The most bytes of files that are held in memory at once, by all layers that are scanned together.
pub const MAX_MEMORY: u64 = 512 << 20;
/// The most packages that one database may list.
pub const MAX_PACKAGES: usize = 100_000;
/// The most modules that one Go program may list.
pub const MAX_MODULES: usize = 20_000;
/// The most bytes of a name or version that are kept.
pub const MAX_FIELD: usize = 1024;
/// The most notes that are kept for one layer or image; how many more there were is counted.
pub const MAX_NOTES: usize = 200;
/// How many symbolic links are followed for one name, as in Linux.
pub const MAX_LINKS: usize = 40;
