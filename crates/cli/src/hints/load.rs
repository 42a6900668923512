//! What to try after a bundle could not be loaded.

use sealift_load::LoadError;

use super::{Hint, SCRATCH, registry};

/// What to try, if there is anything that is not obvious.
pub(crate) fn hint(error: &LoadError) -> Option<Hint> {
    let text = match error {
        LoadError::Registry(error) => return registry::hint(error),
        LoadError::Manifest { source, .. } => return registry::hint(source),
        LoadError::Bundle { .. } | LoadError::Damaged { .. } => {
            "copy the bundle again from an intact copy; sealift verify lists everything that is corrupt; --keep-going loads the images that are intact"
        }
        LoadError::NoMatch { .. } | LoadError::UnusedMap { .. } => {
            "sealift inspect lists the names in the bundle"
        }
        LoadError::NothingSelected => "check --only and --skip",
        LoadError::Foreign(_) => {
            "push these layers to the registry first, skip the images with --skip, or bundle them without the platforms that need such layers"
        }
        LoadError::NoOriginal(_) => {
            "bundle all platforms, or load without --publisher-index required"
        }
        LoadError::SparseRefused { .. } => {
            "load without --publisher-index required, or configure the registry to accept an index whose children are missing"
        }
        LoadError::Conflicts(_) => {
            "use --overwrite to move these tags, or --skip to skip the images"
        }
        LoadError::Overtaken(_) => {
            "find out what else loads into this registry; then run the same command again, with --overwrite if it may move these tags"
        }
        LoadError::TagsPartlyMoved(partly) => {
            return hint(&partly.cause)
                .or_else(|| Some("run the same command again to move the rest".into()));
        }
        LoadError::Absent(_) => {
            "load the base first, use the naming that it was loaded with, or give its file with --base FILE"
        }
        LoadError::Base { .. } => "give the base's file with --base FILE",
        LoadError::Scratch(_) => SCRATCH,
        LoadError::Environment { source, .. } => return super::scratch(source).map(Into::into),
        _ => return None,
    };
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interruption::Kept;

    #[test]
    fn each_failure_that_a_flag_avoids_names_the_flag() {
        for (error, flag) in [
            (LoadError::Conflicts(Vec::new()), "--overwrite"),
            (LoadError::Overtaken(Vec::new()), "--overwrite"),
            (LoadError::Foreign(Vec::new()), "--skip"),
            (LoadError::NoOriginal(Vec::new()), "--publisher-index"),
        ] {
            let words = error.to_string();
            let hint = hint(&error).expect(&words).words(Kept::Progress);
            assert!(hint.contains(flag), "{words}");
        }
    }
}
