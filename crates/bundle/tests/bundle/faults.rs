use std::time::Duration;

use sealift_bundle::{BundleError, FetchError};
use sealift_oci::Digest;
use sealift_testkit::{Fault, Image, ImageMaker, Layer, Registry, Route, When};

use crate::support::{Connected, assert_has, image, plain, three, words};

fn largest(image: &Image) -> (Digest, u64) {
    let sizes = image
        .blobs
        .iter()
        .map(|(digest, bytes)| (*digest, bytes.len() as u64));
    sizes.max_by_key(|(_, size)| *size).unwrap()
}

#[test]
fn a_connection_that_breaks_goes_on_where_it_stopped() {
    let registry = Registry::start();
    let image = ImageMaker::new("a")
        .single()
        .layer(Layer::gzip("a", 2 << 20))
        .make();
    image.put_into(&registry, "a", Some("v1"));
    let (layer, size) = largest(&image);
    for cut in [1, 1000, 70_000, size / 3, 100_000] {
        let when = When::new("GET", Route::Blob).reference(layer);
        registry.script(when, Fault::CutResponse(cut));
    }
    let side = Connected::new();
    let report = side
        .build(&plain(&[registry.reference("a", "v1")]))
        .unwrap();
    assert_has(&side.open(), &image);
    assert_eq!(registry.outstanding_faults(), 0);
    assert_eq!(registry.traffic().bytes_downloaded()[&layer], size);
    let content: u64 = image.blobs.values().map(|bytes| bytes.len() as u64).sum();
    let config = content - size;
    assert_eq!(
        report.fetched_bytes,
        content - config,
        "the config was read while resolving"
    );
}

#[test]
fn a_registry_without_ranges_is_read_again_from_the_front() {
    let registry = Registry::start();
    registry.change(|behaviour| behaviour.ranges = false);
    let (images, names) = three(&registry);
    let (layer, size) = largest(&images[0]);
    let when = When::new("GET", Route::Blob).reference(layer).times(2);
    registry.script(when, Fault::CutResponse(size / 2));
    let side = Connected::new();
    side.build(&plain(&names)).unwrap();
    assert_has(&side.open(), &images[0]);
    let streamed = {
        let when = When::new("GET", Route::Blob).reference(layer).times(2);
        registry.script(when, Fault::CutResponse(size / 2));
        Connected::new().stream(&plain(&names)).unwrap()
    };
    assert!(streamed == side.bytes());
    assert_eq!(registry.outstanding_faults(), 0);
}

/// An image with one large layer, what the layer is, and its size.
fn with_large_layer(registry: &Registry) -> (Image, Digest, u64) {
    let image = ImageMaker::new("a")
        .single()
        .layer(Layer::gzip("a", 1 << 20))
        .make();
    image.put_into(registry, "a", Some("v1"));
    let (layer, size) = largest(&image);
    (image, layer, size)
}

#[test]
fn a_blob_whose_parts_do_not_fit_is_begun_again() {
    let registry = Registry::start();
    let (image, layer, size) = with_large_layer(&registry);
    let blob = || When::new("GET", Route::Blob).reference(layer);
    let rest = usize::try_from(size - size / 3).unwrap();
    let range = |text: Option<String>| Fault::Header("Content-Range".to_owned(), text);
    let wrong: Vec<Fault> = vec![
        // The bytes of another place.
        Fault::Body(vec![7; rest]),
        Fault::Body(vec![7; rest - 1]),
        Fault::Body(vec![7; rest + 1]),
        Fault::FlipByte(5),
        // The header of another place.
        range(None),
        range(Some(format!("bytes 0-{}/{size}", rest - 1))),
        range(Some(format!("bytes 1-{}/{size}", size - 1))),
    ];
    for fault in wrong {
        registry.clear_script();
        registry.script(blob().with_range(false), Fault::CutResponse(size / 3));
        registry.script(blob().with_range(true), fault.clone());
        let side = Connected::new();
        side.build(&plain(&[registry.reference("a", "v1")]))
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_has(&side.open(), &image);
        assert_eq!(registry.outstanding_faults(), 0, "{fault:?}");
    }
}

#[test]
fn a_response_that_is_not_one_of_a_blob_is_one_more_retry() {
    let registry = Registry::start();
    let (image, layer, size) = with_large_layer(&registry);
    let blob = || When::new("GET", Route::Blob).reference(layer);
    for skip in [0, 1] {
        registry.clear_script();
        registry.script(blob().skip(2 * skip), Fault::Status(206));
        registry.script(blob().skip(skip), Fault::CutResponse(size / 3));
        registry.script(blob().skip(3), Fault::Status(206));
        let side = Connected::new();
        side.build(&plain(&[registry.reference("a", "v1")]))
            .unwrap();
        assert_has(&side.open(), &image);
    }
    registry.clear_script();
    registry.script(blob().always(), Fault::Status(206));
    let side = Connected::new();
    let words = words(side.build(&plain(&[registry.reference("a", "v1")])));
    assert!(words.contains("status 206"), "{words}");
    assert!(words.contains(&layer.to_string()), "{words}");
}

#[test]
fn a_blob_that_stands_still_is_requested_again() {
    let registry = Registry::start();
    let (image, layer, size) = with_large_layer(&registry);
    let blob = || When::new("GET", Route::Blob).reference(layer);
    registry.script(blob(), Fault::CutResponse(size / 3));
    // More often than the client repeats a request that stands still.
    registry.script(blob().times(3), Fault::Stall);
    let mut side = Connected::new();
    side.idle_timeout = Some(Duration::from_millis(300));
    side.build(&plain(&[registry.reference("a", "v1")]))
        .unwrap();
    assert_has(&side.open(), &image);
    registry.script(blob().always(), Fault::Stall);
    let mut side = Connected::new();
    side.idle_timeout = Some(Duration::from_millis(100));
    let words = words(side.build(&plain(&[registry.reference("a", "v1")])));
    assert!(words.contains(&layer.to_string()), "{words}");
}

