//! Images on disk, as places like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealift_archive::{ImageEntry, LocalImages, open_local};
use sealift_oci::Reference;
use sealift_pipeline::{JobError, run_parallel};

use crate::context::Context;
use crate::error::{ImageFailure, ResolveError};
use crate::request::LocalRequest;
use crate::resolve::failure;
use crate::sources::Source;
use crate::stamp::stamp;

/// A layout or archive of the request.
pub(crate) struct Opened {
    pub(crate) place: Source,
    pub(crate) path: String,
    pub(crate) images: Arc<LocalImages>,
    pub(crate) repository: Option<String>,
}

/// Opens all, in parallel: some have to be hashed.
pub(crate) fn open(
    requests: &[LocalRequest],
    context: &Context<'_>,
    failures: &mut Vec<ImageFailure>,
) -> Vec<Opened> {
    let results = run_parallel(
        context.budget.connections(),
        requests,
        context.cancel,
        |request| open_one(request, context),
    );
    let mut opened = Vec::with_capacity(requests.len());
    for (request, result) in requests.iter().zip(results) {
        let error = match result {
            Ok(one) => {
                opened.push(one);
                continue;
            }
            Err(JobError::Failed(error)) => error,
            Err(JobError::Cancelled(cancelled)) => cancelled.into(),
        };
        failures.push(failure(request.path.display().to_string(), error));
    }
    opened
}

fn open_one(request: &LocalRequest, context: &Context<'_>) -> Result<Opened, ResolveError> {
    let path = request.path.to_str().ok_or(ResolveError::PathNotText)?;
    let stamp = stamp(&request.path);
    let images = open_local(&request.path, &context.reading())
        .map_err(|error| ResolveError::Local(Arc::new(error)))?;
    Ok(Opened {
        place: Source::Local {
            path: path.to_owned(),
            stamp,
        },
        path: path.to_owned(),
        images: Arc::new(images),
        repository: request.repository.clone(),
    })
}

/// What a bundle's record says of its images, where `images` is a bundle.
pub(crate) fn recorded(images: &LocalImages) -> BTreeMap<Reference, ImageEntry> {
    let record = images.record();
    let entries = record.into_iter().flat_map(|record| &record.images);
    entries
        .map(|entry| (entry.reference.clone(), entry.clone()))
        .collect()
}
