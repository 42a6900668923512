//! Writing deflate as one of the encoders does, with no original to follow.

use std::io::{self, Write};

use crate::encode::Encode;
use crate::encoder::Encoder;
use crate::error::Result;

/// Writes a raw deflate stream, bit for bit as the encoder would.
///
/// Every call of [`Write::write`] is one write of the original program, which shows with
/// some encoders: pass on at once what it would have written at once. [`Write::flush`] is a sync flush.
///
/// ```
/// use std::io::Write;
/// # fn main() -> Result<(), regzip::Error> {
/// let mut writer = regzip::Compressor::new(regzip::Go { level: 6 }, Vec::new())?;
/// writer.write_all(b"hello")?;
/// let stream = writer.finish()?;
/// assert_eq!(stream, [0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x04, 0, 0, 0xff, 0xff]);
/// # Ok(())
/// # }
/// ```
pub struct Compressor<W> {
    running: Box<dyn Encode>,
    out: W,
}

impl<W: Write> Compressor<W> {
    /// Starts a stream.
    ///
    /// # Errors
    ///
    /// [`crate::Error::BadRecipe`] for settings that the encoder does not have.
    pub fn new(encoder: impl Into<Encoder>, out: W) -> Result<Self> {
        let encoder = encoder.into();
        encoder.check()?;
        Ok(Self {
            running: encoder.start(),
            out,
        })
    }

    /// A flush after which nothing before is referred to; a sync flush if the encoder does not know
    /// such.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn full_flush(&mut self) -> io::Result<()> {
        self.running.full_flush();
        self.drain()
    }

    /// Ends the stream and gives the writer back.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.running.finish();
        self.drain()?;
        Ok(self.out)
    }

    fn drain(&mut self) -> io::Result<()> {
        let bytes = self.running.output();
        self.out.write_all(bytes)?;
        bytes.clear();
        Ok(())
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if !data.is_empty() {
            self.running.write(data);
            self.running.boundary();
            self.drain()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.running.flush();
        self.drain()
    }
}
