//! Dry runs that estimate the size of compact and delta bundles from a sample, against what is written.

use std::fs;

use sealift_testkit::{ImageMaker, Layer, Registry, Route};
use serde_json::Value;

use crate::support::WorkDir;

const IMAGES: usize = 9;

/// Images that have a file in common, and one of their own that changes a little from release to release.
fn source() -> (WorkDir, Registry) {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    for release in ["1", "2"] {
        let names = (0..IMAGES).map(|number| format!("product/image-{number}"));
        let lines: Vec<String> = names
            .map(|name| {
                let layer = Layer::gzip(&format!("{name} {release}"), 4_000)
                    .file("common", 30_000)
                    .file(&name, 40_000);
                let image = ImageMaker::new(&format!("{name} {release}")).single();
                image
                    .layer(layer)
                    .make()
                    .put_into(&registry, &name, Some(release));
                registry.reference(&name, release)
            })
            .collect();
        work_dir.write(&format!("{release}.txt"), lines.join("\n"));
    }
    (work_dir, registry)
}

/// Runs a command, which must print JSON, with an empty folder for temporary data, which it must leave empty.
fn json(work_dir: &WorkDir, arguments: &[&str]) -> Value {
    let scratch = work_dir.path("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let output = work_dir
        .command(&[arguments, &["--json"]].concat())
        .env("TMPDIR", &scratch)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} {errors}");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{arguments:?}");
    fs::remove_dir(&scratch).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

/// Runs a command that writes `file`, and asserts that its size and the bytes that it stores are in the estimated ranges,
/// the upper ends of which are less than three times the lower ones.
fn assert_estimates(sample: &Value, work_dir: &WorkDir, arguments: &[&str], file: &str) {
    let written = work_dir.json(&[arguments, &["-o", file, "--json"]].concat());
    let packed = written.get("compact").unwrap_or(&written);
    let size = work_dir.read(file).len() as u64;
    let stored = number(&packed["storedBytes"]);
    for (range, size) in [("fileBytes", size), ("storedBytes", stored)] {
        let (least, most) = (
            number(&sample[range]["least"]),
            number(&sample[range]["most"]),
        );
        assert!(least <= size && size <= most, "{range}: {size} in {sample}");
        assert!(most <= 3 * least, "{range} {sample}");
    }
    assert_eq!(sample["exact"], false);
    assert!(
        number(&sample["sampledBytes"]) < number(&sample["blobBytes"]) / 2,
        "{sample}"
    );
    let (quick, slow) = (&sample["seconds"]["least"], &sample["seconds"]["most"]);
    assert!(
        quick.as_f64() <= slow.as_f64() && slow.as_f64() > Some(0.0),
        "{sample}"
    );
}

#[test]
fn a_local_bundle_is_sampled_and_nothing_is_written() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    let before = work_dir.names();
    let plan = json(
        &work_dir,
        &["compact", "1.tar", "--dry-run", "--sample", "150k"],
    );
    let exact = json(&work_dir, &["compact", "1.tar", "--dry-run"]);
    let delta = ["compact", "2.tar", "--base", "1.tar", "--dry-run"];
    let delta_plan = json(&work_dir, &[&delta[..], &["--sample", "150k"]].concat());
    let nothing = json(&work_dir, &[&delta[..], &["--sample", "0"]].concat());
    let words = work_dir.ok(&["compact", "1.tar", "--dry-run", "--sample", "150k"]);
    assert_eq!(work_dir.names(), before);

    assert_estimates(
        &plan["sample"],
        &work_dir,
        &["compact", "1.tar"],
        "compact.tar",
    );
    assert_eq!(plan["packedBytes"], plan["sample"]["blobBytes"]);
    assert!(plan.get("estimate").is_none(), "{plan}");
    let size = work_dir.read("compact.tar").len() as u64;
    let exact = &exact["sample"];
    assert_eq!(exact["exact"], true);
    assert_eq!(number(&exact["fileBytes"]["least"]), size);
    assert_eq!(number(&exact["fileBytes"]["most"]), size);

    assert_estimates(&delta_plan["sample"], &work_dir, &delta[..4], "delta.tar");
    assert!(nothing.get("sample").is_none() && nothing.get("estimate").is_some());
    for expected in [
        "packed",
        "estimated size of the bundle: ",
        "estimated time to pack: ",
        "scratch",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
}

#[test]
fn a_plan_fetches_a_sample_only_if_it_is_told_to() {
    let (work_dir, source) = source();
    let compact = ["bundle", "-f", "1.txt", "--profile", "compact"];
    source.clear_traffic();
    let plan = work_dir.ok(&[&compact[..], &["--dry-run"]].concat());
    assert!(plan.contains("--sample"), "{plan}");
    // Configs are read while planning.
    let planned = source.traffic().of("GET", Route::Blob).len();
    assert_eq!(planned, IMAGES);
    source.clear_traffic();
    let plan = json(
        &work_dir,
        &[&compact[..], &["--dry-run", "--sample", "150k"]].concat(),
    );
    let fetched = source.traffic().of("GET", Route::Blob).len() - planned;
    let sample = &plan["sample"];
    assert!(number(&sample["fetchedBytes"]) <= 150_000, "{sample}");
    assert_eq!(sample["fetchedBytes"], sample["sampledBytes"]);
    assert!(fetched > 1 && fetched < IMAGES, "{fetched}");
    assert_estimates(sample, &work_dir, &compact, "compact.tar");

    // What is on this machine is not fetched.
    source.clear_traffic();
    let local = [
        "bundle",
        "--from",
        "compact.tar",
        "--profile",
        "compact",
        "--dry-run",
    ];
    let plan = json(&work_dir, &[&local[..], &["--sample", "64M"]].concat());
    assert!(source.traffic().0.is_empty());
    assert_eq!(plan["sample"]["fetchedBytes"], 0);
    assert_eq!(plan["sample"]["exact"], true);

    let delta = ["bundle", "-f", "2.txt", "--base", "compact.tar"];
    let arguments = [&delta[..], &["--dry-run", "--sample", "150k"]].concat();
    let plan = json(&work_dir, &arguments);
    let words = work_dir.ok(&arguments);
    assert!(words.contains("fetched for the sample: "), "{words}");
    assert!(!words.contains("by other releases"), "{words}");
    assert_estimates(&plan["sample"], &work_dir, &delta, "delta.tar");
}

#[test]
fn a_sample_that_says_nothing_is_not_fetched() {
    let (work_dir, source) = source();
    let plan = ["bundle", "-f", "1.txt", "--dry-run"];
    let plain = work_dir.run(&[&plan[..], &["--sample", "64M"]].concat());
    assert_eq!(plain.code, Some(2), "{}", plain.said());
    source.clear_traffic();
    let words = work_dir.ok(&[&plan[..], &["--profile", "compact", "--sample", "10k"]].concat());
    assert_eq!(source.traffic().of("GET", Route::Blob).len(), IMAGES);
    assert!(words.contains("not estimated"), "{words}");
    assert!(words.contains("use --sample 1M"), "{words}");
    assert!(!words.contains("--sample 64M"), "{words}");
    let needless = work_dir.run(&["compact", "1.tar", "-o", "2.tar", "--sample", "1M"]);
    assert_eq!(needless.code, Some(2), "{}", needless.said());
}
