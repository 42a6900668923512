//! Files that are carried.

use std::collections::BTreeSet;

use sealift_archive::FileEntry;

use crate::resolve::fetch::{Known, Wanted};
use crate::resolve::local::Opened;
use crate::sources::SourceId;

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
