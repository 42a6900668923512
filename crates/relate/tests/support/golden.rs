//! Golden files: an encoded content with all its streams, in one file.

#![allow(dead_code)]

use relate::{Codec, Encoded, Stream, StreamId};

/// The bytes of a golden file: codec and version, then each stream's number, length and bytes.
pub(crate) fn pack(encoded: &Encoded) -> Vec<u8> {
    let mut bytes = vec![encoded.codec.id, encoded.codec.version];
    for stream in &encoded.streams {
        bytes.extend(stream.id.number().to_le_bytes());
        bytes.extend(
            u32::try_from(stream.bytes.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        bytes.extend(&stream.bytes);
    }
    bytes
}

/// What a golden file contains; `None` if it is not one.
pub(crate) fn unpack(bytes: &[u8]) -> Option<Encoded> {
    let (&[id, version], mut rest) = bytes.split_first_chunk()?;
    let mut streams = Vec::new();
    while let Some((&[low, high], after)) = rest.split_first_chunk() {
        let (len, after) = after.split_first_chunk()?;
        let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        streams.push(Stream {
            id: StreamId::from_number(u16::from_le_bytes([low, high]))?,
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    let codec = Codec { id, version };
    rest.is_empty().then_some(Encoded { codec, streams })
}
