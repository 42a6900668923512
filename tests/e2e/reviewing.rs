//! What people look at before they accept a bundle: `inspect`, `diff`, `report`.

use sealift_testkit::{Artifact, ImageMaker, Layer, Registry, cosign};
use serde_json::Value;

use crate::support::WorkDir;

/// A name that HTML, a terminal and a reader could be deceived with.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{1b}[2J\"'&";

fn status(packages: &[(&str, &str)]) -> Vec<u8> {
    let stanza = |(name, version): &(&str, &str)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
        )
    };
    packages.iter().map(stanza).collect::<String>().into_bytes()
}

fn image(seed: &str, packages: &[(&str, &str)], files: &[(&str, &[u8])]) -> ImageMaker {
    let release: &[u8] = b"ID=example\nPRETTY_NAME=\"Example <b>Linux</b> 1\"\n";
    ImageMaker::new(seed)
        .platforms(&["linux/amd64"])
        .layer(Layer::files(&[("etc/os-release", release)]))
        .layer(Layer::files(&[("var/lib/dpkg/status", &status(packages))]))
        .layer(Layer::files(files))
        .label("org.opencontainers.image.vendor", HOSTILE)
        .label(
            "org.opencontainers.image.source",
            "https://example.org/source",
        )
}

/// Two releases of a product as `old.tar` and `new.tar`.
pub(crate) fn releases() -> WorkDir {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    let old = image(
        "node",
        &[("bash", "5.2-1"), ("curl", "8.1-1"), ("gone", "1")],
        &[("app/a", b"1"), ("app/removed", b"1")],
    )
    .make();
    let signature = cosign(&old.root, "sig");
    old.with(signature)
        .put_into(&registry, "p/node", Some("v1"));
    let hostile = format!("app/{}", HOSTILE.replace('/', "-"));
    let new = image(
        "node",
        &[("bash", "5.3-1"), ("curl", "8.0-9"), ("come", "1")],
        &[("app/a", b"22"), (&hostile, b"333")],
    )
    .attested()
    .make();
    let sbom = Artifact::new("application/spdx+json")
        .subject(&new.children()[0])
        .make();
    new.with(sbom).put_into(&registry, "p/node", Some("v2"));
    let broken = ImageMaker::new("broken")
        .single()
        .layer(Layer::files(&[("var/lib/rpm/Packages", b"not a database")]))
        .make();
    broken.put_into(&registry, "p/same", Some("v1"));
    ImageMaker::new("only-new")
        .single()
        .make()
        .put_into(&registry, "p/more", Some("v1"));
    work_dir.write("a.txt", "one");
    let name = |repository: &str, tag: &str| registry.reference(repository, tag);
    let (v1, v2, same, more) = (
        name("p/node", "v1"),
        name("p/node", "v2"),
        name("p/same", "v1"),
        name("p/more", "v1"),
    );
    work_dir.ok(&[
        "bundle", &v1, &same, "--carry", "a.txt", "-o", "old.tar", "--quiet",
    ]);
    work_dir.write("a.txt", "two, and more");
    work_dir.ok(&[
        "bundle", &v2, &same, &more, "--carry", "a.txt", "-o", "new.tar", "--quiet",
    ]);
    work_dir
}