#[test]
fn a_blob_with_other_bytes_fails_what_needs_it_and_the_rest_is_kept() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let own = images[1]
        .blobs
        .keys()
        .find(|digest| !images[0].blobs.contains_key(digest))
        .unwrap();
    let when = When::new("GET", Route::Blob).reference(own).always();
    registry.script(when, Fault::FlipByte(7));
    let side = Connected::new();
    let error = side.build(&plain(&names)).unwrap_err();
    assert!(matches!(
        error.fetch_errors().next(),
        Some(FetchError::Mismatch { .. })
    ));
    let words = error.to_string();
    for part in [own.to_string(), names[1].clone(), registry.host()] {
        assert!(words.contains(&part), "{words}");
    }
    assert!(!words.contains(&names[0]), "{words}");
    assert!(!side.path().exists());
    registry.clear_script();
    registry.clear_traffic();
    side.build(&plain(&names)).unwrap();
    side.open();
    let traffic = registry.traffic();
    assert_eq!(
        traffic.0.len(),
        1,
        "the damaged blob alone was asked for again"
    );
}

#[test]
fn a_blob_of_another_size_fails_what_needs_it() {
    for (size, word) in [
        (0, "ends after 0 of"),
        (100, "ends after"),
        (9_000_000, "more than"),
    ] {
        let registry = Registry::start();
        let (images, names) = three(&registry);
        let (base, _) = largest(&images[0]);
        let when = When::new("GET", Route::Blob).reference(base).always();
        registry.script(when, Fault::Body(vec![7; size]));
        let side = Connected::new();
        let words = words(side.build(&plain(&names)));
        assert!(
            words.contains(word) && words.contains(&base.to_string()),
            "{words}"
        );
        assert!(words.starts_with("1 blob could not be fetched:"), "{words}");
        assert!(names.iter().all(|name| words.contains(name)), "{words}");
    }
}

#[test]
fn wrong_bytes_from_one_registry_are_replaced_by_right_ones_from_another() {
    let (first, second) = (Registry::start(), Registry::start());
    let image = image("a");
    for registry in [&first, &second] {
        image.put_into(registry, "a", Some("v1"));
    }
    let (base, size) = largest(&image);
    let names = [&first, &second].map(|registry| registry.reference("a", "v1"));
    for registry in [&first, &second] {
        registry.script(
            When::new("GET", Route::Blob).reference(base),
            Fault::FlipByte(size / 2),
        );
        let side = Connected::new();
        side.build(&plain(&names)).unwrap();
        assert_has(&side.open(), &image);
        registry.clear_script();
    }
}

#[test]
fn a_stream_with_wrong_bytes_in_it_does_not_end_as_a_bundle() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let (base, size) = largest(&images[0]);
    let when = When::new("GET", Route::Blob).reference(base).always();
    registry.script(when, Fault::FlipByte(size - 1));
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let mut bytes = Vec::new();
    let result = side.with(|context| {
        let output = sealift_bundle::Output::Stream(&mut bytes);
        sealift_bundle::execute(&plan, output, context)
    });
    let words = words(result);
    assert!(
        words.contains(&base.to_string()) && words.contains(&registry.host()),
        "{words}"
    );
    assert!((bytes.len() as u64) < plan.summary().total_bytes);
}

#[test]
fn all_blobs_that_cannot_be_had_are_listed() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let gone: Vec<Digest> = images
        .iter()
        .map(|image| *image.blobs.keys().next().unwrap())
        .collect();
    for digest in &gone {
        registry.forget_blob(digest);
    }
    let side = Connected::new();
    let error = side.build(&plain(&names)).unwrap_err();
    let BundleError::Unfetched(failures) = &error else {
        panic!("{error}");
    };
    let mut failed: Vec<Digest> = failures.iter().map(|failure| failure.digest).collect();
    let mut gone = gone;
    failed.sort_unstable();
    gone.sort_unstable();
    gone.dedup();
    assert_eq!(failed, gone);
}

#[test]
fn busy_answers_are_asked_again() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    registry.script(When::any().times(3), Fault::too_many("0"));
    registry.script(
        When::new("GET", Route::Blob).skip(2).times(2),
        Fault::answer(503),
    );
    registry.script(
        When::new("GET", Route::Blob).skip(3).times(2),
        Fault::Refuse,
    );
    let side = Connected::new();
    side.build(&plain(&names)).unwrap();
    assert_has(&side.open(), &images[1]);
    assert_eq!(registry.outstanding_faults(), 0);
}

#[test]
fn a_host_that_fails_is_not_asked_for_every_blob() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::with_connections(1);
    let plan = side.plan(&plain(&names)).unwrap();
    registry.clear_traffic();
    registry.script(When::new("GET", Route::Blob).always(), Fault::Refuse);
    let error = side.write(&plan).unwrap_err();
    let BundleError::Unfetched(failures) = &error else {
        panic!("{error}");
    };
    assert!(failures.len() > 5);
    let traffic = registry.traffic();
    let first = &traffic.0[0].reference;
    assert!(traffic.0.iter().all(|asked| asked.reference == *first));
    assert!(traffic.0.len() <= 4, "one blob, with its retries");
    registry.clear_script();
    side.build(&plain(&names)).unwrap();
    side.open();
}
