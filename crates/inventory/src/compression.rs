//! Opens a layer, whatever way it is compressed. Its bytes say which; media types are wrong too often.

use std::io::{self, BufReader, Read};

/// The size of the buffer before a decompressor, in bytes.
const BUFFER: usize = 64 << 10;
/// The largest window of a zstd stream, as a power of two: 128 MiB, what `zstd` itself accepts by default.
const MAX_WINDOW_LOG: u32 = 27;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of the magic numbers of zstd's skippable frames; the first is 0x50 to 0x5f.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A reader of the tar that `layer` is.
///
/// # Errors
/// If the first bytes cannot be read, or no decompressor can be created.
pub(crate) fn open<'a>(mut layer: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::with_capacity(4);
    layer.by_ref().take(4).read_to_end(&mut head)?;
    let gzip = head.starts_with(&GZIP);
    let zstd =
        head == ZSTD || head.len() == 4 && head[0] & 0xf0 == 0x50 && head[1..] == ZSTD_SKIPPABLE;
    let layer = BufReader::with_capacity(BUFFER, io::Cursor::new(head).chain(layer));
    if gzip {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(layer)));
    }
    if zstd {
        let mut decoder = zstd::Decoder::with_buffer(layer)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(layer))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(layer: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        open(layer).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn each_way_of_compressing_is_recognised_by_its_bytes() {
        let content = b"some content, some content";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(content).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(read(&gzip), content);
        assert_eq!(read(&[gzip.clone(), gzip].concat()), content.repeat(2));
        let zstd = zstd::encode_all(&content[..], 1).unwrap();
        assert_eq!(read(&zstd), content);
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], &zstd[..]].concat();
        assert_eq!(read(&skippable), content);
        assert_eq!(read(content), content);
        assert_eq!(read(b""), b"");
        assert_eq!(read(b"\x1f"), b"\x1f");
    }
}
