//! Into a compact bundle or a delta: everything is fetched into a plain bundle beside the output, which is packed
//! from there and removed. What the bases of a delta have is not fetched.
//!
//! Fetching and packing are both resumed: what was fetched is a bundle like any other, and packs that are
//! finished stay in the partial file.

use std::fs;

use sealift_archive::{
    Base, BaseFile, Bundle, CompactOptions, CompactReport, FileTarget, Identity, OpenError,
    OutputFile, Profile, Work, WriteError, compact_plan, open_fetched, write_compact, write_delta,
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
        replace: output.replace,
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
        let Some(report) = finished(plan, output, bases, context)? else {
            return Err(WriteError::Exists { path }.into());
        };
        let (plan, fetched) = (plan.clone().on_bases(bases), fetched(output));
        if open(&plan, &fetched, bases, context).is_ok() {
            remove(&fetched);
        }
        return Ok((report, None));
    }
    // Before anything is fetched: another process may write the same file.
    let locked = FileTarget::lock(output)?;
    let plan = plan.clone().on_bases(bases);
    let fetched = fetched(output);
    let (report, plain) = if let Some(complete) = earlier(&plan, &fetched, bases, context) {
        complete
    } else {
        let report = file::write(&plan, &fetched, context)?;
        (report, open(&plan, &fetched, bases, context)?)
    };
    let text = compact_plan(&plain, bases, options);
    let target = FileTarget::begin_locked(locked, output, plan.parts().request, &text)?;
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
    remove(&fetched);
    let report = Report {
        path: Some(published.path),
        total_bytes: published.bytes,
        ..report
    };
    Ok((report, Some(compact)))
}

/// Removes what a bundle was built from, which is of no more use once the bundle is complete. A leftover is no failure.
fn remove(fetched: &OutputFile) {
    let _ = fs::remove_file(&fetched.path);
    fetched.remove_journal();
}

fn open(
    plan: &Plan,
    fetched: &OutputFile,
    bases: &[BaseFile],
    context: &Context<'_>,
) -> Result<Bundle, OpenError> {
    let resources = context.reading().resources;
    open_fetched(&fetched.path, plan.contents(), bases, &resources)
}

/// What an earlier run fetched before it was interrupted, if that is all that the plan needs. Packing compares every
/// blob with its digest.
fn earlier(
    plan: &Plan,
    fetched: &OutputFile,
    bases: &[BaseFile],
    context: &Context<'_>,
) -> Option<(Report, Bundle)> {
    let plain = open(plan, fetched, bases, context).ok()?;
    fetched.remove_journal();
    let report = Report {
        identity: plain.identity(),
        path: Some(fetched.path.clone()),
        total_bytes: plan.layout().ok()?.total_bytes(),
        fetched_blobs: 0,
        fetched_bytes: 0,
        present_blobs: plan.fetched().count() as u64,
        compact: None,
    };
    Some((report, plain))
}

/// The report of an earlier run that finished, if what has the output's name is this bundle on these bases.
fn finished(
    plan: &Plan,
    output: &OutputFile,
    bases: &[BaseFile],
    context: &Context<'_>,
) -> Result<Option<Report>, BundleError> {
    let profile = match bases {
        [] => Profile::Compact,
        _ => Profile::Delta,
    };
    let Some(bundle) = file::there(plan, output, profile, context)? else {
        return Ok(None);
    };
    let there: Vec<Identity> = match bundle.delta() {
        Some(delta) => delta.bases().iter().map(Base::identity).collect(),
        None => Vec::new(),
    };
    if !there.into_iter().eq(bases.iter().map(BaseFile::identity)) {
        return Ok(None);
    }
    file::finished(&bundle, output, context)
}
