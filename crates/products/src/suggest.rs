//! What somebody probably meant by a name that is not known.

/// The known name that is most like `given`, if one is close enough to be a typing error.
pub(crate) fn closest<'n>(
    given: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let likeness = |name: &&str| strsim::jaro_winkler(given, name);
    let similar = known.into_iter().filter(|name| likeness(name) > 0.8);
    similar.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// `; did you mean "NAME"?`, or nothing.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_has_a_suggestion_and_another_word_has_none() {
        let known = ["calico", "kubeadm", "cilium", "cert-manager", "argo-cd"];
        for (given, meant) in [
            ("calcio", Some("calico")),
            ("kubeadmin", Some("kubeadm")),
            ("certmanager", Some("cert-manager")),
            ("argocd", Some("argo-cd")),
            ("postgres", None),
            ("", None),
        ] {
            assert_eq!(closest(given, known), meant, "{given}");
        }
    }
}
