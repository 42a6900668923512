//! What is loaded: patterns, and the publisher's index or a new one.

use sealift_archive::PlainDescriptor;
use sealift_load::{LoadError, PublisherIndex};
use sealift_oci::{Descriptor, media_type};
use sealift_testkit::{Artifact, Image, Registry, cosign};

use crate::support::{Maker, image, load, request, run, small};

fn maker() -> Maker {
    let node = image("node");
    let child = &node.children()[0];
    let sbom = Artifact::new("application/spdx+json")
        .subject(&node.root)
        .make();
    let of_sbom = cosign(&sbom.root, "sig");
    Maker::new()
        .image("docker.io/calico/node:v1", &node)
        .image("docker.io/calico/cni:v1", &image("cni"))
        .image("quay.io/tigera/operator:v2", &small("operator"))
        .file("notes.txt", "files.local/notes:1", &small("notes"))
        .referrer("docker.io/calico/node", node.digest(), &sbom)
        .referrer("docker.io/calico/node", sbom.digest(), &of_sbom)
        .referrer("docker.io/calico/node", child.digest, &cosign(child, "sig"))
}

fn chosen(only: &[&str], skip: &[&str]) -> Vec<String> {
    let registry = Registry::start();
    let mut some = request(&registry.host());
    some.only = only.iter().map(|pattern| (*pattern).to_owned()).collect();
    some.skip = skip.iter().map(|pattern| (*pattern).to_owned()).collect();
    let receipt = run(&maker().bundle(), &some).unwrap();
    let uploads = registry.traffic().uploads();
    assert!(uploads.values().all(|times| *times == 1));
    let prefix = format!("{}/mirror/", registry.host());
    let names = receipt.names.into_iter();
    names
        .map(|name| name.destination.replace(&prefix, ""))
        .map(|name| name.split(['@', ':']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn patterns_choose_images_and_files_and_referrers_follow() {
    assert_eq!(chosen(&["quay.io/*"], &[]), ["tigera/operator"]);
    assert_eq!(chosen(&["*"], &["calico/*"]), ["tigera/operator", "notes"]);
    assert_eq!(chosen(&["notes.txt"], &[]), ["notes"]);
    assert_eq!(chosen(&["calico/c?i:v1"], &[]), ["calico/cni"]);
    // The image, its SBOM, the SBOM's signature, its child's signature.
    assert_eq!(chosen(&["docker.io/calico/node"], &[]), ["calico/node"; 4]);
    assert_eq!(chosen(&["*:v1"], &["*node*"]), ["calico/cni"]);
}

/// A bundle of one platform of an index, with or without the publisher's index in it.
fn one_platform(with_original: bool) -> (Maker, Image, Descriptor) {
    let full = image("app");
    let mut child = full.clone();
    let amd64 = full.children()[0].clone();
    let made = full.manifest(&amd64.digest).unwrap().clone();
    let needed = String::from_utf8(made.bytes.to_vec()).unwrap();
    child
        .blobs
        .retain(|digest, _| needed.contains(&digest.hex()));
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [amd64],
    });
    let bytes = index.to_string().into_bytes();
    child.root = Descriptor::of(media_type::OCI_INDEX, &bytes);
    child.manifests = vec![
        made,
        sealift_testkit::Made {
            descriptor: child.root.clone(),
            bytes: bytes.into(),
        },
    ];
    let mut maker = Maker::new().image("r.example/app:1", &child);
    maker.record.images[0].original = Some(PlainDescriptor::from(&full.root));
    if with_original {
        let bytes = full.manifest(&full.digest()).unwrap().bytes.clone();
        maker.blob(full.digest(), bytes);
    }
    (maker, child, full.root)
}

#[test]
fn a_sparse_load_sends_the_publishers_index_with_the_chosen_children() {
    let registry = Registry::builder()
        .behaviour(|behaviour| behaviour.complete_manifests = false)
        .start();
    let (maker, chosen, original) = one_platform(true);
    let mut sparse = request(&registry.host());
    sparse.publisher_index = PublisherIndex::Required;
    run(&maker.bundle(), &sparse).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(original.digest));
    let child = chosen.manifests[0].descriptor.digest.to_string();
    assert!(registry.manifest("mirror/app", &child).is_some());
    let new = chosen.digest().to_string();
    assert!(
        registry.manifest("mirror/app", &new).is_none(),
        "the new index is not sent"
    );
}

