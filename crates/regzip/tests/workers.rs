//! Rebuilds on a pool that the caller made: shared, entered or left early.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;
use regzip::{Analysis, Compressor, Go, Options, RebuildReader, Recipe, Workers, Wrapper};
use support::binary;

/// A stream with some checkpoints, its content and its recipe.
fn stream() -> (Vec<u8>, Vec<u8>, Recipe) {
    let plain = binary(1_200_000, 101);
    let mut writer = Compressor::new(Go { level: 6 }, Vec::new()).unwrap();
    writer.write_all(&plain).unwrap();
    let stream = writer.finish().unwrap();
    let mut options = Options::default();
    options.wrapper = Some(Wrapper::Raw);
    options.checkpoints = Some(0);
    let Analysis::Recipe(recipe) = regzip::analyse(Cursor::new(&stream), &options).unwrap() else {
        panic!("not rebuilt");
    };
    assert!(recipe.checkpoints() > 8);
    (stream, plain, recipe)
}

fn pool(threads: usize) -> Arc<ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.unwrap())
}

fn rebuilt(recipe: &Recipe, plain: &[u8], workers: &Workers) -> Vec<u8> {
    let mut out = Vec::new();
    regzip::rebuild_with(recipe, plain, &mut out, workers).unwrap();
    out
}

#[test]
fn a_reader_on_the_only_thread_of_the_pool_does_the_work_itself() {
    let (stream, plain, recipe) = stream();
    for threads in [1, 2] {
        let pool = pool(threads);
        let workers = Workers::from(pool.clone());
        let out = pool.install(|| rebuilt(&recipe, &plain, &workers));
        assert!(out == stream, "{threads} threads");
    }
}

#[test]
fn more_readers_than_threads_share_a_pool_from_inside() {
    let (stream, plain, recipe) = stream();
    let pool = pool(2);
    let workers = Workers::from(pool.clone());
    let all_equal = pool.install(|| {
        (0..6)
            .into_par_iter()
            .all(|_| rebuilt(&recipe, &plain, &workers) == stream)
    });
    assert!(all_equal);
}

#[test]
fn more_readers_than_threads_share_a_pool_from_outside() {
    let (stream, plain, recipe) = stream();
    let workers = Workers::from(pool(2));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(rebuilt(&recipe, &plain, &workers) == stream));
        }
    });
}

#[test]
fn a_reader_that_is_dropped_early_leaves_the_pool_to_others() {
    let (stream, plain, recipe) = stream();
    let workers = Workers::from(pool(1));
    for _ in 0..3 {
        let mut reader = RebuildReader::with_workers(recipe.clone(), plain.as_slice(), &workers);
        let mut start = [0; 100];
        reader.read_exact(&mut start).unwrap();
        assert_eq!(start, stream[..100]);
    }
    assert!(rebuilt(&recipe, &plain, &workers) == stream);
}

#[test]
fn a_source_that_fails_fails_the_rebuild() {
    struct Failing<'a>(&'a [u8]);

    impl Read for Failing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(std::io::Error::other("the source is gone")),
                n => Ok(n),
            }
        }
    }

    let (_, plain, recipe) = stream();
    for threads in [0, 2] {
        let source = Failing(&plain[..700_000]);
        let workers = support::workers(threads);
        let result = regzip::rebuild_with(&recipe, source, std::io::sink(), &workers);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the source is gone"), "{error}");
    }
}
