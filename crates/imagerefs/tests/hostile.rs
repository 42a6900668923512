//! Any bytes give a result or an error, in bounded time and memory.
#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect
)]

mod mutate;

use mutate::{Mutator, SEEDS};
use sealift_imagerefs::{Problem, find};

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
            matches!(error.problem, Problem::TooDeep { .. } | Problem::NotYaml(_)),
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
fn too_many_values_and_too_many_bytes_are_refused() {
    let values = format!("a: [{}]", "1,".repeat(1_000_001));
    let error = find("wide", values.as_bytes()).unwrap_err();
    assert!(
        matches!(error.problem, Problem::TooManyNodes { .. }),
        "{error}"
    );
    let error = find("long", &vec![b'#'; (64 << 20) + 1]).unwrap_err();
    assert!(matches!(error.problem, Problem::TooLarge { .. }), "{error}");
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
