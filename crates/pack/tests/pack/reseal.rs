//! Packs taken apart and put together again with digests that fit, by a second writer made from
//! `docs/format-packs.md`: what an attacker can do who knows the format.
#![allow(clippy::unwrap_used)]

use std::io::Read;

use sealift_mixing::{Decoder, Model};
use sha2::{Digest as _, Sha256};

const FIXED: usize = 64;
const ROW: usize = 56;

/// A pack in parts.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The version of the format.
    pub(crate) version: u8,
    /// The index, decompressed.
    pub(crate) index: Vec<u8>,
    /// Rows of the table and the stored bytes of the streams.
    pub(crate) streams: Vec<(Vec<u8>, Vec<u8>)>,
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    let number = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    usize::try_from(number).unwrap()
}

impl Parts {
    /// Takes a good pack apart.
    pub(crate) fn of(pack: &[u8]) -> Self {
        let count = u32::from_le_bytes(pack[12..16].try_into().unwrap()) as usize;
        let mut at = FIXED + count * ROW + 32;
        let (stored, raw) = (u64_at(pack, 16), u64_at(pack, 24));
        let index = zstd::bulk::decompress(&pack[at..at + stored], raw).unwrap();
        at += stored;
        let rows = pack[FIXED..].chunks(ROW).take(count);
        let streams = rows.map(|row| {
            let len = u64_at(row, 16);
            at += len;
            (row.to_vec(), pack[at - len..at].to_vec())
        });
        Self {
            version: pack[8],
            streams: streams.collect(),
            index,
        }
    }

    /// The decompressed bytes of a stream.
    pub(crate) fn raw(&self, number: usize) -> Vec<u8> {
        let (row, stored) = &self.streams[number];
        match row[1] {
            0 => stored.clone(),
            2 => {
                let model = Model::from_number(row[5]).unwrap();
                let len = u64_at(row, 8) as u64;
                let mut raw = Vec::new();
                let mut decoder = Decoder::new(model, stored.as_slice(), len);
                decoder.read_to_end(&mut raw).unwrap();
                raw
            }
            _ => zstd::bulk::decompress(stored, u64_at(row, 8)).unwrap(),
        }
    }

    /// Stores other bytes in a stream, as they are.
    pub(crate) fn set_raw(&mut self, number: usize, bytes: Vec<u8>) {
        let (row, stored) = &mut self.streams[number];
        row[1] = 0;
        row[4] = 0;
        row[5] = 0;
        row[8..16].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        *stored = bytes;
    }

    /// A pack with these parts, whatever they are.
    pub(crate) fn seal(&self) -> Vec<u8> {
        let index = zstd::bulk::compress(&self.index, 1).unwrap();
        let mut head = b"SEALPACK".to_vec();
        head.extend([self.version, 0, 0, 0]);
        head.extend(u32::try_from(self.streams.len()).unwrap().to_le_bytes());
        head.extend((index.len() as u64).to_le_bytes());
        head.extend((self.index.len() as u64).to_le_bytes());
        head.extend(Sha256::digest(&index));
        for (row, stored) in &self.streams {
            head.extend(&row[..16]);
            head.extend((stored.len() as u64).to_le_bytes());
            head.extend(Sha256::digest(stored));
        }
        let digest = Sha256::digest(&head);
        let mut pack = head;
        pack.extend(digest);
        pack.extend(index);
        for (_, stored) in &self.streams {
            pack.extend(stored);
        }
        pack
    }
}
