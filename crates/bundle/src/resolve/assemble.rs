//! The record, every blob's origins, and what a person should know, from what was read.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{
    BlobEntry, BlobRef, Contents, FileEntry, ImageEntry, Layout, MAX_CONFIG_BYTES, Node,
    PlainDescriptor, PlatformEntry, Record, ReferrerEntry, Role,
};
use sealift_oci::{Digest, PlatformSelector};

use crate::error::{BundleError, ImageFailure, Pointer, ResolveError, no_image_for};
use crate::plan::{Item, LeftOut, Need, Planned};
use crate::request::Request;
use crate::resolve::fetch::Known;
use crate::resolve::limits::{MAX_MANIFESTS, TOO_DEEP, TOO_MANY};
use crate::resolve::referrers::{Referrers, Subject};
use crate::resolve::select::{Chosen, names};
use crate::resolve::{Images, Root, failure, image_failure, originals};
use crate::sources::{Source, SourceId};

/// What assembling begins with.
pub(crate) struct Parts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) images: &'a Images,
    pub(crate) referrers: &'a Referrers,
    /// Carried files, with the place that has them.
    pub(crate) files: &'a [(FileEntry, SourceId)],
}

/// Collects what images, referrers and files need, and adds what fails to `failures`. If something failed, the result
/// is incomplete.
pub(crate) fn assemble<'a, 'b>(
    parts: &Parts<'_>,
    known: &'a Known<'b>,
    failures: &mut Vec<ImageFailure>,
) -> Builder<'a, 'b> {
    let Parts {
        request,
        images,
        referrers,
        files,
    } = *parts;
    let too_deep = match known.graph.check_depth() {
        Ok(()) => BTreeSet::new(),
        Err(error) => known.graph.dependents(&error.digest()),
    };
    let mut builder = Builder {
        known,
        too_deep,
        foreign_layers: request.foreign_layers,
        record: Record::empty(),
        items: BTreeMap::new(),
        needs: Vec::new(),
        manifests: BTreeMap::new(),
        originals: BTreeSet::new(),
        warnings: referrers.warnings.clone(),
    };
    for (root, chosen) in images {
        let name = root.reference.to_string();
        let walked = builder
            .walk(&name, root.source, &chosen.descriptor)
            .and_then(|()| builder.original(root, chosen));
        match walked {
            Ok(()) => builder.image(root, chosen, &request.platforms),
            Err(error) => failures.push(image_failure(&root.reference, error)),
        }
    }
    for referrer in &referrers.carried {
        let Subject {
            source,
            repository,
            digest,
        } = &referrer.subject;
        let kind = referrer.artifact_type.as_deref().unwrap_or("referrer");
        let own = referrer.descriptor.digest;
        let name = format!("{kind} {own} of {repository}@{digest}");
        match builder.walk(&name, *source, &referrer.descriptor) {
            Ok(()) => builder.record.referrers.push(ReferrerEntry {
                repository: repository.clone(),
                subject: *digest,
                descriptor: referrer.descriptor.clone(),
                artifact_type: referrer.artifact_type.clone(),
                discovery: referrer.discovery.clone(),
            }),
            Err(error) => failures.push(ImageFailure {
                name,
                image: referrers.images.get(&referrer.subject).cloned(),
                error,
            }),
        }
    }
    for (file, source) in files {
        match builder.walk(&file.name, *source, &file.descriptor) {
            Ok(()) => builder.record.files.push(file.clone()),
            Err(error) => failures.push(failure(&file.name, error)),
        }
    }
    builder
}

/// A plan that is being made.
pub(crate) struct Builder<'a, 'b> {
    known: &'a Known<'b>,
    /// Manifests that lead to an index with too many indexes in each other.
    too_deep: BTreeSet<Digest>,
    foreign_layers: bool,
    record: Record,
    items: BTreeMap<Digest, Item>,
    needs: Vec<Need>,
    manifests: BTreeMap<Digest, PlainDescriptor>,
    /// Publishers' indexes that are carried beside new ones.
    originals: BTreeSet<Digest>,
    warnings: Vec<String>,
}