fn changes(diff: &Value) -> Vec<(String, String)> {
    let images = diff["images"].as_array().unwrap().iter();
    images
        .map(|image| {
            let name = image["reference"].as_str().unwrap();
            let name = name.rsplit_once('/').unwrap().1;
            (
                name.to_owned(),
                image["change"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| {
        one["name"]
            .as_str()
            .or(one["package"]["name"].as_str())
            .unwrap()
    })
    .collect()
}

#[test]
fn a_new_release_is_compared_image_by_image_down_to_its_packages() {
    let work_dir = releases();
    let diff = work_dir.json(&["diff", "--json", "old.tar", "new.tar", "--quiet"]);
    let expected = [
        ("more:v1", "added"),
        ("node:v2", "changed"),
        ("same:v1", "unchanged"),
    ];
    assert_eq!(
        changes(&diff),
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let node = &diff["images"][1];
    assert!(
        node["oldReference"]
            .as_str()
            .unwrap()
            .ends_with("/p/node:v1")
    );
    assert_eq!(node["attached"]["old"]["signature (cosign)"], 1);
    assert_eq!(node["attached"]["new"]["SBOM (SPDX)"], 1);
    assert_eq!(node["attached"]["new"]["attestation (SLSA provenance)"], 1);
    let platform = &node["platforms"][0];
    assert_eq!(platform["layers"]["kept"], 1);
    assert_eq!(platform["layers"]["added"], 2);
    assert_eq!(names(&platform["packages"]["changed"]), ["bash", "curl"]);
    assert_eq!(platform["packages"]["changed"][1]["upgrade"], false);
    assert_eq!(names(&platform["packages"]["added"]), ["come"]);
    assert_eq!(names(&platform["packages"]["removed"]), ["gone"]);
    assert_eq!(platform["files"]["changed"].as_array().unwrap().len(), 2);
    assert_eq!(platform["files"]["removed"][0]["path"], "app/removed");
    assert_eq!(diff["files"][0]["change"], "changed");
    let text = work_dir.ok(&["diff", "old.tar", "new.tar", "--quiet"]);
    for part in [
        "images: 1 added, 0 removed, 1 changed, 1 unchanged",
        "p/node:v1 → v2",
        "~ dpkg bash 5.2-1 → 5.3-1\n",
        "~ dpkg curl 8.1-1 → 8.0-9 (downgrade)\n",
        "1 × signature (cosign) → 1 × SBOM (SPDX), 1 × attestation (SLSA provenance)",
        "~ a.txt  ",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    let same = work_dir.ok(&["diff", "old.tar", "old.tar", "--quiet"]);
    assert!(same.contains("identities are equal"), "{same}");
}

#[test]
fn bundles_of_different_profiles_are_compared_and_reported_alike() {
    let work_dir = releases();
    work_dir.ok(&["compact", "new.tar", "-o", "compact.tar", "--quiet"]);
    let compared = |new: &str| {
        let mut diff = work_dir.json(&["diff", "--json", "old.tar", new, "--quiet"]);
        diff["new"]["file"].take();
        diff["new"]["fileBytes"].take();
        diff
    };
    assert_eq!(compared("new.tar"), compared("compact.tar"));
    let (plain, compact) = (facts(&work_dir, "new.tar"), facts(&work_dir, "compact.tar"));
    assert_eq!(plain["images"], compact["images"]);
    assert_eq!(compact["profile"], "compact");
}

fn facts(work_dir: &WorkDir, bundle: &str) -> Value {
    work_dir.json(&["report", "--json", bundle, "--quiet"])
}

#[test]
fn a_report_has_what_an_officer_asks_for() {
    let work_dir = releases();
    let facts = facts(&work_dir, "new.tar");
    assert_eq!(facts["sha256"], sha256(&work_dir.read("new.tar")));
    let images = facts["images"].as_array().unwrap();
    let node = images
        .iter()
        .find(|one| one["reference"].as_str().unwrap().ends_with("node:v2"));
    let node = node.unwrap();
    let platform = &node["platforms"][0];
    assert_eq!(platform["platform"], "linux/amd64");
    assert_eq!(platform["publisher"]["created"], "1970-01-01T00:00:00Z");
    assert_eq!(
        platform["publisher"]["labels"]["source code"],
        "https://example.org/source"
    );
    assert_eq!(
        names(&platform["inventory"]["packages"]),
        ["bash", "come", "curl"]
    );
    let attached = node["attached"].as_array().unwrap();
    let subjects = attached
        .iter()
        .map(|one| one["subjectName"].as_str().unwrap());
    assert!(
        subjects
            .clone()
            .all(|name| name.ends_with("node:v2 (linux/amd64)")),
        "{attached:?}"
    );
    let same = images
        .iter()
        .find(|one| one["reference"].as_str().unwrap().ends_with("same:v1"));
    let notes = &same.unwrap()["platforms"][0]["inventory"]["notes"];
    assert_eq!(notes[0]["path"], "var/lib/rpm/Packages");
}

#[test]
fn a_publishers_index_that_is_in_the_bundle_is_not_reported_as_omitted() {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    let app = ImageMaker::new("app")
        .platforms(&["linux/amd64", "linux/arm64"])
        .make();
    app.put_into(&registry, "p/app", Some("v1"));
    let name = registry.reference("p/app", "v1");
    let bundle = [
        "bundle",
        &name,
        "--platform",
        "linux/amd64",
        "-o",
        "new.tar",
        "-q",
    ];
    work_dir.ok(&bundle);
    let facts = facts(&work_dir, "new.tar");
    let image = &facts["images"][0];
    assert_eq!(image["original"], app.digest().to_string());
    assert_eq!(image["originalIncluded"], true);
    let omitted = facts["omitted"].as_array().unwrap();
    let what: Vec<&str> = omitted
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["platform linux/arm64"]);
    work_dir.ok(&["report", "new.tar", "-o", "page.html", "-q"]);
    let page = String::from_utf8(work_dir.read("page.html")).unwrap();
    assert!(page.contains("contains the publisher's index and a new one"));
    assert!(!page.contains("publisher's index, and signatures"));
}

#[test]
fn quiet_commands_print_their_result() {
    let work_dir = releases();
    for (command, expected) in [
        (
            ["report", "new.tar", "-o", "page.html", "-q"],
            "page.html: 3 images",
        ),
        (
            ["record", "new.tar", "-o", "new.record", "-q"],
            "new.record: ",
        ),
    ] {
        let run = work_dir.run(&command);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(0), ""),
            "{command:?}"
        );
        assert!(run.stdout.starts_with(expected), "{}", run.stdout);
        assert!(run.stdout.contains("identity sha256:"), "{}", run.stdout);
    }
}

fn sha256(bytes: &[u8]) -> String {
    sealift_oci::Digest::sha256(bytes).hex()
}

#[test]
fn a_page_is_complete_in_itself_and_shows_hostile_names_as_text() {
    let work_dir = releases();
    work_dir.ok(&["report", "new.tar", "-o", "page.html"]);
    let page = String::from_utf8(work_dir.read("page.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for part in [
        "<script",
        "<b>",
        "\u{202e}",
        "\u{1b}",
        "src=",
        "href=\"http",
        "url(",
        "@import",
    ] {
        assert!(!page.contains(part), "{part:?} is in the page");
    }
    for part in [
        "SBOM (SPDX)",
        "not a database of rpm",
        "Images without a signature",
        "sha256sum -c",
    ] {
        assert!(page.contains(part), "{part:?} is not in the page");
    }
    let to_stdout = work_dir.ok(&["report", "new.tar", "-o", "-", "--quiet"]);
    assert_eq!(to_stdout, page);
}

#[test]
fn a_page_that_exists_is_replaced_only_by_force_and_a_corrupt_bundle_writes_none() {
    let work_dir = releases();
    work_dir.write("page.html", "mine");
    let refused = work_dir.run(&["report", "new.tar", "-o", "page.html"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_eq!(work_dir.read("page.html"), b"mine");
    work_dir.ok(&["report", "new.tar", "-o", "page.html", "--force"]);
    assert!(work_dir.read("page.html").starts_with(b"<!DOCTYPE html>"));
    let facts = facts(&work_dir, "new.tar");
    let layers = facts["images"].as_array().unwrap().iter();
    let layers = layers.map(|image| &image["platforms"][0]["layers"]);
    let changed = layers
        .max_by_key(|layers| layers.as_array().unwrap().len())
        .unwrap();
    let name = changed[2]["digest"]
        .as_str()
        .unwrap()
        .replace("sha256:", "blobs/sha256/");
    let mut bytes = work_dir.read("new.tar");
    let header = bytes
        .windows(name.len())
        .position(|window| window == name.as_bytes());
    bytes[header.unwrap() + 512 + 20] ^= 1;
    work_dir.write("corrupt.tar", &bytes);
    let names = work_dir.names();
    for command in [
        vec!["report", "corrupt.tar", "-o", "other.html"],
        vec!["diff", "old.tar", "corrupt.tar"],
    ] {
        let run = work_dir.run(&command);
        assert_eq!(run.code, Some(4), "{command:?}: {}", run.stderr);
        assert_eq!(work_dir.names(), names);
    }
}

#[test]
fn plans_and_inspections_name_signatures_and_their_subjects() {
    let work_dir = releases();
    let text = work_dir.ok(&["inspect", "new.tar"]);
    assert!(text.contains("SBOM (SPDX)"), "{text}");
    assert!(text.contains("of 127.0.0.1"), "{text}");
    assert!(text.contains("p/node:v2 (linux/amd64)"), "{text}");
    assert!(!text.contains("unknown/unknown"), "{text}");
    let old = work_dir.json(&["inspect", "--json", "old.tar"]);
    let referrers = &old["images"][0]["referrers"];
    assert_eq!(referrers[0]["kind"]["class"], "signature");
    assert!(
        referrers[0]["subjectName"]
            .as_str()
            .unwrap()
            .ends_with("p/node:v1")
    );
}
