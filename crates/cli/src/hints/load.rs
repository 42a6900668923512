//! What to try after a bundle could not be loaded.

use sealift_load::LoadError;

use super::{SCRATCH, registry};
use crate::interruption::Kept;

/// What to try, if there is anything that is not obvious.
pub(crate) fn hint(error: &LoadError) -> Option<String> {
    Some(match error {
        LoadError::Registry(error) => return registry::hint(error),
        LoadError::Manifest { source, .. } => return registry::hint(source),
        LoadError::Bundle { .. } | LoadError::Damaged { .. } => {
            "copy the bundle again from an intact copy; sealift verify lists everything that is corrupt; --keep-going loads the images that are intact".to_owned()
        }
        LoadError::NoMatch { .. } => "sealift inspect lists the names in the bundle".to_owned(),
        LoadError::Foreign(_) => "push these layers to the registry first, skip the images with --skip, or bundle them without the platforms that need such layers".to_owned(),
        LoadError::NoOriginal(_) => {
            "bundle all platforms, or load without --publisher-index required".to_owned()
        }
        LoadError::SparseRefused { .. } => {
            "load without --publisher-index required, or configure the registry to accept an index whose children are missing".to_owned()
        }
        LoadError::Conflicts(_) => {
            "use --overwrite to move these tags, or --skip to skip the images".to_owned()
        }
        LoadError::Overtaken(_) => {
            "find out what else loads into this registry; then run the same command again, with --overwrite if it may move these tags".to_owned()
        }
        LoadError::TagsPartlyMoved(partly) => {
            return hint(&partly.cause)
                .or_else(|| Some("run the same command again to move the rest".to_owned()));
        }
        LoadError::Absent(_) => {
            "load the base first, use the naming that it was loaded with, or give its file with --base FILE".to_owned()
        }
        LoadError::Base { .. } => "give the base's file with --base FILE".to_owned(),
        LoadError::Scratch(_) => SCRATCH.to_owned(),
        LoadError::Cancelled(_) => Kept::Progress.hint().to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_that_a_flag_avoids_names_the_flag() {
        for (error, flag) in [
            (LoadError::Conflicts(Vec::new()), "--overwrite"),
            (LoadError::Overtaken(Vec::new()), "--overwrite"),
            (LoadError::Foreign(Vec::new()), "--skip"),
            (LoadError::NoOriginal(Vec::new()), "--publisher-index"),
        ] {
            let words = error.to_string();
            assert!(hint(&error).expect(&words).contains(flag), "{words}");
        }
    }
}
