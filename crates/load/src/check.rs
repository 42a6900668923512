//! Whether a registry still contains what was loaded into it: every tag, manifest, blob and referrer is
//! requested again and compared. Nothing is written.

mod blobs;
mod expected;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::Node;
use sealift_oci::Digest;
use sealift_pipeline::Event;
use sealift_registry::{ErrorKind, Repository};

use crate::context::Context;
use crate::error::LoadError;
use crate::plan::Registry;
use crate::repository::RepositoryName;
use blobs::Blobs;
pub use expected::{Expected, ExpectedName};
use expected::{ExpectedManifest, ExpectedTag};
pub use report::{CheckReport, CheckTotals, CheckedObject, Difference, Problem};

/// Requests everything that is `expected` and compares it: tags by the digest that the registry gives them,
/// manifests byte for byte, blobs by HEAD, referrers by the list that the registry gives of them. With
/// `deep`, every different blob is also read once and hashed.
///
/// # Errors
/// If the registry does not respond, or denies access. What is missing or different is not an error: the
/// report lists it.
pub fn check(
    expected: &Expected,
    deep: bool,
    context: &Context<'_>,
) -> Result<CheckReport, LoadError> {
    let registry = Registry {
        client: context.client,
        name: expected.destination().registry(),
        connections: context.budget.connections(),
        cancel: context.cancel,
    };
    let mut check = Check {
        registry,
        context,
        nodes: expected.nodes.clone(),
        problems: Vec::new(),
        totals: CheckTotals::default(),
    };
    check.tags(&expected.tags)?;
    check.manifests(&expected.manifests)?;
    check.referrers(&expected.manifests)?;
    check.blobs(&expected.manifests, deep)?;
    Ok(check.report(expected, deep))
}

/// One check: what is known so far.
struct Check<'a> {
    registry: Registry<'a>,
    context: &'a Context<'a>,
    /// Every manifest whose content is known: from the bundle, or from the registry after its digest was
    /// compared.
    nodes: BTreeMap<Digest, Node>,
    problems: Vec<Problem>,
    totals: CheckTotals,
}

impl Check<'_> {
    fn phase(&self, name: &str) {
        self.context.observer.event(&Event::Phase { name });
    }

    fn tags(&mut self, tags: &[ExpectedTag]) -> Result<(), LoadError> {
        self.phase("checking tags");
        let found = self.registry.parallel(tags, |tag| {
            let repository = self.registry.repository(&tag.repository)?;
            tag_difference(&repository, tag)
        })?;
        self.totals.tags = tags.len() as u64;
        for (tag, difference) in tags.iter().zip(found) {
            self.problem(&tag.repository, difference, || {
                CheckedObject::Tag(tag.tag.clone())
            });
        }
        Ok(())
    }

    fn manifests(&mut self, manifests: &[ExpectedManifest]) -> Result<(), LoadError> {
        self.phase("checking manifests");
        let found = self.registry.parallel(manifests, |expected| {
            let repository = self.registry.repository(&expected.repository)?;
            manifest(&repository, expected)
        })?;
        self.totals.manifests = manifests.len() as u64;
        for (expected, found) in manifests.iter().zip(found) {
            let difference = match found {
                Ok(node) => {
                    self.nodes.entry(expected.digest).or_insert(node);
                    None
                }
                Err(difference) => Some(difference),
            };
            self.problem(&expected.repository, difference, || {
                CheckedObject::Manifest(expected.digest)
            });
        }
        Ok(())
    }

    /// Whether the registry lists what refers to something, which is how clients find it.
    fn referrers(&mut self, manifests: &[ExpectedManifest]) -> Result<(), LoadError> {
        let mut groups: BTreeMap<(&RepositoryName, Digest), Vec<Digest>> = BTreeMap::new();
        for expected in manifests {
            let node = self.nodes.get(&expected.digest);
            if let Some(subject) = node.and_then(|node| node.subject) {
                let group = groups.entry((&expected.repository, subject)).or_default();
                group.push(expected.digest);
            }
        }
        if groups.is_empty() {
            return Ok(());
        }
        self.phase("checking referrers");
        let groups: Vec<_> = groups.into_iter().collect();
        let listed = self.registry.parallel(&groups, |((name, subject), _)| {
            let repository = self.registry.repository(name)?;
            repository.referrers(subject).map_err(LoadError::registry)
        })?;
        for (((repository, subject), referrers), listed) in groups.into_iter().zip(listed) {
            let listed: BTreeSet<Digest> = listed.iter().map(|found| found.digest).collect();
            for referrer in referrers {
                self.totals.referrers += 1;
                let difference = (!listed.contains(&referrer)).then_some(Difference::Unlisted);
                self.problem(repository, difference, || CheckedObject::Referrer {
                    subject,
                    digest: referrer,
                });
            }
        }
        Ok(())
    }

    fn blobs(&mut self, manifests: &[ExpectedManifest], deep: bool) -> Result<(), LoadError> {
        self.phase("checking blobs");
        let blobs = Blobs::of(manifests, &self.nodes);
        let found = blobs.head(&self.registry)?;
        self.totals.blobs = blobs.len();
        self.totals.blob_bytes = blobs.bytes();
        for (blob, difference) in blobs.iter().zip(&found) {
            if blob.foreign && *difference == Some(Difference::Missing) {
                self.totals.foreign_absent += 1;
                continue;
            }
            self.problem(blob.repository, difference.clone(), || {
                CheckedObject::Blob(blob.digest)
            });
        }
        if deep {
            self.phase("reading blobs");
            let read = blobs.read(&found, &self.registry, self.context)?;
            self.totals.blobs_read = read.len() as u64;
            for (blob, difference) in read {
                self.totals.bytes_read += blob.size;
                self.problem(blob.repository, difference, || {
                    CheckedObject::Blob(blob.digest)
                });
            }
        }
        Ok(())
    }

    fn problem(
        &mut self,
        repository: &RepositoryName,
        difference: Option<Difference>,
        object: impl FnOnce() -> CheckedObject,
    ) {
        if let Some(difference) = difference {
            self.problems.push(Problem {
                repository: repository.clone(),
                object: object(),
                difference,
                needed_by: Vec::new(),
            });
        }
    }

    fn report(mut self, expected: &Expected, deep: bool) -> CheckReport {
        let needs = Needs::new(&expected.names, &self.nodes);
        for problem in &mut self.problems {
            problem.needed_by = needs.names(problem, &expected.tags);
        }
        self.totals.names = expected.names.len() as u64;
        CheckReport {
            bundle: expected.bundle,
            destination: expected.destination().to_string(),
            deep,
            totals: self.totals,
            problems: self.problems,
        }
    }
}

