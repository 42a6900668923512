//! `bundle` from mirrors: by arguments and by a registries.conf.

use sealift_testkit::Registry;

use crate::support::{Product, WorkDir};

/// A registry that nobody runs, and a mirror of it below `hub`.
fn mirror() -> (WorkDir, Registry) {
    let mirror = Registry::start();
    for (repository, image) in &Product::new(9_000).names {
        image.put_into(&mirror, &format!("hub/{repository}"), Some("v1"));
    }
    (WorkDir::new(), mirror)
}

const IMAGE: &str = "publisher.example/product/node:v1";

#[test]
fn an_image_keeps_its_publishers_name_and_the_plan_shows_the_mirror() {
    let (work_dir, mirror) = mirror();
    let rule = format!("publisher.example={}/hub", mirror.host());
    let plan = work_dir.ok(&["bundle", IMAGE, "--mirror", &rule, "--dry-run"]);
    let pulled = format!("pulled from {}/hub/product/node", mirror.host());
    assert!(plan.contains(&pulled), "{plan}");
    work_dir.ok(&["bundle", IMAGE, "--mirror", &rule, "-o", "a.tar", "-q"]);
    let inside = work_dir.json(&["inspect", "a.tar", "--json"]);
    assert_eq!(inside["images"][0]["reference"], IMAGE);
}

#[test]
fn a_registries_conf_is_read_where_it_is_named_and_says_what_it_blocks() {
    let (work_dir, mirror) = mirror();
    let host = mirror.host();
    work_dir.write(
        "r.conf",
        format!(
            "short-name-mode = 'enforcing'\n[[registry]]\nlocation = 'publisher.example'\n[[registry.mirror]]\nlocation = '{host}/hub'\n[[registry]]\nlocation = 'evil.example'\nblocked = true\n"
        ),
    );
    let named = work_dir.run(&["bundle", IMAGE, "--registries-conf", "r.conf", "--dry-run"]);
    assert_eq!(named.code, Some(0), "{}", named.said());
    assert!(
        named.stderr.contains("short-name-mode is not used"),
        "{}",
        named.stderr
    );
    let by_variable = work_dir
        .command(&["bundle", IMAGE, "--dry-run"])
        .env("CONTAINERS_REGISTRIES_CONF", "r.conf")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(by_variable.stdout).unwrap(), named.stdout);
    let flags = ["--registries-conf", "r.conf", "--dry-run"];
    let blocked = work_dir.run(&[&["bundle", "evil.example/a:1"], &flags[..]].concat());
    assert_eq!(blocked.code, Some(2), "{}", blocked.said());
    assert!(
        blocked.stderr.contains("is blocked by r.conf"),
        "{}",
        blocked.stderr
    );
}
