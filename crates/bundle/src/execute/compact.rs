//! Into a compact bundle or a delta: everything is fetched into a plain bundle beside the output, which is packed
//! from there and removed. What the bases of a delta have is not fetched.
//!
//! Fetching and packing are both resumed: what was fetched is a bundle like any other, and packs that are
//! finished stay in the partial file.

use std::fs;

use sealift_archive::{
    Base, BaseFile, Bundle, CompactOptions, CompactReport, FileTarget, Identity, OutputFile, Work,
    WriteError, compact_plan, write_compact, write_delta,
};

use crate::context::Context;
use crate::error::BundleError;
use crate::execute::{Report, file};
use crate::plan::Plan;

/// The plain file that is fetched for a compact bundle or a delta.
pub fn fetched(output: &OutputFile) -> OutputFile {
    let mut path = output.path.as_os_str().to_owned();
    path.push(".fetched");
    OutputFile {
        path: path.into(),
        state_dir: output.state_dir.clone(),
        replace: false,
    }
}

/// As a compact bundle, or, with `bases`, as a delta on them.
pub(crate) fn write(
    plan: &Plan,
    output: &OutputFile,
    bases: &[BaseFile],
    options: &CompactOptions,
    context: &Context<'_>,
) -> Result<(Report, Option<CompactReport>), BundleError> {
    if !output.replace && output.path.symlink_metadata().is_ok() {
        let path = output.path.clone();
        return match finished(plan, output, bases, context)? {
            Some(report) => Ok((report, None)),
            None => Err(WriteError::Exists { path }.into()),
        };
    }
    let plan = plan.clone().on_bases(bases);
    let fetched = fetched(output);
    let report = file::write(&plan, &fetched, context)?;
    let plain = Bundle::open_fetched(&fetched.path, plan.contents(), bases, &context.reading())?;
    let text = compact_plan(&plain, bases, options);
    let target = FileTarget::begin(output, plan.parts().request, &text)?;
    let target = Box::new(target);
    let work = Work {
        budget: context.budget,
        cancel: context.cancel,
        observer: context.observer,
    };
    let (published, compact) = if bases.is_empty() {
        write_compact(&plain, target, options, &work)?
    } else {
        write_delta(&plain, bases, target, options, &work)?
    };
    // The bundle is complete: what it was built from is of no more use, and a leftover is no failure.
    let _ = fs::remove_file(&fetched.path);
    let report = Report {
        path: Some(published.path),
        total_bytes: published.bytes,
        ..report
    };
    Ok((report, Some(compact)))
}

/// The report of an earlier run that finished, if what has the output's name is this bundle on these bases.
fn finished(
    plan: &Plan,
    output: &OutputFile,
    bases: &[BaseFile],
    context: &Context<'_>,
) -> Result<Option<Report>, BundleError> {
    let Ok(bundle) = Bundle::open(&output.path, &context.reading()) else {
        return Ok(None);
    };
    let there: Vec<Identity> = match bundle.delta() {
        Some(delta) => delta.bases().iter().map(Base::identity).collect(),
        None => Vec::new(),
    };
    if !there.into_iter().eq(bases.iter().map(BaseFile::identity)) {
        return Ok(None);
    }
    file::finished(plan, output, context)
}
