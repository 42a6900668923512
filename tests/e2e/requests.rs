//! Request files: `bundle -r` and `--print-request`.

use sealift_testkit::Registry;

use crate::support::{Product, WorkDir, identity};

fn source() -> (WorkDir, Registry) {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    Product::new(9_000).put_into(&registry);
    (work_dir, registry)
}

#[test]
fn a_file_means_what_flags_mean_and_its_paths_are_relative_to_it() {
    let (work_dir, registry) = source();
    std::fs::create_dir(work_dir.path("sub")).unwrap();
    let node = registry.reference("product/node", "v1");
    let operator = registry.reference("product/deep/er/operator", "v1");
    work_dir.write("sub/list.txt", &operator);
    work_dir.write("sub/note.txt", "carried");
    work_dir.write(
        "sub/bundle.yaml",
        format!(
            "apiVersion: sealift/v1\nkind: Bundle\nimages: [\"{node}\"]\nlists: [list.txt]\nfiles: [{{path: note.txt, name: n.txt}}]\nplatforms: [linux/amd64]\nreferrers: false\noutput: out.tar\n"
        ),
    );
    let by_file = work_dir.ok(&["bundle", "-r", "sub/bundle.yaml"]);
    assert!(work_dir.path("sub/out.tar").is_file());
    let flags = [
        "bundle",
        &node,
        "-f",
        "sub/list.txt",
        "--carry",
        "sub/note.txt=n.txt",
        "--platform",
        "linux/amd64",
        "--no-referrers",
        "-o",
        "flags.tar",
    ];
    let by_flags = work_dir.ok(&flags);
    assert_eq!(identity(&by_file), identity(&by_flags));

    // What flags mean is written as a file, which means the same.
    let printed = work_dir.ok(&[&flags[..], &["--print-request"]].concat());
    work_dir.write("printed.yaml", &printed);
    assert_eq!(
        work_dir.ok(&["bundle", "-r", "printed.yaml", "--print-request"]),
        printed
    );
    let again = work_dir.ok(&["bundle", "-r", "printed.yaml", "-o", "again.tar"]);
    assert_eq!(identity(&again), identity(&by_flags));
    // A flag goes before the file's output.
    assert!(work_dir.path("again.tar").is_file());
}

#[test]
fn each_product_of_a_file_has_its_own_features() {
    let work_dir = WorkDir::new();
    work_dir.write(
        "r.yaml",
        "apiVersion: sealift/v1\nkind: Bundle\nproducts:\n- {name: calico, version: v3.32.1, with: [windows]}\n- cert-manager@v99.0.0\n",
    );
    let unknown = work_dir.run(&["bundle", "-r", "r.yaml", "--dry-run"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.said());
    assert!(
        unknown.stderr.contains("cert-manager"),
        "{}",
        unknown.stderr
    );
    let printed = work_dir.ok(&["bundle", "-r", "r.yaml", "--print-request"]);
    assert!(printed.contains("with: [windows]"), "{printed}");
}

#[test]
fn a_mistake_is_named_with_its_place_and_nothing_is_written() {
    let (work_dir, registry) = source();
    work_dir.write(
        "r.yaml",
        "apiVersion: sealift/v1\nkind: Bundle\nimgaes: []\n",
    );
    let run = work_dir.run(&["bundle", "-r", "r.yaml", "-o", "a.tar"]);
    assert_eq!(run.code, Some(2), "{}", run.said());
    assert!(run.stderr.contains("r.yaml:3:1: "), "{}", run.stderr);
    assert!(
        run.stderr.contains("did you mean \"images\"?"),
        "{}",
        run.stderr
    );
    work_dir.write("r.yaml", "apiVersion: sealift/v1\nkind: Bundle\n");
    let run = work_dir.run(&["bundle", "-r", "r.yaml"]);
    assert!(run.stderr.contains("name an output"), "{}", run.stderr);
    assert!(registry.traffic().0.is_empty() || !work_dir.path("a.tar").exists());
}

#[test]
fn a_hauler_manifest_is_bundled_and_what_it_means_besides_is_listed() {
    let (work_dir, registry) = source();
    let node = registry.reference("product/node", "v1");
    work_dir.write(
        "hauler.yaml",
        format!(
            "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n  images:\n  - name: {node}\n    key: cosign.pub\n"
        ),
    );
    let run = work_dir.run(&["bundle", "-r", "hauler.yaml", "-o", "a.tar"]);
    assert_eq!(run.code, Some(0), "{}", run.said());
    assert!(
        run.stderr.contains("not read: line 6: key of an image"),
        "{}",
        run.stderr
    );
    let inside = work_dir.json(&["inspect", "a.tar", "--json"]);
    assert_eq!(inside["images"][0]["reference"], node);
}
