//! Images that `--keep-going` omits: in plans, and as the end of the command.

use std::path::Path;

use sealift_bundle::{BundleError, Plan, Request};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::words;

/// The failure of a request that cannot be resolved, with a hint if the rest of it could be bundled.
pub(super) fn hinted(error: BundleError, request: &Request) -> Failure {
    let rest = match &error {
        BundleError::Unresolved(failures) => {
            !request.keep_going
                && failures.iter().all(|failure| failure.image.is_some())
                && failures.len() < request.images.len()
        }
        _ => false,
    };
    let failure = Failure::from(error);
    if rest {
        failure.hint("--keep-going bundles the other images; such a bundle is incomplete")
    } else {
        failure
    }
}

/// A line for each omitted image, for the plan.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let omitted = plan.summary().omitted.iter();
    let lines = omitted.map(|image| format!("{} OMITTED: {}", image.reference, image.reason));
    lines.collect()
}

/// The end of a command that wrote the bundle to `path`, or to standard output.
///
/// # Errors
/// If images were omitted: the list of them.
pub(super) fn written(plan: &Plan, path: Option<&Path>) -> Result<Exit, Failure> {
    let bundle = path.map_or("the bundle".to_owned(), |path| path.display().to_string());
    end(plan, &format!("{bundle} is incomplete")).map_err(|failure| {
        failure.hint(
            "for a complete bundle, fix the causes and run the command again, with --force if the file exists",
        )
    })
}

/// The end of a command that only printed the plan.
///
/// # Errors
/// If images were omitted: the list of them.
pub(super) fn planned(plan: &Plan) -> Result<Exit, Failure> {
    end(plan, "the bundle would be incomplete")
}

fn end(plan: &Plan, what: &str) -> Result<Exit, Failure> {
    let omitted = &plan.summary().omitted;
    if omitted.is_empty() {
        return Ok(Exit::Done);
    }
    let message = format!(
        "{what}: {} could not be resolved and {} omitted:",
        words::count(omitted.len() as u64, "image"),
        if omitted.len() == 1 { "was" } else { "were" }
    );
    let items = omitted
        .iter()
        .map(|image| format!("{}: {}", image.reference, image.reason));
    Err(Failure::message(Exit::Incomplete, message).items(items))
}