/// What a tag stands for, if that is not what it should.
fn tag_difference(
    repository: &Repository,
    tag: &ExpectedTag,
) -> Result<Option<Difference>, LoadError> {
    let there = repository
        .head_manifest(&tag.tag)
        .map_err(LoadError::registry)?;
    let Some(there) = there else {
        return Ok(Some(Difference::Missing));
    };
    if there.digest == tag.digest || Some(there.digest) == tag.original {
        return Ok(None);
    }
    // Registries that know only SHA-256 name a SHA-512 manifest by that.
    if there.digest.algorithm() != tag.digest.algorithm() {
        let stored = repository.manifest(&tag.tag).map_err(LoadError::registry)?;
        if Digest::of(tag.digest.algorithm(), stored.bytes()) == tag.digest {
            return Ok(None);
        }
    }
    Ok(Some(Difference::Moved { to: there.digest }))
}

/// A manifest, whose digest is compared as it arrives.
fn manifest(
    repository: &Repository,
    expected: &ExpectedManifest,
) -> Result<Result<Node, Difference>, LoadError> {
    match repository.manifest(&expected.digest.to_string()) {
        Ok(manifest) if manifest.size() == expected.size => Ok(Ok(Node::of(&manifest))),
        Ok(manifest) => Ok(Err(Difference::Size {
            found: manifest.size(),
            expected: expected.size,
        })),
        Err(error) if error.is_not_found() => Ok(Err(Difference::Missing)),
        Err(error) if matches!(error.kind, ErrorKind::Manifest(_)) => {
            Ok(Err(Difference::Content {
                what: error.kind.to_string(),
            }))
        }
        Err(error) => Err(LoadError::registry(error)),
    }
}

/// Which names need what, in which repository.
struct Needs<'a> {
    reached: Vec<(&'a ExpectedName, BTreeSet<Digest>)>,
}

impl<'a> Needs<'a> {
    fn new(names: &'a [ExpectedName], nodes: &BTreeMap<Digest, Node>) -> Self {
        let reached = names.iter().map(|name| (name, reach(name.digest, nodes)));
        Self {
            reached: reached.collect(),
        }
    }

    /// The names, as the bundle calls them, that a problem affects.
    fn names(&self, problem: &Problem, tags: &[ExpectedTag]) -> Vec<String> {
        let digest = match &problem.object {
            CheckedObject::Manifest(digest)
            | CheckedObject::Blob(digest)
            | CheckedObject::Referrer { digest, .. } => Some(*digest),
            CheckedObject::Tag(tag) => tags
                .iter()
                .find(|known| known.repository == problem.repository && known.tag == *tag)
                .map(|known| known.digest),
        };
        let Some(digest) = digest else {
            return Vec::new();
        };
        let needing = self.reached.iter().filter(|(name, reached)| {
            name.repository == problem.repository && reached.contains(&digest)
        });
        let names: BTreeSet<String> = needing.map(|(name, _)| name.source.clone()).collect();
        names.into_iter().collect()
    }
}

/// A manifest and everything that it needs.
fn reach(root: Digest, nodes: &BTreeMap<Digest, Node>) -> BTreeSet<Digest> {
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(digest) = open.pop() {
        let Some(node) = nodes.get(&digest) else {
            continue;
        };
        seen.extend(node.blobs.iter().map(|blob| blob.digest));
        let children = node.children.iter();
        for child in children.map(|child| child.descriptor.digest) {
            if seen.insert(child) {
                open.push(child);
            }
        }
    }
    seen
}
