//! Tags of an earlier release: which they are, and which of them are deleted.

use sealift_archive::Record;
use sealift_load::{OldTagState, PrunePlan, Pruned, ReceiptTags, plan_prune, prune};
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

fn planned(registry: &Registry, old: &[&Record], receipt: Option<&ReceiptTags>) -> PrunePlan {
    let request = request(&registry.host());
    with(4, |context| {
        plan_prune(&release("2").record, old, receipt, &request, context)
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
    let plan = planned(&registry, &[&old], Some(&receipt));
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
    let again = planned(&registry, &[&old], Some(&receipt));
    assert_eq!(again.tags[0].state, OldTagState::Absent);
}

#[test]
fn without_a_receipt_or_with_one_of_another_load_nothing_is_deleted() {
    let (registry, _) = loaded(Profile::Spec);
    let elsewhere = Registry::start();
    let other = load(&release("1").bundle(), &elsewhere).unwrap();
    let other = serde_json::to_vec(&other).unwrap();
    let other = ReceiptTags::read("r.json", &other).unwrap();
    for receipt in [None, Some(&other)] {
        let plan = planned(&registry, &[&release("1").record], receipt);
        assert_eq!(plan.tags[0].state, OldTagState::There);
        assert_eq!(pruned(&registry, &plan), Pruned::default());
    }
    assert_eq!(registry.traffic().count("DELETE", Route::Manifest), 0);
}

#[test]
fn a_tag_that_somebody_moved_is_left_alone() {
    let (registry, receipt) = loaded(Profile::Spec);
    let old = release("1").record;
    let before = planned(&registry, &[&old], Some(&receipt));
    let other = small("somebody's");
    other.put_into(&registry, "mirror/moves", Some("1"));
    let after = planned(&registry, &[&old], Some(&receipt));
    let now = other.digest();
    assert_eq!(after.tags[0].state, OldTagState::Changed { now });
    assert_eq!(pruned(&registry, &after), Pruned::default());
    // Moved between the plan and the deletion.
    let done = pruned(&registry, &before);
    assert!(done.failed[0].reason.contains("stands for"), "{done:?}");
    assert_eq!(registry.tagged("mirror/moves", "1"), Some(now));
}

#[test]
fn a_registry_that_deletes_nothing_is_reported() {
    let (registry, receipt) = loaded(Profile::Distribution2);
    registry.change(|behaviour| behaviour.deletes = false);
    let plan = planned(&registry, &[&release("1").record], Some(&receipt));
    let done = pruned(&registry, &plan);
    assert!(done.deleted.is_empty());
    assert_eq!(done.failed[0].tag, "mirror/moves:1");
    assert!(done.failed[0].reason.contains("does not delete tags"));
    small("1").assert_in(&registry, "mirror/moves", Some("1"));
}
