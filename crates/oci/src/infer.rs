//! The naming that explains names seen at a destination.

use crate::{Destination, Naming, NamingRule, Reference};

impl Naming {
    /// The naming rule and prefix that give every image the name it has at `destination`; `pairs` are images
    /// at their source and there, of which only registry and repository count. `None` if no rule explains
    /// all of them, for example because some were named by explicit maps.
    pub fn explaining(pairs: &[(Reference, Reference)], destination: &Destination) -> Option<Self> {
        let first = pairs.first()?;
        let rules = [NamingRule::Keep, NamingRule::Flat, NamingRule::Host];
        let candidates = rules.into_iter().filter_map(|rule| prefixed(rule, first));
        let explains = |naming: &Self| {
            pairs.iter().all(|(image, there)| {
                there.registry() == destination.registry()
                    && naming.repository_at(image, destination) == there.repository()
            })
        };
        candidates.into_iter().find(explains)
    }
}

/// The rule with what the name at the destination has before the image's own last component.
fn prefixed(rule: NamingRule, (image, there): &(Reference, Reference)) -> Option<Naming> {
    let last = |reference: &Reference| {
        let repository = reference.repository();
        repository
            .rsplit('/')
            .next()
            .unwrap_or(repository)
            .to_owned()
    };
    let there = last(there);
    match there.strip_suffix(&last(image))? {
        "" => Some(Naming::new(rule)),
        prefix => Naming::new(rule).with_prefix(prefix).ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MapRule;

    const IMAGES: [&str; 3] = [
        "quay.io/calico/node:v3.32.1",
        "docker.io/library/redis:7",
        "quay.io/tigera/operator:v1.42.3",
    ];

    fn pairs(naming: &Naming, destination: &Destination) -> Vec<(Reference, Reference)> {
        let images = IMAGES.into_iter().map(|image| image.parse().unwrap());
        let pair = |image: Reference| {
            let there = naming.reference_at(&image, destination).unwrap();
            (image, there)
        };
        images.map(pair).collect()
    }

    #[test]
    fn every_rule_with_and_without_a_prefix_is_recognised() {
        for destination in ["r.corp", "r.corp:5000/a/b"] {
            let destination = destination.parse().unwrap();
            for rule in [NamingRule::Keep, NamingRule::Flat, NamingRule::Host] {
                for prefix in ["", "corp-"] {
                    let naming = Naming::new(rule);
                    let naming = match prefix {
                        "" => naming,
                        prefix => naming.with_prefix(prefix).unwrap(),
                    };
                    let pairs = pairs(&naming, &destination);
                    assert_eq!(Naming::explaining(&pairs, &destination), Some(naming));
                }
            }
        }
    }

    #[test]
    fn names_that_no_rule_gives_are_not_explained() {
        let destination = "r.corp/a".parse().unwrap();
        let map: MapRule = "quay.io/calico/=net/".parse().unwrap();
        let mapped = pairs(&Naming::default().with_maps([map]), &destination);
        assert_eq!(Naming::explaining(&mapped, &destination), None);
        let kept = pairs(&Naming::default(), &destination);
        let other = "s.corp/a".parse().unwrap();
        assert_eq!(Naming::explaining(&kept, &other), None);
        assert_eq!(Naming::explaining(&[], &destination), None);
    }
}
