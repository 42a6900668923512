//! Blobs on their way out: read on threads of their own, checked before their last piece leaves.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::channel::{Channel, Sender};
use hyper::body::Bytes;
use sealift_oci::Digest;
use sealift_pipeline::BUFFER_BYTES;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::contents::Contents;

/// How many pieces wait for a slow client, at the most.
const AHEAD: usize = 2;

/// Blobs that were read whole and found right since the server started.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<BTreeSet<Digest>>);

impl Checked {
    fn contains(&self, digest: &Digest) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(digest)
    }

    fn add(&self, digest: Digest) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(digest);
    }
}

/// A body that is filled by a thread of its own with `length` bytes from `from` on; the whole blob where
/// `from` is none. The thread keeps `slot` until it ends, which may be after the client has left.
pub(crate) fn body(
    (contents, checked): (&Arc<Contents>, &Arc<Checked>),
    digest: Digest,
    from: Option<u64>,
    length: u64,
    slot: Arc<OwnedSemaphorePermit>,
) -> Channel<Bytes, io::Error> {
    let (sender, channel) = Channel::new(AHEAD);
    let (contents, checked) = (Arc::clone(contents), Arc::clone(checked));
    tokio::task::spawn_blocking(move || {
        let _slot = slot;
        let mut outlet = Outlet {
            sender,
            runtime: Handle::current(),
        };
        let sent = match from {
            None => whole(&contents, &checked, &digest, &mut outlet),
            Some(from) => part(&contents, &checked, &digest, from, length, &mut outlet),
        };
        // The client was promised more bytes than it got: it sees the connection end.
        if let Err(error) = sent {
            outlet.sender.abort(error);
        }
    });
    channel
}

struct Outlet {
    sender: Sender<Bytes, io::Error>,
    runtime: Handle,
}

impl Outlet {
    fn send(&mut self, piece: Vec<u8>) -> io::Result<()> {
        self.runtime
            .block_on(self.sender.send_data(Bytes::from(piece)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Sends all of a blob; its last piece only once the reader has found the whole right.
fn whole(
    contents: &Contents,
    checked: &Checked,
    digest: &Digest,
    outlet: &mut Outlet,
) -> io::Result<()> {
    let mut reader = contents.bundle().blob(digest)?;
    let mut held = Vec::new();
    loop {
        let piece = next(&mut reader, BUFFER_BYTES)?;
        let ended = piece.is_empty();
        if !held.is_empty() {
            outlet.send(held)?;
        }
        if ended {
            checked.add(*digest);
            return Ok(());
        }
        held = piece;
    }
}

fn part(
    contents: &Contents,
    checked: &Checked,
    digest: &Digest,
    from: u64,
    length: u64,
    outlet: &mut Outlet,
) -> io::Result<()> {
    let bundle = contents.bundle();
    if !checked.contains(digest) {
        let mut reader = bundle.blob(digest)?;
        io::copy(&mut reader, &mut io::sink())?;
        checked.add(*digest);
    }
    let reader = bundle.store().open(digest, from)?;
    let mut reader = reader.take(length);
    loop {
        let piece = next(&mut reader, BUFFER_BYTES)?;
        if piece.is_empty() {
            return Ok(());
        }
        outlet.send(piece)?;
    }
}

/// The next piece, as large as it may be; empty at the end.
fn next(reader: &mut impl Read, size: usize) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(size);
    reader.by_ref().take(size as u64).read_to_end(&mut piece)?;
    Ok(piece)
}
