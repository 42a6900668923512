use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use sealift_archive::{OutputFile, WriteError};
use sealift_bundle::{BundleError, Earlier, Output, execute, status};
use sealift_testkit::{Artifact, Fault, Image, Registry, Route, When, cosign};

use crate::support::{Connected, plain, request, three, words};

/// Three images, with signatures by both conventions.
fn content(registry: &Registry) -> (Vec<Image>, Vec<String>) {
    let (images, names) = three(registry);
    cosign(&images[0].root, "sig").put_into(registry, "one/a", None);
    Artifact::new("application/x")
        .subject(&images[2].root)
        .make()
        .put_into(registry, "two/c", None);
    (images, names)
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_connections_and_any_order_of_answers() {
    let registry = Registry::start();
    let (_, names) = content(&registry);
    let mut reversed = names.clone();
    reversed.reverse();
    let expected = {
        let side = Connected::with_connections(1);
        side.build(&request(&names)).unwrap();
        side.open();
        side.bytes()
    };
    for (seed, connections) in [1, 2, 3, 5, 8, 16].into_iter().enumerate() {
        registry.clear_script();
        for step in 0..40 {
            let wait = (seed as u64 * 7 + step * 13) % 9;
            let delay = Fault::Delay(Duration::from_millis(wait));
            registry.script(When::any().skip(step), delay);
        }
        let side = Connected::with_connections(connections);
        side.build(&request(&reversed)).unwrap();
        assert!(side.bytes() == expected, "{connections} connections");
    }
}

#[test]
fn a_stream_gets_the_same_bytes_and_asks_for_no_more() {
    let registry = Registry::start();
    let (_, names) = content(&registry);
    let side = Connected::new();
    side.build(&request(&names)).unwrap();
    let asked = registry.traffic().count("GET", Route::Blob);
    for connections in [1, 2, 7] {
        registry.clear_traffic();
        let streamed = Connected::with_connections(connections)
            .stream(&request(&names))
            .unwrap();
        assert!(streamed == side.bytes(), "{connections} connections");
        assert_eq!(registry.traffic().count("GET", Route::Blob), asked);
    }
}

#[test]
fn nothing_but_the_bundle_is_left() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    side.build(&plain(&names)).unwrap();
    assert_eq!(side.left(), ["out.tar"]);
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_be_replaced() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    fs::write(side.path(), b"mine").unwrap();
    let plan = side.plan(&plain(&names)).unwrap();
    assert!(status(&plan, &side.output()).output_exists);
    assert!(matches!(
        side.write(&plan),
        Err(BundleError::Write(WriteError::Exists { .. }))
    ));
    assert_eq!(side.bytes(), b"mine");
    assert_eq!(side.left(), ["out.tar"]);
    let output = OutputFile {
        replace: true,
        ..side.output()
    };
    side.with(|context| execute(&plan, Output::File(&output), context))
        .unwrap();
    side.open();
    assert_eq!(side.left(), ["out.tar"]);
}

#[test]
fn a_failed_replacement_leaves_the_old_file() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    fs::write(side.path(), b"mine").unwrap();
    let plan = side.plan(&plain(&names)).unwrap();
    registry.script(When::new("GET", Route::Blob).always(), Fault::answer(404));
    let output = OutputFile {
        replace: true,
        ..side.output()
    };
    let result = side.with(|context| execute(&plan, Output::File(&output), context));
    assert!(matches!(result, Err(BundleError::Unfetched(_))));
    assert_eq!(side.bytes(), b"mine");
}

#[test]
fn the_plan_says_what_will_be_and_whether_there_is_room() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let before = status(&plan, &side.output());
    assert_eq!(before.earlier, Earlier::Nothing);
    assert_eq!(before.missing_bytes, plan.summary().content_bytes);
    assert!(before.enough_space && before.free_bytes > Some(0));
    assert_eq!(side.left(), [""; 0], "looking changes nothing");
}

#[test]
fn a_state_folder_keeps_journals_of_outputs_with_one_name_apart() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    let state = side.folder.path().join("state");
    registry.script(When::new("GET", Route::Blob).always(), Fault::answer(404));
    for folder in ["x", "y"] {
        fs::create_dir(side.folder.path().join(folder)).unwrap();
        let output = OutputFile {
            path: side.folder.path().join(folder).join("out.tar"),
            state_dir: Some(state.clone()),
            replace: false,
        };
        let plan = side.plan(&plain(&names)).unwrap();
        let result = side.with(|context| execute(&plan, Output::File(&output), context));
        assert!(result.is_err());
        assert!(output.journal().exists() && output.partial().exists());
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 2);
}

/// Takes so many bytes, then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_takes_no_more_ends_the_work() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let total = usize::try_from(plan.summary().total_bytes).unwrap();
    for room in [0, 100, 5000, total / 2, total - 1] {
        let mut output = Full(room);
        let result = side.with(|context| execute(&plan, Output::Stream(&mut output), context));
        assert!(
            matches!(result, Err(BundleError::Stream(_) | BundleError::Write(_))),
            "{room}: {result:?}"
        );
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let side = Connected::new();
    let plan = side.plan(&plain(&names)).unwrap();
    let output = OutputFile {
        path: side.folder.path().join("no/such/out.tar"),
        state_dir: None,
        replace: false,
    };
    let words = words(side.with(|context| execute(&plan, Output::File(&output), context)));
    assert!(words.contains("no/such does not exist"), "{words}");
}
