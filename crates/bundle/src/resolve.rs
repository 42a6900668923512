//! From a request to a plan: everything is asked for once, all that fails is collected.

use crate::context::Context;
use crate::error::BundleError;
use crate::plan::Plan;
use crate::request::Request;

/// Makes a plan of `request`. Nothing is written; all images that fail are named together.
pub fn resolve(request: &Request, context: &Context<'_>) -> Result<Plan, BundleError> {
    let _ = (request, context);
    unimplemented!()
}