#[test]
fn a_registry_that_wants_all_children_is_told_of() {
    let registry = Registry::start();
    let (maker, _, _) = one_platform(true);
    let mut sparse = request(&registry.host());
    sparse.publisher_index = PublisherIndex::Required;
    let error = run(&maker.bundle(), &sparse).unwrap_err();
    assert!(
        matches!(
            error,
            LoadError::SparseRefused {
                listed: 2,
                bundled: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(registry.tags("mirror/app").is_empty());
}

#[test]
fn a_sparse_load_needs_the_publishers_index() {
    let registry = Registry::start();
    let (maker, chosen, _) = one_platform(false);
    let mut sparse = request(&registry.host());
    sparse.publisher_index = PublisherIndex::Required;
    assert!(matches!(
        run(&maker.bundle(), &sparse),
        Err(LoadError::NoOriginal(_))
    ));
    assert!(registry.traffic().0.is_empty());
    load(&maker.bundle(), &registry).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(chosen.digest()));
}

/// The bundle of one platform with the publisher's index, a signature of that, one of this, and one of the
/// chosen child.
fn signed_platform() -> (Maker, Image, Descriptor, [Image; 3]) {
    let (maker, chosen, original) = one_platform(true);
    let signature = |subject: &Descriptor| {
        Artifact::new("application/x-signature")
            .subject(subject)
            .file("text/plain", "signature", subject.digest.to_string())
            .make()
    };
    let of_original = signature(&original);
    let of_that = cosign(&of_original.root, "sig");
    let child = chosen.manifests[0].descriptor.clone();
    let of_child = signature(&child);
    let name = "r.example/app";
    let maker = maker
        .referrer(name, original.digest, &of_original)
        .referrer(name, of_original.digest(), &of_that)
        .referrer(name, child.digest, &of_child);
    (maker, chosen, original, [of_original, of_that, of_child])
}

fn has(registry: &Registry, manifest: &Image) -> bool {
    let digest = manifest.digest().to_string();
    registry.manifest("mirror/app", &digest).is_some()
}

#[test]
fn a_registry_that_accepts_it_gets_the_publishers_index_with_its_signatures() {
    let registry = Registry::builder()
        .behaviour(|behaviour| behaviour.complete_manifests = false)
        .start();
    let (maker, chosen, original, signatures) = signed_platform();
    let receipt = load(&maker.bundle(), &registry).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(original.digest));
    assert!(signatures.iter().all(|one| has(&registry, one)));
    assert!(has(&registry, &chosen), "what is pinned to it resolves");
    assert_eq!(receipt.names[0].digest, original.digest);
    assert_eq!(
        (receipt.names[0].original, receipt.omitted.len()),
        (None, 0)
    );
    registry.clear_traffic();
    load(&maker.bundle(), &registry).unwrap();
    assert!(registry.traffic().writes().is_empty());
}

#[test]
fn a_registry_that_refuses_it_gets_a_new_index_without_what_covers_the_publishers() {
    let registry = Registry::start();
    let (maker, chosen, original, [of_original, of_that, of_child]) = signed_platform();
    let receipt = load(&maker.bundle(), &registry).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(chosen.digest()));
    assert!(has(&registry, &of_child));
    assert!(!has(&registry, &of_original) && !has(&registry, &of_that));
    let name = &receipt.names[0];
    assert_eq!(name.digest, chosen.digest());
    assert_eq!(name.original, Some(original.digest));
    assert_eq!(receipt.omitted.len(), 2, "{:?}", receipt.omitted);
    assert!(receipt.is_complete());
    let listed = |digest| receipt.manifests.iter().any(|one| one.digest == digest);
    assert!(listed(chosen.digest()) && !listed(original.digest) && !listed(of_original.digest()));
    // The tag says that the registry does not accept it.
    registry.clear_traffic();
    let again = load(&maker.bundle(), &registry).unwrap();
    assert!(registry.traffic().writes().is_empty());
    assert_eq!(again.names[0].original, Some(original.digest));
}

#[test]
fn the_publishers_index_is_not_tried_where_it_is_not_wanted() {
    let registry = Registry::builder()
        .behaviour(|behaviour| behaviour.complete_manifests = false)
        .start();
    let (maker, chosen, original, [of_original, ..]) = signed_platform();
    let mut never = request(&registry.host());
    never.publisher_index = PublisherIndex::Never;
    run(&maker.bundle(), &never).unwrap();
    assert_eq!(registry.tagged("mirror/app", "1"), Some(chosen.digest()));
    let original = original.digest.to_string();
    assert!(registry.manifest("mirror/app", &original).is_none());
    assert!(!has(&registry, &of_original));
}
