//! Which encoders to try, in which order, by what the header says.

use crate::encoder::Encoder;
use crate::wrapper::Wrapper;

/// All encoders that may have written a stream with this header, the likeliest first.
pub(crate) fn candidates(wrapper: Wrapper, header: &[u8]) -> Vec<Encoder> {
    let go = |levels: &[i8]| {
        levels
            .iter()
            .map(|&level| Encoder::Go { level })
            .collect::<Vec<_>>()
    };
    match (wrapper, header) {
        // Go's zlib writer says its level in the second byte.
        (Wrapper::Zlib, [0x78, 0x01, ..]) => go(&[1, 0, -2, 6, 5, 4, 3, 2, 7, 8, 9]),
        (Wrapper::Zlib, [0x78, 0xda, ..]) => go(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -2]),
        // XFL 4 is Go's level 1, XFL 2 its level 9.
        (Wrapper::Gzip, [.., 4, _]) => go(&[1, 6, 9, 5, 4, 3, 2, 7, 8, 0, -2]),
        (Wrapper::Gzip, [.., 2, _]) => go(&[9, 6, 1, 5, 4, 3, 2, 7, 8, 0, -2]),
        // klauspost writes the zero time of Go as it is.
        (Wrapper::Gzip, [_, _, _, _, 0x00, 0x09, 0x6e, 0x88, ..]) => {
            let mut list = vec![
                Encoder::Pgzip {
                    level: 5,
                    block_size: 1 << 20,
                },
                Encoder::Pgzip {
                    level: 5,
                    block_size: 1 << 18,
                },
                Encoder::Klauspost { level: 5 },
            ];
            list.extend(go(&[6, 1, 9]));
            list
        }
        _ => go(&[6, 5, 4, 3, 2, 7, 8, 9, 1, 0, -2]),
    }
}
