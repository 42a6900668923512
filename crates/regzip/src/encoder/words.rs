//! Encoders in words.

use std::fmt::{Display, Formatter, Result};

use super::Encoder;
use crate::klauspost::version::Version;
use crate::zlib::deflate::Strategy;

impl Display for Encoder {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Self::Go { level } => write!(f, "Go compress/flate <=1.26, level {level}"),
            Self::Zlib {
                level,
                window_bits,
                mem_level,
                strategy,
            } => {
                write!(f, "zlib, level {level}")?;
                if (window_bits, mem_level) != (15, 8) {
                    write!(f, ", window {window_bits} bits, memory level {mem_level}")?;
                }
                match strategy {
                    Strategy::Default => Ok(()),
                    other => write!(f, ", strategy {other:?}"),
                }
            }
            Self::GnuGzip { level } => write!(f, "GNU gzip, level {level}"),
            Self::BusyBox { level, hash_bits } => {
                write!(f, "BusyBox gzip, level {level}, hash of {hash_bits} bits")
            }
            Self::Stored { fixed_end } => {
                f.write_str("stored blocks")?;
                f.write_str(if fixed_end { ", then a fixed one" } else { "" })
            }
            Self::Pigz {
                level,
                block_size,
                independent,
                rsyncable,
            } => {
                let kind = if independent { "independent " } else { "" };
                write!(f, "pigz, level {level}, {kind}blocks of {block_size}")?;
                f.write_str(if rsyncable { ", rsyncable" } else { "" })
            }
            Self::Klauspost {
                level,
                version: Version::From1_18_2,
            } => write!(
                f,
                "Go compress/flate >=1.27 or klauspost >=1.18.2, level {level}"
            ),
            Self::Klauspost { level, version } => {
                write!(f, "{}, level {level}", version.describe(level))
            }
            Self::Pgzip {
                level,
                version,
                block_size,
            } => write!(
                f,
                "pgzip with {}, level {level}, blocks of {block_size}",
                version.describe(level)
            ),
        }
    }
}