impl Builder<'_, '_> {
    /// Adds everything that `root` needs, under `name`.
    fn walk(
        &mut self,
        name: &str,
        source: SourceId,
        root: &PlainDescriptor,
    ) -> Result<(), ResolveError> {
        if self.too_deep.contains(&root.digest) {
            return Err(TOO_DEEP);
        }
        let number = u32::try_from(self.needs.len()).unwrap_or(u32::MAX);
        self.needs.push(Need {
            name: name.to_owned(),
            bytes: 0,
        });
        let mut foreign = BTreeSet::new();
        let mut seen = BTreeSet::from([root.digest]);
        let mut open = vec![(root.clone(), root.digest)];
        while let Some((descriptor, parent)) = open.pop() {
            let node = self.node(&descriptor, parent)?;
            if seen.len() > MAX_MANIFESTS || self.known.oversized.contains(&descriptor.digest) {
                return Err(TOO_MANY);
            }
            let (children, blobs) = (node.children.clone(), node.blobs.clone());
            self.manifest(number, source, &descriptor)?;
            for child in children {
                if seen.insert(child.descriptor.digest) {
                    open.push((child.descriptor, descriptor.digest));
                }
            }
            for blob in blobs {
                if blob.role == Role::Foreign && !self.foreign_layers {
                    foreign.insert(blob.digest);
                } else {
                    self.blob(number, source, &blob)?;
                }
            }
        }
        self.warn_of_foreign(name, &foreign);
        Ok(())
    }

    /// The manifest that `descriptor` points at, as all who point at it describe it.
    fn node(&self, descriptor: &PlainDescriptor, parent: Digest) -> Result<&Node, ResolveError> {
        let digest = descriptor.digest;
        match self.known.graph.get(&digest) {
            Some(node) if node.descriptor == *descriptor => Ok(node),
            Some(node) => Err(ResolveError::Described {
                pointer: Box::new(Pointer {
                    parent,
                    child: digest,
                }),
                says: format!("{:?} with {} bytes", descriptor.media_type, descriptor.size),
                is: format!(
                    "{:?} with {}",
                    node.descriptor.media_type, node.descriptor.size
                ),
            }),
            None => Err(self
                .known
                .failed
                .get(descriptor)
                .cloned()
                .unwrap_or(TOO_DEEP)),
        }
    }

    fn manifest(
        &mut self,
        number: u32,
        source: SourceId,
        descriptor: &PlainDescriptor,
    ) -> Result<(), ResolveError> {
        self.manifests.insert(descriptor.digest, descriptor.clone());
        let sources = (!self.known.made.contains(&descriptor.digest)).then_some(source);
        let item = Item::new(descriptor.size, true);
        self.item(number, sources, descriptor.digest, item)
    }

    fn blob(&mut self, number: u32, source: SourceId, blob: &BlobRef) -> Result<(), ResolveError> {
        let mut item = Item::new(blob.size, false);
        item.config =
            matches!(blob.role, Role::ImageConfig | Role::Config) && blob.size <= MAX_CONFIG_BYTES;
        item.has_urls = blob.has_urls;
        self.item(number, Some(source), blob.digest, item)
    }

    fn item(
        &mut self,
        number: u32,
        source: Option<SourceId>,
        digest: Digest,
        item: Item,
    ) -> Result<(), ResolveError> {
        let there = self.items.entry(digest).or_insert_with(|| item.clone());
        if there.size != item.size {
            let other = there.needed_by.first().and_then(|first| {
                let index = usize::try_from(*first).ok()?;
                Some(self.needs.get(index)?.name.clone())
            });
            return Err(ResolveError::TwoSizes {
                digest,
                own: item.size,
                other: other.unwrap_or_default(),
                theirs: there.size,
            });
        }
        there.config |= item.config;
        there.manifest |= item.manifest;
        there.has_urls |= item.has_urls;
        there.sources.extend(source);
        if there.needed_by.last() != Some(&number) {
            there.needed_by.push(number);
            if let Some(need) = self.needs.last_mut() {
                need.bytes += item.size;
            }
        }
        Ok(())
    }

    fn warn_of_foreign(&mut self, name: &str, foreign: &BTreeSet<Digest>) {
        if foreign.is_empty() {
            return;
        }
        let list: Vec<String> = foreign.iter().map(Digest::to_string).collect();
        self.warnings.push(format!(
            "{name}: {} non-distributable layers are omitted ({}); the destination must have them already",
            foreign.len(),
            list.join(", ")
        ));
    }

