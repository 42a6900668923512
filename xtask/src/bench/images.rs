//! A realistic set of images: large and small layers, bases that several share.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};

use sealift_oci::{Algorithm, Descriptor, Digest, Hasher, media_type};

use crate::wire::Connection;

/// A blob whose content follows from a seed, so that it needs no memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Blob {
    seed: u64,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its digest.
    pub(crate) digest: Digest,
}

/// One image of the set.
pub(crate) struct Image {
    /// Its repository.
    pub(crate) repository: String,
    /// The manifest's bytes.
    pub(crate) manifest: Vec<u8>,
    /// The config's bytes.
    pub(crate) config: Vec<u8>,
    /// Its layers, base first.
    pub(crate) layers: Vec<Blob>,
}

/// The tag of every image of the set.
pub(crate) const TAG: &str = "v1";

impl Blob {
    fn new(seed: u64, size: u64) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let blob = Self {
            seed,
            size,
            digest: Digest::sha256(b""),
        };
        blob.pieces(|piece| {
            hasher.update(piece);
            Ok(())
        })
        .expect("hashing cannot fail");
        Self {
            digest: hasher.finish(),
            ..blob
        }
    }

    /// The content in pieces: xorshift, which no compressor and no file system can shrink.
    pub(crate) fn pieces(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut left = self.size;
        let mut piece = vec![0; 256 << 10];
        while left > 0 {
            let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            for word in piece.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            take(&piece[..length])?;
            left -= length as u64;
        }
        Ok(())
    }
}

/// The set: 14 images over three bases, about `megabytes` in all.
pub(crate) fn set(megabytes: u64) -> Vec<Image> {
    let unit = megabytes * 1_000_000 / 100;
    let bases: Vec<Blob> = (0..3).map(|n| Blob::new(1 + n, unit * (2 + n))).collect();
    (0..14)
        .map(|number| {
            let own = [unit * 12, unit / 2, unit * 4, unit / 40]
                [usize::try_from(number).unwrap_or(0) % 4]
                + number;
            let base = &bases[usize::try_from(number).unwrap_or(0) % bases.len()];
            let layers = vec![
                base.clone(),
                Blob::new(100 + number, own),
                Blob::new(200 + number, 3_000 + number),
            ];
            image(number, layers)
        })
        .collect()
}

fn image(number: u64, layers: Vec<Blob>) -> Image {
    let config = format!(r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"n":"{number}"}}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#).into_bytes();
    let descriptors: Vec<Descriptor> = layers
        .iter()
        .map(|layer| Descriptor::new(media_type::OCI_LAYER_GZIP, layer.digest, layer.size))
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": Descriptor::of(media_type::OCI_CONFIG, &config),
        "layers": descriptors,
    });
    Image {
        repository: format!("bench/image{number}"),
        manifest: manifest.to_string().into_bytes(),
        config,
        layers,
    }
}

/// The bytes of the set, each blob once.
pub(crate) fn unique_blobs(images: &[Image]) -> Vec<Blob> {
    let blobs: BTreeSet<Blob> = images
        .iter()
        .flat_map(|image| image.layers.iter().cloned())
        .collect();
    blobs.into_iter().collect()
}

/// Puts the whole set into a registry.
pub(crate) fn push(images: &[Image], registry: SocketAddr) -> io::Result<()> {
    let mut connection = Connection::open(registry)?;
    for image in images {
        for layer in &image.layers {
            let body =
                |socket: &mut TcpStream| layer.pieces(|piece| io::Write::write_all(socket, piece));
            connection.upload(
                &image.repository,
                &layer.digest.to_string(),
                layer.size,
                body,
            )?;
        }
        let digest = Digest::sha256(&image.config).to_string();
        let body = |socket: &mut TcpStream| io::Write::write_all(socket, &image.config);
        connection.upload(&image.repository, &digest, image.config.len() as u64, body)?;
        connection.put_manifest(
            &image.repository,
            TAG,
            media_type::OCI_MANIFEST,
            &image.manifest,
        )?;
    }
    Ok(())
}
