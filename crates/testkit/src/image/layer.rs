//! Makes layers, for tests.

use std::io::Write;

use sealift_oci::{Digest, media_type};

use super::Format;

/// The empty layer that many published images share: the gzip of an empty tar, as old versions of Docker
/// wrote it. Its digest begins with `a3ed95caeb02`.
pub const EMPTY_LAYER: [u8; 32] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x09, 0x6e, 0x88, 0x00, 0xff, 0x62, 0x18, 0x05, 0xa3, 0x60, 0x14,
    0x8c, 0x58, 0x00, 0x08, 0x00, 0x00, 0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0x00, 0x04, 0x00, 0x00,
];

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// Not at all.
    Plain,
}

/// A layer to be made: a tar with one file, with more, or with given files.
#[derive(Clone, Debug)]
pub struct Layer {
    files: Vec<(String, Vec<u8>)>,
    seed: String,
    size: usize,
    packing: Packing,
    everywhere: bool,
    empty: bool,
    /// More files: seeds and sizes.
    more: Vec<(String, usize)>,
}

impl Layer {
    /// A layer with a file of `size` bytes, compressed by gzip to about half of it. Each platform has
    /// its own content; images with the same seed share it.
    pub fn gzip(seed: &str, size: usize) -> Self {
        Self {
            files: Vec::new(),
            seed: seed.to_owned(),
            size,
            packing: Packing::Gzip,
            everywhere: false,
            empty: false,
            more: Vec::new(),
        }
    }

    /// The same, compressed by zstd.
    pub fn zstd(seed: &str, size: usize) -> Self {
        Self {
            packing: Packing::Zstd,
            ..Self::gzip(seed, size)
        }
    }

    /// The same, not compressed.
    pub fn plain(seed: &str, size: usize) -> Self {
        Self {
            packing: Packing::Plain,
            ..Self::gzip(seed, size)
        }
    }

    /// A gzip layer with these files, the same for all platforms.
    pub fn files(files: &[(&str, &[u8])]) -> Self {
        let owned = |(name, content): &(&str, &[u8])| ((*name).to_owned(), content.to_vec());
        Self {
            files: files.iter().map(owned).collect(),
            ..Self::gzip("files", 0)
        }
    }

    /// [`EMPTY_LAYER`].
    pub fn empty() -> Self {
        Self {
            empty: true,
            ..Self::gzip("empty", 0)
        }
    }

    /// With the same content for all platforms.
    pub fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// With one more file, the same for all platforms and in all layers that have it.
    pub fn file(mut self, seed: &str, size: usize) -> Self {
        self.more.push((seed.to_owned(), size));
        self
    }

    pub(super) fn seed(&self) -> &str {
        &self.seed
    }

    pub(super) fn media_type(&self, format: Format) -> &'static str {
        match (format, self.packing) {
            (Format::Oci, Packing::Gzip) => media_type::OCI_LAYER_GZIP,
            (Format::Oci, Packing::Zstd) => media_type::OCI_LAYER_ZSTD,
            (Format::Oci, Packing::Plain) => media_type::OCI_LAYER,
            (Format::Docker, Packing::Gzip) => media_type::DOCKER_LAYER_GZIP,
            (Format::Docker, Packing::Zstd) => "application/vnd.docker.image.rootfs.diff.tar.zstd",
            (Format::Docker, Packing::Plain) => media_type::DOCKER_LAYER,
        }
    }

    /// The digest of the tar, and the blob.
    pub(super) fn make(&self, platform: &str) -> (Digest, Vec<u8>) {
        if self.empty {
            return (Digest::sha256(&[0; 1024]), EMPTY_LAYER.to_vec());
        }
        let tar = if self.files.is_empty() {
            let platform = if self.everywhere { "" } else { platform };
            let content = filler(&format!("{}{platform}", self.seed), self.size);
            let more = self.more.iter();
            let mut files = vec![(file_name(&self.seed), content)];
            files.extend(more.map(|(seed, size)| (file_name(seed), filler(seed, *size))));
            tar_of(&["usr/", "usr/share/"], &files)
        } else {
            tar_of(&[], &self.files)
        };
        let packed = match self.packing {
            Packing::Plain => tar.clone(),
            Packing::Gzip => gzip(&tar),
            Packing::Zstd => zstd::encode_all(&tar[..], 3).expect("zstd writes to memory"),
        };
        (Digest::sha256(&tar), packed)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(6);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("gzip writes to memory")
}

fn file_name(seed: &str) -> String {
    format!("usr/share/{}", seed.replace(['/', ':'], "-"))
}

fn tar_of(folders: &[&str], files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for folder in folders {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        append(&mut builder, &mut header, folder, &[]);
    }
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        append(&mut builder, &mut header, name, content);
    }
    builder.into_inner().expect("tar writes to memory")
}

fn append(
    builder: &mut tar::Builder<Vec<u8>>,
    header: &mut tar::Header,
    name: &str,
    content: &[u8],
) {
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder
        .append_data(header, name, content)
        .expect("tar writes to memory");
}

/// `size` bytes that follow from the seed alone, and that compress to about half.
pub fn filler(seed: &str, size: usize) -> Vec<u8> {
    let digest = Digest::sha256(seed.as_bytes());
    let mut state = digest.as_bytes()[..8]
        .iter()
        .fold(1_u64, |state, byte| state << 8 | u64::from(*byte));
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = state & 0x0f0f_0f0f_0f0f_0f0f | 0x4040_4040_4040_4040;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