    /// Adds the publisher's index of the image that was walked last. It is a blob of the bundle: what it lists
    /// is not all there.
    fn original(&mut self, root: &Root, chosen: &Chosen) -> Result<(), ResolveError> {
        let Some(original) = originals::of(root, chosen) else {
            return Ok(());
        };
        if !originals::is_carried(self.known, original) {
            self.warnings.push(format!(
                "{} is bundled without its publisher's index {}, which is not available or too large",
                root.reference, original.digest
            ));
            return Ok(());
        }
        self.originals.insert(original.digest);
        let number = u32::try_from(self.needs.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let item = Item::new(original.size, false);
        self.item(number, None, original.digest, item)
    }

    fn image(&mut self, root: &Root, chosen: &Chosen, selectors: &[PlatformSelector]) {
        let reference = &root.reference;
        let left_out = chosen.left_out.iter().map(|(entry, _)| entry.clone());
        let left_out: Vec<PlatformEntry> = left_out.collect();
        let unmatched = chosen.unmatched(selectors);
        let named = [names(&chosen.platforms), names(&left_out)].concat();
        if !named.is_empty() && !unmatched.is_empty() {
            let unmatched: Vec<String> = unmatched.iter().map(ToString::to_string).collect();
            self.warnings
                .push(format!("{reference}: {}", no_image_for(&unmatched, &named)));
        }
        for entry in chosen.not_served() {
            self.warnings.push(format!(
                "{reference}: the attestation {} is omitted: its index lists it, but the registry does not have it",
                entry.digest
            ));
        }
        let recorded = root.recorded.as_ref();
        let before = recorded.map_or(&[][..], |recorded| &recorded.left_out);
        self.record.images.push(ImageEntry {
            reference: reference.clone(),
            descriptor: chosen.descriptor.clone(),
            source: root.kind,
            original: originals::of(root, chosen).cloned(),
            platforms: chosen.platforms.clone(),
            left_out: before.iter().cloned().chain(left_out).collect(),
            new_digest: root.new_digest,
        });
    }

    /// The finished plan of all that was collected.
    pub(crate) fn finish(
        self,
        images: &Images,
        referrers: &Referrers,
    ) -> Result<Planned, BundleError> {
        let mut record = self.record;
        record.manifests = self.manifests.into_values().collect();
        record.blobs = self
            .items
            .iter()
            .filter(|(_, item)| !item.manifest)
            .map(|(digest, item)| BlobEntry {
                digest: *digest,
                size: item.size,
                config: item.config,
            })
            .collect();
        let contents = Contents::new(record)?;
        self.known.graph.check_reach(contents.record())?;
        let total_bytes = Layout::new(&contents)?.total_bytes();
        let spool = self.known.spool;
        let mut made = BTreeMap::new();
        for digest in self.known.made.union(&self.originals) {
            if self.items.contains_key(digest)
                && let Some(bytes) = spool.get(digest).map_err(BundleError::Scratch)?
            {
                made.insert(*digest, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        let not_covered = not_covered(images, referrers);
        let mut warnings = self.warnings;
        warnings.extend(not_covered.iter().map(|(reference, names)| {
            format!(
                "{reference}: if a registry refuses the publisher's index, load stores a new index of the selected platforms, which these do not cover: {}",
                names.join(", ")
            )
        }));
        Ok(Planned {
            contents,
            total_bytes,
            items: self.items,
            needs: self.needs,
            made,
            left_out: reasons(images),
            not_covered,
            pulled_from: pulled_from(images, self.known),
            warnings,
        })
    }
}

/// The repositories of images that are not pulled from where their names say.
fn pulled_from(images: &Images, known: &Known<'_>) -> BTreeMap<String, String> {
    let elsewhere = images.iter().filter_map(|(root, _)| {
        let source = known.sources.source(root.source);
        let is_mirror =
            matches!(source, Source::Registry { .. }) && *source != Source::of(&root.reference);
        is_mirror.then(|| (root.reference.to_string(), source.name()))
    });
    elsewhere.collect()
}

fn reasons(images: &Images) -> BTreeMap<String, Vec<LeftOut>> {
    let left_out = images.iter().map(|(root, chosen)| {
        let list = chosen.left_out.iter().map(|(entry, verdict)| {
            let platform = names(std::slice::from_ref(entry));
            LeftOut {
                platform: platform
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| "none".to_owned()),
                digest: entry.digest,
                reason: verdict.reason().to_owned(),
            }
        });
        (root.reference.to_string(), list.collect())
    });
    left_out.collect()
}

fn not_covered(images: &Images, referrers: &Referrers) -> BTreeMap<String, Vec<String>> {
    let all = images.iter().filter_map(|(root, chosen)| {
        let original = originals::of(root, chosen)?;
        let names = referrers
            .of_originals
            .get(&Subject::of(root, original.digest))
            .filter(|names| !names.is_empty())?;
        Some((root.reference.to_string(), names.clone()))
    });
    all.collect()
}
