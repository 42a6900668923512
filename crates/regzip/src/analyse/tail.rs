//! What follows the last member.

use std::io::{Read, Seek, SeekFrom};

use super::analyser::Analyser;
use super::stop::{Reason, Stop};
use crate::recipe::Tail;

/// More bytes after the last member are not kept, unless they are zeros.
const MAX_TAIL: usize = 1 << 12;

impl<R: Read + Seek> Analyser<'_, R> {
    /// What follows the last member, up to the end of the stream.
    pub(super) fn tail(&mut self, at: &mut u64) -> std::result::Result<Tail, Stop> {
        self.stream.seek(SeekFrom::Start(*at))?;
        let mut bytes = Vec::new();
        (&mut self.stream)
            .take(MAX_TAIL as u64 + 1)
            .read_to_end(&mut bytes)?;
        let zeros = bytes.iter().all(|&b| b == 0);
        let mut len = bytes.len() as u64;
        if !zeros && bytes.len() > MAX_TAIL {
            return Err(Stop::Verbatim(Reason::TrailingData));
        }
        if zeros {
            let mut piece = vec![0; 1 << 16];
            loop {
                let n = self.stream.read(&mut piece)?;
                if n == 0 {
                    break;
                }
                if piece[..n].iter().any(|&b| b != 0) {
                    return Err(Stop::Verbatim(Reason::TrailingData));
                }
                len += n as u64;
            }
        }
        *at += len;
        Ok(match (len, zeros) {
            (0, _) => Tail::None,
            (_, true) => Tail::Zeros(len),
            (_, false) => Tail::Bytes(bytes),
        })
    }
}
