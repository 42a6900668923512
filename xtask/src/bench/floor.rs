//! The floors: bare loops that move, hash and write the same bytes, with nothing around them. No tool
//! that checks what it carries can be faster on the same machine.

use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sealift_oci::{Algorithm, Hasher};

use super::images::{Blob, Image};
use crate::wire::{Connection, expect};

/// A blob, a repository that has it, and its place in the file.
struct Task<'a> {
    blob: &'a Blob,
    repository: &'a str,
    offset: u64,
}

/// Fetches every blob of the set once, hashes it and writes it to `file`.
pub(crate) fn build(
    images: &[Image],
    registry: SocketAddr,
    connections: usize,
    file: &Path,
) -> io::Result<()> {
    let tasks = tasks(images);
    let output = File::create(file)?;
    on_connections(&tasks, registry, connections, |connection, task| {
        let path = format!("/v2/{}/blobs/{}", task.repository, task.blob.digest);
        let answer = connection.request("GET", &path, &[], 0, |_| Ok(()))?;
        expect(&answer, 200, "GET of a blob")?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut offset = task.offset;
        connection.body(answer.length, |piece| {
            hasher.update(piece);
            output.write_all_at(piece, offset)?;
            offset += piece.len() as u64;
            Ok(())
        })?;
        if hasher.finish() == task.blob.digest {
            Ok(())
        } else {
            Err(io::Error::other("the floor fetched other bytes"))
        }
    })?;
    output.sync_all()
}

/// Reads every blob from `file`, hashes it and uploads it once.
pub(crate) fn load(
    images: &[Image],
    registry: SocketAddr,
    connections: usize,
    file: &Path,
) -> io::Result<()> {
    let tasks = tasks(images);
    let input = File::open(file)?;
    on_connections(&tasks, registry, connections, |connection, task| {
        let digest = task.blob.digest.to_string();
        connection.upload(task.repository, &digest, task.blob.size, |socket| {
            send(&input, task, socket)
        })
    })
}

fn send(input: &File, task: &Task<'_>, socket: &mut TcpStream) -> io::Result<()> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 << 10];
    let mut done = 0;
    while done < task.blob.size {
        let length = buffer
            .len()
            .min(usize::try_from(task.blob.size - done).unwrap_or(usize::MAX));
        input.read_exact_at(&mut buffer[..length], task.offset + done)?;
        hasher.update(&buffer[..length]);
        socket.write_all(&buffer[..length])?;
        done += length as u64;
    }
    if hasher.finish() == task.blob.digest {
        Ok(())
    } else {
        Err(io::Error::other("the floor read other bytes"))
    }
}

/// Largest first, so that no connection is left with a long one at the end.
fn tasks(images: &[Image]) -> Vec<Task<'_>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut tasks = Vec::new();
    let mut offset = 0;
    for image in images {
        for blob in &image.layers {
            if seen.insert(blob.digest) {
                tasks.push(Task {
                    blob,
                    repository: &image.repository,
                    offset,
                });
                offset += blob.size;
            }
        }
    }
    tasks.sort_by_key(|task| std::cmp::Reverse(task.blob.size));
    tasks
}

fn on_connections(
    tasks: &[Task<'_>],
    registry: SocketAddr,
    connections: usize,
    work: impl Fn(&mut Connection, &Task<'_>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let run = || -> io::Result<()> {
        let mut connection = Connection::open(registry)?;
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(&mut connection, task)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..connections).map(|_| scope.spawn(run)).collect();
        handles.into_iter().try_for_each(|handle| {
            handle
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a connection's thread panicked")))
        })
    })
}

/// Hashes all of `file` on all cores, in as many parts as there are; what `verify` cannot beat.
pub(crate) fn hash(file: &Path) -> io::Result<()> {
    let cores = thread::available_parallelism()?.get() as u64;
    let size = file.metadata()?.len();
    let part = size.div_ceil(cores);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..cores)
            .map(|core| {
                scope.spawn(move || hash_part(file, core * part, size.min((core + 1) * part)))
            })
            .collect();
        handles.into_iter().try_for_each(|handle| {
            handle
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a hashing thread panicked")))
        })
    })
}

fn hash_part(file: &Path, mut offset: u64, end: u64) -> io::Result<()> {
    let input = File::open(file)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 << 10];
    while offset < end {
        let length = buffer
            .len()
            .min(usize::try_from(end - offset).unwrap_or(usize::MAX));
        input.read_exact_at(&mut buffer[..length], offset)?;
        hasher.update(&buffer[..length]);
        offset += length as u64;
    }
    std::hint::black_box(hasher.finish());
    Ok(())
}
