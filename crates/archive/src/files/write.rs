//! Writes below one open folder, and never follows a link there.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, flock, mkdirat, openat, renameat,
    renameat_with, syncfs,
};
use rustix::io::Errno;
use sealift_oci::Digest;
use sealift_pipeline::{BUFFER_BYTES, Cancel, CopyError, Event, Observer, copy};

use super::unpack::{Target, unpack};

/// Who watches one item being written, and may stop it.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) digest: &'a Digest,
    pub(super) cancel: &'a Cancel,
    pub(super) observer: &'a dyn Observer,
}

/// Opens `path` as the folder that all is written below, and makes it where it is not there.
pub(super) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    std::fs::create_dir_all(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// A name that nothing has: what is being written has it until it is whole. What a run that was killed left under such
/// a name in `path`, the path of `root`, is removed.
pub(super) fn temporary(root: &OwnedFd, path: &Path, digest: &Digest) -> io::Result<String> {
    for number in 0..1000 {
        let name = format!(".sealift-{}-{number}.partial", digest.short());
        match rustix::fs::statat(root, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(name),
            Err(error) => return Err(error.into()),
            Ok(_) if remove_left(root, path, &name) => return Ok(name),
            Ok(_) => {}
        }
    }
    Err(io::Error::other(
        "there are a thousand .sealift-*.partial already (remove them)",
    ))
}

/// Removes what has the name of something that is being written, unless another process is still writing it.
fn remove_left(root: &OwnedFd, path: &Path, name: &str) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(left) = openat(root, name, flags, Mode::empty()) else {
        return false;
    };
    if flock(&left, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    let path = path.join(name);
    let removed = match File::from(left).metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.is_ok()
}

/// Locks what is being written for this process, until it is dropped. File systems without locks do without.
fn lock(written: impl AsFd) {
    let _ = flock(written, FlockOperation::NonBlockingLockExclusive);
}

/// Writes one file under the new name `name` and waits until it is on the disk. The process's own mask of
/// permissions holds. The file is locked until it is dropped.
pub(super) fn file(
    folder: impl AsFd,
    name: &str,
    executable: bool,
    content: &mut dyn Read,
    watch: Watch<'_>,
) -> io::Result<OwnedFd> {
    let file = create(folder, name, executable)?;
    lock(&file);
    let file = unsynced(file, content, watch)?;
    file.sync_all()?;
    Ok(file.into())
}

/// Creates a file under the new name `name`.
fn create(folder: impl AsFd, name: &str, executable: bool) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
    Ok(openat(folder, name, flags, mode)?.into())
}

/// Writes the content of a file without waiting for the disk.
fn unsynced(mut file: File, content: &mut dyn Read, watch: Watch<'_>) -> io::Result<File> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let copied = copy(content, &mut file, &mut buffer, watch.cancel, |bytes| {
        watch.observer.event(&Event::Advanced {
            digest: watch.digest,
            bytes,
        });
    });
    match copied {
        Ok(_) => Ok(file),
        Err(CopyError::Read(error) | CopyError::Write(error)) => Err(error),
        Err(CopyError::Cancelled(cancelled)) => Err(io::Error::other(cancelled)),
    }
}

/// Writes a folder's content from its tar into the new folder `name`, and waits until all of it is on the disk:
/// once for its file system, since waiting for each of many small files takes minutes. The folder is locked until it is
/// dropped.
pub(super) fn folder(
    root: &OwnedFd,
    name: &str,
    tar: &mut dyn Read,
    watch: Watch<'_>,
) -> io::Result<OwnedFd> {
    let top = new_folder(root, name)?;
    lock(&top);
    let mut writer = FolderWriter {
        open: vec![(String::new(), top)],
        watch,
    };
    unpack(tar, &mut writer)?;
    let (_, top) = writer.open.swap_remove(0);
    syncfs(&top)?;
    Ok(top)
}

fn new_folder(parent: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    mkdirat(&parent, name, Mode::from_raw_mode(0o777))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Gives `from` its name. Unless told to, it replaces nothing.
pub(super) fn publish(root: &OwnedFd, from: &str, to: &str, overwrite: bool) -> io::Result<()> {
    if overwrite {
        return Ok(renameat(root, from, root, to)?);
    }
    match renameat_with(root, from, root, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it; then the name is looked for just before.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match rustix::fs::statat(root, to, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => Ok(renameat(root, from, root, to)?),
                Err(error) => Err(error.into()),
                Ok(_) => Err(Errno::EXIST.into()),
            }
        }
        other => Ok(other?),
    }
}

/// The folders that are open, outermost first, each with its path below the root.
struct FolderWriter<'a> {
    open: Vec<(String, OwnedFd)>,
    watch: Watch<'a>,
}

impl FolderWriter<'_> {
    /// Leaves the folders that `path` is not in. What is left of it is one name.
    fn enter<'p>(&mut self, path: &'p str) -> (&OwnedFd, &'p str) {
        while self.open.len() > 1
            && self
                .open
                .last()
                .is_some_and(|(top, _)| !path.starts_with(top))
        {
            self.open.pop();
        }
        let (top, folder) = self.open.last().expect("the root is never left");
        (folder, &path[top.len()..])
    }
}

impl Target for FolderWriter<'_> {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        let (parent, name) = self.enter(path);
        let folder = new_folder(parent, name.trim_end_matches('/'))?;
        self.open.push((path.to_owned(), folder));
        Ok(())
    }

    fn file(&mut self, path: &str, executable: bool, content: &mut dyn Read) -> io::Result<()> {
        let watch = self.watch;
        let (parent, name) = self.enter(path);
        let file = create(parent, name, executable)?;
        unsynced(file, content, watch).map(drop)
    }
}
