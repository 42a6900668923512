//! Tags of an earlier release: which they are, and which of them are deleted.

use sealift_archive::Record;
use sealift_load::{
    OldTagState, PruneError, PrunePlan, PruneReceipts, Pruned, ReceiptTags, plan_prune, prune,
};
use sealift_oci::{Descriptor, media_type};
use sealift_testkit::{Profile, Registry, Route};

use crate::support::{Maker, assert_no_writes, load, request, small, with};

/// Two images; one keeps its tag in the next release, the other gets another.
fn release(version: &str) -> Maker {
    Maker::new()
        .image("r.example/stays:1", &small("stays"))
        .image(&format!("r.example/moves:{version}"), &small(version))
}

/// A registry with both releases, and the receipt of the first load.
fn loaded(profile: Profile) -> (Registry, ReceiptTags) {
    let registry = Registry::with_profile(profile);
    let receipt = load(&release("1").bundle(), &registry).unwrap();
    load(&release("2").bundle(), &registry).unwrap();
    let receipt = serde_json::to_vec(&receipt).unwrap();
    registry.clear_traffic();
    (registry, ReceiptTags::read("r.json", &receipt).unwrap())
}

fn planned(registry: &Registry, old: &[&Record], receipts: &[ReceiptTags]) -> PrunePlan {
    planned_by(&release("2").record, registry, old, receipts)
}

fn planned_by(
    new: &Record,
    registry: &Registry,
    old: &[&Record],
    receipts: &[ReceiptTags],
) -> PrunePlan {
    let request = request(&registry.host());
    with(4, |context| {
        let receipts = PruneReceipts {
            old: receipts.to_vec(),
            kept: Vec::new(),
        };
        plan_prune(new, old, &receipts, &request, context)
    })
    .unwrap()
}

fn pruned(registry: &Registry, plan: &PrunePlan) -> Pruned {
    let request = request(&registry.host());
    with(4, |context| prune(plan, &request, context)).unwrap()
}

#[test]
fn a_tag_that_the_next_release_does_not_have_is_deleted_if_a_receipt_names_it() {
    let (registry, receipt) = loaded(Profile::Spec);
    let old = release("1").record;
    let receipts = [receipt];
    let plan = planned(&registry, &[&old], &receipts);
    let names: Vec<(&str, &str)> = (plan.tags.iter())
        .map(|tag| (tag.repository.as_str(), tag.tag.as_str()))
        .collect();
    assert_eq!(names, [("mirror/moves", "1")]);
    assert_no_writes(&registry);
    let done = pruned(&registry, &plan);
    assert_eq!(done.deleted, ["mirror/moves:1"]);
    assert!(done.failed.is_empty());
    assert_eq!(registry.tagged("mirror/moves", "1"), None);
    small("2").assert_in(&registry, "mirror/moves", Some("2"));
    small("stays").assert_in(&registry, "mirror/stays", Some("1"));
    let again = planned(&registry, &[&old], &receipts);
    assert_eq!(again.tags[0].state, OldTagState::Absent);
}

#[test]
fn without_a_receipt_or_with_one_of_another_load_nothing_is_deleted() {
    let (registry, _) = loaded(Profile::Spec);
    let elsewhere = Registry::start();
    let other = load(&release("1").bundle(), &elsewhere).unwrap();
    let other = serde_json::to_vec(&other).unwrap();
    let other = ReceiptTags::read("r.json", &other).unwrap();
    for receipts in [&[][..], &[other]] {
        let plan = planned(&registry, &[&release("1").record], receipts);
        assert_eq!(plan.tags[0].state, OldTagState::There);
        assert_nothing_done(&pruned(&registry, &plan));
    }
    assert_eq!(registry.traffic().count("DELETE", Route::Manifest), 0);
}

#[test]
fn a_tag_that_somebody_moved_is_left_alone() {
    let (registry, receipt) = loaded(Profile::Spec);
    let old = release("1").record;
    let receipts = [receipt];
    let before = planned(&registry, &[&old], &receipts);
    let other = small("somebody's");
    other.put_into(&registry, "mirror/moves", Some("1"));
    let after = planned(&registry, &[&old], &receipts);
    let now = other.digest();
    assert_eq!(after.tags[0].state, OldTagState::Changed { now });
    assert_nothing_done(&pruned(&registry, &after));
    // Moved between the plan and the deletion.
    let done = pruned(&registry, &before);
    let reason = &done.failed[0].reason;
    assert!(
        matches!(reason, PruneError::Moved { now: found } if *found == now),
        "{done:?}"
    );
    assert_eq!(registry.tagged("mirror/moves", "1"), Some(now));
}

