//! A plain bundle from any other: what a compact bundle was built from, bit for bit.

use std::io::{self, Write};
use std::sync::Arc;

use sealift_oci::Digest;
use sealift_pipeline::{
    BUFFER_BYTES, Budget, Cancel, CopyError, Event, JobError, Observer, Outcome, copy,
};

use crate::bundle::Bundle;
use crate::profile::error::ConvertError;
use crate::profile::layout::Layout;
use crate::profile::stream::PlainStream;
use crate::profile::writer::{BlobState, PlainWriter};
use crate::target::{Published, Target, WriteError};

/// What a conversion is done with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// How much may run at once.
    pub budget: &'a Budget,
    /// Stops the work.
    pub cancel: &'a Cancel,
    /// Watches what happens.
    pub observer: &'a Arc<dyn Observer>,
}

/// Writes the contents of `bundle` as a plain bundle into `target`: in order, or else every blob at its offset.
/// What an interrupted run left there is kept as far as it is right.
///
/// # Errors
/// If `bundle` cannot be read or is corrupt, or the target cannot be written. What was written stays for the
/// next run.
pub fn write_plain(
    bundle: &Bundle,
    target: Box<dyn Target>,
    in_order: bool,
    work: &Work<'_>,
) -> Result<Published, ConvertError> {
    bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
    let layout = Layout::new(bundle.contents())?;
    work.observer.event(&Event::Phase { name: "exporting" });
    if in_order {
        let stream = PlainStream::resume(target, layout, work.cancel)?;
        return Ok(fill_stream(bundle, stream, work)?.publish()?);
    }
    let writer = PlainWriter::open(target, layout, work.budget, work.cancel)?;
    let missing: Vec<Digest> = bundle
        .sizes()
        .map(|(digest, _)| digest)
        .filter(|digest| writer.state(digest) != BlobState::Complete)
        .collect();
    announce(bundle, &missing, work);
    for group in bundle.store().groups(missing) {
        let results = work.budget.compute(&group, work.cancel, |digest| {
            write_blob(bundle, &writer, digest, work)
        });
        for result in results {
            result.map_err(|error| match error {
                JobError::Failed(error) => error,
                JobError::Cancelled(cancelled) => cancelled.into(),
            })?;
        }
    }
    Ok(writer.publish()?)
}

/// Writes the contents of `bundle` as a plain bundle to `output`, in order.
///
/// # Errors
/// If `bundle` cannot be read or is corrupt, or the output cannot be written.
pub fn stream_plain(
    bundle: &Bundle,
    output: &mut dyn Write,
    work: &Work<'_>,
) -> Result<(), ConvertError> {
    bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
    let layout = Layout::new(bundle.contents())?;
    work.observer.event(&Event::Phase { name: "exporting" });
    fill_stream(bundle, PlainStream::new(output, layout), work)?.finish()?;
    Ok(())
}

fn announce(bundle: &Bundle, missing: &[Digest], work: &Work<'_>) {
    let sizes = missing.iter().filter_map(|digest| bundle.size(digest));
    work.observer.event(&Event::Total {
        blobs: missing.len() as u64,
        bytes: sizes.sum(),
    });
}

fn write_blob(
    bundle: &Bundle,
    writer: &PlainWriter,
    digest: &Digest,
    work: &Work<'_>,
) -> Result<(), ConvertError> {
    let mut content = bundle
        .blob(digest)
        .map_err(|error| unreadable(bundle, digest, error))?;
    let mut blob = writer.blob(digest, false)?;
    work.observer.event(&Event::Started {
        digest,
        size: bundle.size(digest).unwrap_or(0),
        what: "",
    });
    let mut buffer = vec![0; BUFFER_BYTES];
    let copied = copy(&mut content, &mut blob, &mut buffer, work.cancel, |bytes| {
        work.observer.event(&Event::Advanced { digest, bytes });
    });
    let outcome = match &copied {
        Ok(_) => Outcome::Verified,
        Err(_) => Outcome::not_done(&[work.cancel]),
    };
    work.observer.event(&Event::Finished { digest, outcome });
    match copied {
        Ok(_) => Ok(blob.finish()?),
        Err(CopyError::Read(error)) => Err(unreadable(bundle, digest, error)),
        Err(CopyError::Write(error)) => Err(WriteError::io("write", writer.path())(error).into()),
        Err(CopyError::Cancelled(cancelled)) => Err(cancelled.into()),
    }
}

fn fill_stream<W: Write>(
    bundle: &Bundle,
    mut stream: PlainStream<W>,
    work: &Work<'_>,
) -> Result<PlainStream<W>, ConvertError> {
    let written = std::path::Path::new("the output");
    let fault = |error| WriteError::io("write", written)(error);
    while let Some(digest) = stream.next_blob().map_err(fault)? {
        work.cancel.check()?;
        let mut content = bundle
            .blob(&digest)
            .map_err(|error| unreadable(bundle, &digest, error))?;
        stream
            .write_blob(&mut content, |_| {})
            .map_err(|error| unreadable(bundle, &digest, error))?;
    }
    Ok(stream)
}

pub(super) fn unreadable(bundle: &Bundle, digest: &Digest, source: io::Error) -> ConvertError {
    ConvertError::Read {
        bundle: bundle.name().to_owned(),
        location: bundle.store().locate(digest),
        source,
    }
}
