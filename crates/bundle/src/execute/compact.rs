//! Into a compact bundle: everything is fetched into a plain bundle beside the output, which is packed from
//! there and removed.
//!
//! Fetching and packing are both resumed: what was fetched is a bundle like any other, and packs that are
//! finished stay in the partial file.

use std::fs;

use sealift_archive::{
    Bundle, CompactOptions, CompactReport, FileTarget, OutputFile, Work, WriteError, compact_plan,
    write_compact,
};

use crate::context::Context;
use crate::error::BundleError;
use crate::execute::{Report, file};
use crate::plan::Plan;

/// The plain bundle that is fetched for a compact one.
pub fn fetched(output: &OutputFile) -> OutputFile {
    let mut path = output.path.as_os_str().to_owned();
    path.push(".fetched");
    OutputFile {
        path: path.into(),
        state_dir: output.state_dir.clone(),
        replace: false,
    }
}

pub(crate) fn write(
    plan: &Plan,
    output: &OutputFile,
    options: &CompactOptions,
    context: &Context<'_>,
) -> Result<(Report, Option<CompactReport>), BundleError> {
    if !output.replace && output.path.symlink_metadata().is_ok() {
        let path = output.path.clone();
        return match file::finished(plan, output, context)? {
            Some(report) => Ok((report, None)),
            None => Err(WriteError::Exists { path }.into()),
        };
    }
    let fetched = fetched(output);
    let report = file::write(plan, &fetched, context)?;
    let plain = Bundle::open(&fetched.path, &context.reading())?;
    let target = FileTarget::begin(output, plan.parts().request, &compact_plan(&plain, options))?;
    let work = Work {
        budget: context.budget,
        cancel: context.cancel,
        observer: context.observer,
    };
    let (published, compact) = write_compact(&plain, Box::new(target), options, &work)?;
    // The bundle is complete: what it was built from is of no more use, and a leftover is no failure.
    let _ = fs::remove_file(&fetched.path);
    let report = Report {
        path: Some(published.path),
        total_bytes: published.bytes,
        ..report
    };
    Ok((report, Some(compact)))
}
