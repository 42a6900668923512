//! Compressed streams inside other content: found, replaced by their plain content, and put back.
//!
//! A program's debug sections, `.gz` files, members of zip files and jars, and pictures in a tar are
//! compressed already, so that compressing the tar saves nothing on them. [`open`] copies content
//! and replaces every deflate stream that it can rebuild by its plain form, recursively;
//! [`close`] and [`CloseReader`] write the content again, bit for bit, from the expanded bytes and
//! the [`Map`].
//!
//! ```
//! use std::io::Cursor;
//! # fn main() -> Result<(), regzip::Error> {
//! let content = b"no stream in here".to_vec();
//! let mut expanded = Vec::new();
//! let options = regzip::nested::Options::default();
//! let map = regzip::nested::open(Cursor::new(&content), &mut expanded, &options)?.map;
//! let mut again = Vec::new();
//! regzip::nested::close(&map, expanded.as_slice(), &mut again, &regzip::Workers::none())?;
//! assert_eq!(again, content);
//! # Ok(())
//! # }
//! ```

mod close;
mod find;
mod frame;
mod map;
mod open;
mod options;
mod outline;
mod png;
mod scan;
#[cfg(test)]
mod tests;

pub use close::{CloseReader, close};
pub use map::{Map, Stream};
pub use open::{Kept, Opened, open};
pub use options::{Options, Storage};
pub use outline::Outline;
