//! Files with a gzip stream, as one of regzip's encoders writes it.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use regzip::{Compressor, Encoder};

/// A gzip file that gets its name when it is complete; regzip's own tests hold its encoders against the programs.
pub(super) struct GzipFile {
    path: PathBuf,
    partial: PathBuf,
    writer: Compressor<BufWriter<File>>,
    crc: flate2::Crc,
}

impl GzipFile {
    pub(super) fn create(path: &Path, encoder: Encoder) -> Result<Self, Box<dyn Error>> {
        let partial = path.with_extension("partial");
        let mut out = BufWriter::new(File::create(&partial)?);
        out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            writer: Compressor::new(encoder, out)?,
            crc: flate2::Crc::new(),
        })
    }

    /// Writes what is left and the checksum, and gives the file its name.
    pub(super) fn finish(self) -> Result<(), Box<dyn Error>> {
        let mut out = self.writer.finish()?;
        out.write_all(&self.crc.sum().to_le_bytes())?;
        out.write_all(&self.crc.amount().to_le_bytes())?;
        out.flush()?;
        Ok(fs::rename(self.partial, self.path)?)
    }
}

impl Write for GzipFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
