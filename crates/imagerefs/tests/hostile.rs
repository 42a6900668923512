//! Any bytes give a result or an error, in bounded time and memory.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect
)]

mod mutate;

use mutate::{Mutator, SEEDS};
use sealift_imagerefs::{Reason, Relocation, Replacement, find, plan_rewrite, unified_diff};
use sealift_oci::{Destination, Naming, Reference};

#[test]
fn any_bytes_give_a_result_or_an_error() {
    let mut mutator = Mutator::new(0x5ea1_01f7);
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let bytes = mutator.mutate(SEEDS[round % SEEDS.len()].as_bytes());
        match find("mutant", &bytes) {
            Ok(found) => {
                read += 1;
                let text = std::str::from_utf8(&bytes).unwrap();
                for occurrence in found.occurrences.iter().chain(&found.incomplete) {
                    assert!(text.get(occurrence.span.clone()).is_some(), "{text}");
                    assert!(occurrence.line <= text.lines().count(), "{text}");
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(
        read > 2_000 && refused > 2_000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn deep_nesting_is_refused() {
    for (open, n) in [
        ("[", 100_000),
        ("{a: ", 100_000),
        ("- ", 100_000),
        ("? ", 10_000),
    ] {
        let text = format!("x:\n {}", open.repeat(n));
        let error = find("deep", text.as_bytes()).unwrap_err();
        assert!(
            matches!(error.reason, Reason::TooDeep { .. } | Reason::NotYaml(_)),
            "{error}"
        );
    }
}

#[test]
fn aliases_that_multiply_cost_no_more_than_their_text() {
    let mut text = "apiVersion: x.io/v1\nkind: X\na0: &a0 {image: 'quay.io/a/b:1'}\n".to_owned();
    for level in 1..200 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    for level in 0..200 {
        text.push_str(&format!("c{level}: {{containers: *a{level}, <<: *a0}}\n"));
    }
    let found = find("bomb", text.as_bytes()).unwrap();
    assert_eq!(found.occurrences.len(), 1);
}

#[test]
fn many_places_that_name_one_large_mapping_are_read_in_linear_time() {
    let large: String = (0..100_000).map(|n| format!(" k{n}: v\n")).collect();
    let place = " - {global: *l, metadata: *l, image: *l, <<: *l, containers: [*l], env: [*l]}\n";
    let text = format!("l: &l\n{large}places:\n{}", place.repeat(40_000));
    let found = find("large", text.as_bytes()).unwrap();
    assert_eq!(found.occurrences, []);
    // A large mapping of images looks at what surrounds it once.
    let images =
        (0..50_000).map(|n| format!("i{n}: {{image: {{repository: q.io/a/b, tag: v{n}}}}}\n"));
    let found = find("images", images.collect::<String>().as_bytes()).unwrap();
    assert_eq!(found.occurrences.len(), 50_000);
}

#[test]
fn thousands_of_images_inside_of_one_text_are_read_and_rewritten_in_linear_time() {
    let mut text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  values.yaml: |\n".to_owned();
    for n in 0..20_000 {
        text.push_str(&format!("    i{n}: {{image: 'quay.io/a/b:{n}'}}\n"));
    }
    text.push_str(&format!("  one: \"{}\"\n", "quay.io/a/b:1,".repeat(20_000)));
    let destination: Destination = "r.corp:5000/mirror".parse().unwrap();
    let naming = Naming::default();
    let mapping = Relocation::new(&destination, &naming);
    let plan = plan_rewrite("block", text.as_bytes(), &mapping).unwrap();
    assert_eq!(plan.edits.len(), 20_000);
    assert!(
        plan.edits[7].why.contains("quay.io/a/b:7 becomes"),
        "{}",
        plan.edits[7].why
    );
    // Too many in one value to take it apart.
    assert_eq!(plan.not_understood.len(), 1);
    let after = String::from_utf8(plan.apply(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(after.matches("'r.corp:5000/mirror/a/b:").count(), 20_000);
}

#[test]
fn a_long_key_is_not_repeated_at_length_for_every_image_below_it() {
    let key = "k".repeat(1_000_000);
    let text = format!("? {key}\n: [{}]\n", "'quay.io/a/b:1',".repeat(10_000));
    let found = find("key", text.as_bytes()).unwrap();
    assert_eq!(found.occurrences.len(), 10_000);
    assert!(
        found
            .occurrences
            .iter()
            .all(|occurrence| occurrence.path.len() < 200)
    );
}

#[test]
fn too_many_values_and_too_many_bytes_are_refused() {
    let values = format!("a: [{}]", "1,".repeat(1_000_001));
    let error = find("wide", values.as_bytes()).unwrap_err();
    assert!(
        matches!(error.reason, Reason::TooManyNodes { .. }),
        "{error}"
    );
    let error = find("long", &vec![b'#'; (64 << 20) + 1]).unwrap_err();
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error}");
}

#[test]
fn thousands_of_images_on_one_line_are_placed_in_linear_time() {
    let one = "{\"image\":\"quay.io/é/b:1\"},".replace('é', "e");
    let text = format!("{{\"é\":[{}]}}", one.repeat(20_000).trim_end_matches(','));
    let found = find("line", text.as_bytes()).unwrap();
    assert_eq!(found.occurrences.len(), 20_000);
    let last = found.occurrences.last().unwrap();
    assert_eq!(last.line, 1);
    assert_eq!(text.chars().nth(last.column - 1), Some('q'));
}

#[test]
fn any_bytes_are_rewritten_once_and_read_as_intended_or_stay() {
    let destination: Destination = "r.corp:5000/mirror".parse().unwrap();
    let naming = Naming::default();
    let mapping = Relocation::new(&destination, &naming);
    let mut mutator = Mutator::new(0x11f7_5ea1);
    let mut changed = 0;
    for round in 0..20_000 {
        let bytes = mutator.mutate(SEEDS[round % SEEDS.len()].as_bytes());
        let Ok(plan) = plan_rewrite("mutant", &bytes, &mapping) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let after = plan
            .apply(&bytes)
            .unwrap_or_else(|error| panic!("{error}\n{text}\n{plan:?}"));
        assert_eq!(plan.edits.is_empty(), after == bytes);
        let again = plan_rewrite("mutant", &after, &mapping).unwrap();
        assert_eq!(again.edits, [], "{text}");
        let intended = plan.replaced.iter().map(|(_, new)| new.clone());
        let mut intended: Vec<Reference> = intended.collect();
        let settled = again
            .settled
            .into_iter()
            .map(|occurrence| occurrence.reference);
        let mut settled: Vec<Reference> = settled.collect();
        settled.retain(|reference| {
            let place = intended.iter().position(|new| new == reference);
            place.map(|place| intended.swap_remove(place)).is_none()
        });
        assert_eq!(intended, [], "not in the result of\n{text}");
        changed += usize::from(after != bytes);
        assert_eq!(unified_diff("m", &bytes, &after).is_empty(), after == bytes);
    }
    assert!(changed > 2_000, "only {changed} texts changed");
}

#[test]
fn a_mapping_that_answers_anything_changes_what_it_answers_or_nothing() {
    let answers = [
        "x.io/y:1",
        "docker.io/library/redis",
        "r.io:1/a/b/c:1.20",
        "z@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let mut mutator = Mutator::new(77);
    for round in 0..4_000 {
        let seed = mutator.mutate(SEEDS[round % SEEDS.len()].as_bytes());
        let mapping = |reference: &Reference| {
            let sum: usize = reference.to_string().bytes().map(usize::from).sum();
            match (sum + round) % 6 {
                4 => Replacement::Keep,
                5 => Replacement::Unknown("no".to_owned()),
                n => Replacement::With(answers[n].parse().unwrap()),
            }
        };
        if let Ok(plan) = plan_rewrite("mutant", &seed, &mapping) {
            let after = plan.apply(&seed).unwrap();
            assert!(
                find("after", &after).is_ok(),
                "{}",
                String::from_utf8_lossy(&after)
            );
        }
    }
}
