//! A password reaches the registry that it is for, and nothing else.

use sealift_testkit::{Bearer, Registry};

use crate::support::{Product, WorkDir};

const CANARY: &str = "canary-4f1d";

fn guarded() -> Registry {
    Registry::builder()
        .bearer(Bearer::new("me", CANARY))
        .start()
}

#[test]
fn a_password_appears_in_no_output_journal_receipt_or_bundle() {
    let (work_dir, product, source, destination) =
        (WorkDir::new(), Product::new(20_000), guarded(), guarded());
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    let login = ["--username", "me", "--password-stdin"];
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &login].concat();
        let run = work_dir.run_with_input(&arguments, CANARY.as_bytes());
        assert_eq!(run.code, Some(0), "{arguments:?}\n{}", run.stderr);
        assert!(!run.said().contains(CANARY), "{arguments:?}");
    };
    run(&["bundle", "-f", "images.txt", "-o", "product.tar"]);
    run(&[
        "load",
        "product.tar",
        &destination.host(),
        "--receipt",
        "receipt.json",
    ]);
    product.assert_in(&destination, "");
    for name in work_dir.names() {
        let content = work_dir.read(&name);
        let found = content
            .windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes());
        assert!(!found, "{name}");
    }
}

#[test]
fn a_refused_password_is_not_repeated() {
    let (work_dir, source) = (WorkDir::new(), guarded());
    Product::new(1000).put_into(&source);
    let image = source.reference("product/node", "v1");
    let login = ["--username", "me", "--password-stdin"];
    let arguments = [["bundle", &image, "-o", "x.tar"].as_slice(), &login].concat();
    let run = work_dir.run_with_input(&arguments, b"wrong-canary");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(!run.said().contains("wrong-canary"));
    assert_eq!(work_dir.names(), Vec::<String>::new());
}

#[test]
fn a_password_for_one_registry_is_not_shown_to_another() {
    let (work_dir, product, own, other) = (
        WorkDir::new(),
        Product::new(1000),
        guarded(),
        Registry::start(),
    );
    product.put_into(&own);
    product.put_into(&other);
    let images = [
        own.reference("product/node", "v1"),
        other.reference("product/deep/er/operator", "v1"),
    ];
    let login = ["--username", "me", "--password-stdin"];
    let arguments = [
        ["bundle", &images[0], &images[1], "-o", "x.tar"].as_slice(),
        &login,
    ]
    .concat();
    let refused = work_dir.run_with_input(&arguments, CANARY.as_bytes());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let host = own.host();
    let named = [arguments.as_slice(), &["--login-host", &host]].concat();
    let done = work_dir.run_with_input(&named, CANARY.as_bytes());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(other.traffic().authorized().is_empty());
}

#[test]
fn credentials_come_from_the_files_of_docker_and_podman() {
    use base64::Engine as _;
    let (work_dir, product, source) = (WorkDir::new(), Product::new(1000), guarded());
    product.put_into(&source);
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("me:{CANARY}"));
    let file = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, source.host());
    let image = source.reference("product/node", "v1");
    for place in [".docker/config.json", ".config/containers/auth.json"] {
        std::fs::create_dir_all(work_dir.path(place).parent().unwrap()).unwrap();
        work_dir.write(place, &file);
        work_dir.ok(&["bundle", &image, "-o", "x.tar", "--force", "--quiet"]);
        std::fs::remove_file(work_dir.path(place)).unwrap();
    }
    work_dir.write("auth.json", &file);
    work_dir.ok(&[
        "bundle",
        &image,
        "-o",
        "x.tar",
        "--force",
        "--authfile",
        "auth.json",
    ]);
}

#[test]
fn a_password_in_a_destination_is_not_repeated() {
    let work_dir = WorkDir::new();
    // Other arguments have the sign as well, and are told what is wrong with them.
    let product = work_dir.run(&["images", "--product", "calico@latest"]);
    assert!(
        product.stderr.contains("'calico@latest'"),
        "{}",
        product.stderr
    );
    for destination in ["me:canary-4f1d@r.corp/m", "https://me:canary-4f1d@r.corp"] {
        for arguments in [
            ["load", "x.tar", destination].as_slice(),
            &["rewrite", "x.yaml", "--to", destination],
            &["product", "calico", "x.tar", destination, "--out-dir", "x"],
            &["mirror", "k3s", "x.tar", destination],
            &[
                "images",
                "--product",
                "calico@3.32",
                "--product-mirror",
                destination,
            ],
        ] {
            let run = work_dir.run(arguments);
            assert_eq!(run.code, Some(2), "{}", run.stderr);
            assert!(!run.said().contains(CANARY), "{}", run.said());
        }
    }
}
