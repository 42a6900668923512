//! What to try after a bundle could not be built.

use sealift_archive::{LocalError, Unreadable};
use sealift_bundle::{BundleError, FetchError, ResolveError};

use super::{BASE, EXISTS, Hint, registry};

/// What to try, each thing once.
pub(crate) fn hints(error: &BundleError) -> Vec<Hint> {
    let resolve = error.resolve_errors().filter_map(resolve);
    let fetch = error.fetch_errors().filter_map(fetch);
    // Nothing is created at a source: what it does not have is a matter of the name.
    let refused = error
        .registry_errors()
        .filter(|error| !error.is_not_found());
    let registries = refused.filter_map(registry::hint);
    let profile = matches!(error, BundleError::OtherProfile { .. }).then(|| EXISTS.into());
    let mut hints: Vec<Hint> = resolve
        .chain(fetch)
        .chain(registries)
        .chain(profile)
        .collect();
    hints.sort_unstable();
    hints.dedup();
    // It says the same and more.
    if hints
        .iter()
        .any(|hint| matches!(hint, Hint::Again(Some(_))))
    {
        hints.retain(|hint| *hint != Hint::Again(None));
    }
    hints
}

fn resolve(error: &ResolveError) -> Option<Hint> {
    Some(match error {
        ResolveError::Referrers(_) => "--no-referrers skips signatures and other referrers".into(),
        ResolveError::Platform { .. } => {
            "select an available platform, or omit --platform to include all of them".into()
        }
        ResolveError::Local(error) => return local(error),
        _ => return None,
    })
}

fn local(error: &LocalError) -> Option<Hint> {
    let LocalError::Unreadable(unreadable) = error else {
        return None;
    };
    Some(match unreadable {
        Unreadable::Absent(_) => BASE.into(),
        Unreadable::Scratch(_) => {
            "free some space, or use --state-dir with a folder that has more".into()
        }
    })
}

fn fetch(error: &FetchError) -> Option<Hint> {
    Some(match error {
        FetchError::Broken { .. }
        | FetchError::HostFailed { .. }
        | FetchError::Changed { .. } => Hint::Again(None),
        FetchError::Local(error) => return local(error),
        FetchError::Mismatch { host, .. } => format!(
            "{host}, or a cache in front of it, is corrupt: report it to its operator, or fetch from another registry"
        )
        .into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interruption::Kept;

    #[test]
    fn a_missing_platform_has_a_hint_that_names_the_flag() {
        let error = ResolveError::Platform {
            wanted: vec!["windows/amd64".to_owned()],
            there: vec!["linux/amd64".to_owned()],
        };
        let hint = resolve(&error).expect("a hint").words(Kept::Progress);
        assert!(hint.contains("omit --platform"));
    }

    #[test]
    fn a_connection_that_broke_has_a_hint_to_run_the_command_again() {
        let error = FetchError::HostFailed {
            host: "r.corp".to_owned(),
        };
        assert_eq!(fetch(&error), Some(Hint::Again(None)));
    }

    #[test]
    fn what_explains_itself_has_no_hint() {
        assert_eq!(fetch(&FetchError::NoOrigin), None);
        assert!(hints(&BundleError::Empty).is_empty());
    }
}
