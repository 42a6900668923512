//! Files that are carried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_archive::{CarriedFile, FileEntry, Node};
use sealift_pipeline::{JobError, run_parallel};

use crate::context::Context;
use crate::error::{ImageFailure, ResolveError};
use crate::request::FileRequest;
use crate::resolve::failure;
use crate::resolve::fetch::{Known, Wanted, keep};
use crate::resolve::local::Opened;
use crate::sources::{Source, SourceId, carry_file};

/// Reads every file once, in parallel, to make artifacts of them.
pub(crate) fn read(
    requests: &[FileRequest],
    context: &Context<'_>,
    failures: &mut Vec<ImageFailure>,
) -> BTreeMap<Source, Arc<CarriedFile>> {
    let results = run_parallel(
        context.budget.connections(),
        requests,
        context.cancel,
        |request| {
            let path = request.path.to_str().ok_or(ResolveError::PathNotText)?;
            let place = Source::Carried {
                path: path.to_owned(),
                name: request.name.clone(),
                program: request.program.clone(),
            };
            let (name, program) = (request.name.as_ref(), request.program.as_ref());
            match carry_file(path, name, program, context.cancel) {
                Ok(file) => Ok((place, Arc::new(file))),
                Err(error) => Err(ResolveError::Carry(Arc::new(error))),
            }
        },
    );
    let mut carried = BTreeMap::new();
    for (request, result) in requests.iter().zip(results) {
        let error = match result {
            Ok((place, file)) => {
                carried.insert(place, file);
                continue;
            }
            Err(JobError::Failed(error)) => error,
            Err(JobError::Cancelled(cancelled)) => cancelled.into(),
        };
        failures.push(failure(request.path.display().to_string(), error));
    }
    carried
}

/// The files of the request, with the place that has them.
pub(crate) fn carried(
    known: &mut Known<'_>,
    carried: &BTreeMap<Source, Arc<CarriedFile>>,
) -> Vec<(FileEntry, SourceId)> {
    let mut files = Vec::with_capacity(carried.len());
    for (place, file) in carried {
        let Some(source) = known.sources.id(place) else {
            continue;
        };
        let kept =
            keep(known.spool, &file.manifest).and_then(|()| known.add(Node::of(&file.manifest)));
        if let Err(error) = kept {
            known.failed.insert(file.entry.descriptor.clone(), error);
        }
        files.push((file.entry.clone(), source));
    }
    files
}

/// The files that bundles among the local sources carry: they are carried on.
pub(crate) fn carried_on(known: &mut Known<'_>, opened: &[Opened]) -> Vec<(FileEntry, SourceId)> {
    let mut files = Vec::new();
    for one in opened {
        let Some(source) = known.sources.id(&one.place) else {
            continue;
        };
        let record = one.images.record();
        let listed = record.into_iter().flat_map(|record| &record.files);
        files.extend(listed.map(|file| (file.clone(), source)));
    }
    let wanted = files.iter().map(|(file, source)| Wanted {
        descriptor: file.descriptor.clone(),
        parent: file.descriptor.digest,
        sources: BTreeSet::from([*source]),
    });
    known.fetch(wanted.collect());
    files
}

/// Refuses files that would be written out over each other.
pub(crate) fn one_content_a_name(
    files: &[(FileEntry, SourceId)],
    failures: &mut Vec<ImageFailure>,
) {
    let mut names: BTreeMap<&str, &FileEntry> = BTreeMap::new();
    for (file, _) in files {
        let first = *names.entry(&file.name).or_insert(file);
        if first.descriptor.digest != file.descriptor.digest {
            failures.push(failure(&file.name, ResolveError::TwoFiles));
        }
    }
}