#[test]
fn a_registry_that_deletes_nothing_is_reported() {
    let (registry, receipt) = loaded(Profile::Distribution2);
    registry.change(|behaviour| behaviour.deletes = false);
    let plan = planned(&registry, &[&release("1").record], &[receipt]);
    let done = pruned(&registry, &plan);
    assert!(done.deleted.is_empty());
    assert_eq!(done.failed[0].tag, "mirror/moves:1");
    assert!(matches!(done.failed[0].reason, PruneError::Unsupported));
    small("1").assert_in(&registry, "mirror/moves", Some("1"));
}

/// A registry that deletes manifests with all their tags, and no tags, into which both releases were loaded; and the
/// receipt of the first.
fn without_deletion_of_tags() -> (Registry, [ReceiptTags; 1]) {
    let (registry, receipt) = loaded(Profile::Distribution2);
    registry.change(|behaviour| behaviour.deletes = true);
    (registry, [receipt])
}

#[test]
fn where_tags_cannot_be_deleted_their_manifest_is() {
    let (registry, receipts) = without_deletion_of_tags();
    let plan = planned(&registry, &[&release("1").record], &receipts);
    let done = pruned(&registry, &plan);
    assert_eq!(done.deleted, ["mirror/moves:1"], "{done:?}");
    assert_eq!(registry.tagged("mirror/moves", "1"), None);
    small("2").assert_in(&registry, "mirror/moves", Some("2"));
}

#[test]
fn a_manifest_that_another_tag_needs_is_not_deleted_with_the_tag() {
    let old = release("1").record;
    let image = small("1");
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [Descriptor::new(
            media_type::OCI_MANIFEST.to_owned(),
            image.digest(),
            image.root.size,
        )],
    })
    .to_string();
    for others in [
        "itself",
        "an index that lists it",
        "an index that lists such an index",
    ] {
        let (registry, receipts) = without_deletion_of_tags();
        if others == "itself" {
            image.put_into(&registry, "mirror/moves", Some("production"));
        } else {
            let mut listing = registry.put_manifest("mirror/moves", media_type::OCI_INDEX, &index);
            if others.ends_with("such an index") {
                let size = index.len() as u64;
                let inner = Descriptor::new(media_type::OCI_INDEX.to_owned(), listing, size);
                let outer = serde_json::json!({
                    "schemaVersion": 2,
                    "mediaType": media_type::OCI_INDEX,
                    "manifests": [inner],
                })
                .to_string();
                listing = registry.put_manifest("mirror/moves", media_type::OCI_INDEX, &outer);
            }
            registry.tag("mirror/moves", "production", listing);
        }
        let plan = planned(&registry, &[&old], &receipts);
        let done = pruned(&registry, &plan);
        let reason = &done.failed[0].reason;
        assert!(
            matches!(reason, PruneError::Shared { tag } if tag == "production"),
            "{others}: {done:?}"
        );
        image.assert_in(&registry, "mirror/moves", Some("1"));
    }
    // The next release has the same image under another tag.
    let (registry, receipts) = without_deletion_of_tags();
    let new = release("2").image("r.example/moves:1-again", &image);
    let plan = planned_by(&new.record, &registry, &[&old], &receipts);
    let done = pruned(&registry, &plan);
    let reason = &done.failed[0].reason;
    assert!(matches!(reason, PruneError::InNewRelease), "{done:?}");
    image.assert_in(&registry, "mirror/moves", Some("1"));
}

#[test]
fn a_tag_of_a_publishers_index_is_recognised() {
    let (registry, _) = loaded(Profile::Spec);
    let mut old = release("1").record;
    // The tag stands for the publisher's index, of which only some platforms were selected.
    let new = old.images[0].descriptor.clone();
    let moves = old.images.last_mut().unwrap();
    moves.original = Some(std::mem::replace(&mut moves.descriptor, new));
    let plan = planned(&registry, &[&old], &[]);
    assert_eq!(plan.tags[0].state, OldTagState::There);
    assert_eq!(plan.tags[0].digest, small("1").digest());
}

#[test]
fn a_tag_that_another_load_has_too_is_kept() {
    let (registry, receipt) = loaded(Profile::Spec);
    let other = Maker::new().image("r.example/moves:1", &small("1"));
    let kept = serde_json::to_vec(&load(&other.bundle(), &registry).unwrap()).unwrap();
    let receipts = PruneReceipts {
        old: vec![receipt],
        kept: vec![ReceiptTags::read("other.json", &kept).unwrap()],
    };
    let (new, old) = (release("2").record, release("1").record);
    let request = request(&registry.host());
    let plan = with(4, |context| {
        plan_prune(&new, &[&old], &receipts, &request, context)
    });
    let plan = plan.unwrap();
    assert!(plan.tags[0].in_receipt && plan.tags[0].kept);
    assert_nothing_done(&pruned(&registry, &plan));
    small("1").assert_in(&registry, "mirror/moves", Some("1"));
}

fn assert_nothing_done(done: &Pruned) {
    assert!(
        done.deleted.is_empty() && done.failed.is_empty(),
        "{done:?}"
    );
}
