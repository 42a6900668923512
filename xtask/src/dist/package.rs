//! The files of a release: where they go, and the tar archives that hold them, the same bytes every time.

use std::error::Error;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// One file of a release.
#[derive(Clone)]
pub(super) struct Packaged {
    /// Its path, relative to the folder of the archive or to the root of the system.
    pub(super) path: String,
    /// Its content.
    pub(super) bytes: Vec<u8>,
    /// Whether it is a program.
    pub(super) executable: bool,
}

impl Packaged {
    /// An ordinary file.
    pub(super) fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
            executable: false,
        }
    }

    /// The file under another path.
    pub(super) fn at(&self, path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..self.clone()
        }
    }
}

/// A tar of `files` below `prefix`, with all folders that they are in: sorted, owned by root, modified at
/// `time` (seconds since 1970).
pub(super) fn tar(files: &[Packaged], prefix: &str, time: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut files: Vec<Packaged> = files
        .iter()
        .map(|file| file.at(format!("{prefix}{}", file.path)))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut builder = Builder::new(Vec::new());
    let mut folders = Vec::new();
    for file in &files {
        for folder in parents(&file.path) {
            if !folders.contains(&folder) {
                let mut header = header(EntryType::Directory, 0o755, 0, time);
                builder.append_data(&mut header, &folder, [].as_slice())?;
                folders.push(folder);
            }
        }
        let mode = if file.executable { 0o755 } else { 0o644 };
        let mut header = header(EntryType::Regular, mode, file.bytes.len() as u64, time);
        builder.append_data(&mut header, &file.path, file.bytes.as_slice())?;
    }
    Ok(builder.into_inner()?)
}

fn header(kind: EntryType, mode: u32, size: u64, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// The folders that `path` is in, outermost first, each with a slash at its end.
fn parents(path: &str) -> Vec<String> {
    let ends = path.match_indices('/').map(|(at, _)| at + 1);
    ends.map(|end| path[..end].to_owned())
        .filter(|folder| folder != "./")
        .collect()
}

/// `bytes` compressed with gzip, without a name or a time in the header.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_they_contain_and_once() {
        let files = [
            Packaged::new("b/c/two", "2"),
            Packaged::new("b/one", "1"),
            Packaged::new("a", "0"),
        ];
        let bytes = tar(&files, "p/", 7).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap();
        let paths: Vec<String> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), 7);
                entry.path().unwrap().display().to_string()
            })
            .collect();
        assert_eq!(
            paths,
            ["p/", "p/a", "p/b/", "p/b/c/", "p/b/c/two", "p/b/one"]
        );
    }

    #[test]
    fn the_order_of_the_files_does_not_change_a_byte() {
        let (a, b) = (Packaged::new("a", "0"), Packaged::new("b/c", "1"));
        let once = tar(&[a.clone(), b.clone()], "", 0).unwrap();
        assert_eq!(once, tar(&[b, a], "", 0).unwrap());
        assert_eq!(gzip(&once).unwrap(), gzip(&once).unwrap());
    }
}
