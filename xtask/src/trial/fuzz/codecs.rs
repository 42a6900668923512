//! The codecs of the crate relate: changed programs and modules have to come back, and changed streams must not do harm.

#[path = "../../../../crates/relate/tests/support/formats.rs"]
mod formats;
#[path = "../../../../crates/relate/tests/support/golden.rs"]
mod golden_file;
#[path = "../../../../crates/relate/tests/support/mini.rs"]
#[allow(clippy::similar_names)]
mod mini;

use std::sync::LazyLock;

use golden_file::{pack, unpack};
use mini::Mini;
use relate::{Content, Encoded, Error, Options, decode, encode};

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../../crates/relate/tests/golden/", $name)).as_slice()
    };
}

/// The source of the modules.
const SOURCE: &[u8] = golden!("module.py");

const MODULES: [&[u8]; 5] = [
    golden!("module-3.8.pyc"),
    golden!("module-3.10.pyc"),
    golden!("module-3.11.pyc"),
    golden!("module-3.12.pyc"),
    golden!("module-3.13.pyc"),
];

/// Older and newer programs for both processors, in all formats.
static PROGRAMS: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let pair = |amd64| {
        let program = || Mini::new(30, amd64).with_links().with_pages_apart();
        (program().build(), program().with_more(3, 2).build())
    };
    let mut pairs = Vec::new();
    for (old, new) in [true, false].map(pair) {
        pairs.push((formats::pe(&old), formats::pe(&new)));
        pairs.push((formats::mach_o(&old), formats::mach_o(&new)));
        pairs.push((old, new));
    }
    pairs
});

/// The newer programs.
pub(super) fn programs() -> Vec<Vec<u8>> {
    PROGRAMS.iter().map(|(_, new)| new.clone()).collect()
}

/// The release before one of them.
fn older(program: &[u8]) -> Option<&'static [u8]> {
    let pair = PROGRAMS.iter().find(|(_, new)| new == program);
    pair.map(|(old, _)| old.as_slice())
}

/// Modules of all versions, and their source.
pub(super) fn modules() -> Vec<Vec<u8>> {
    let all = MODULES.into_iter().chain([SOURCE]);
    all.map(<[u8]>::to_vec).collect()
}

/// An encoded content.
struct Known {
    streams: Vec<u8>,
    base: Option<Vec<u8>>,
    len: usize,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let pairs = PROGRAMS
        .iter()
        .map(|(old, new)| (Some(old.clone()), new.clone()));
    let alone = PROGRAMS.iter().map(|(_, new)| (None, new.clone()));
    let modules = MODULES.map(|module| (Some(SOURCE.to_vec()), module.to_vec()));
    let known = pairs.chain(alone).chain(modules).filter_map(|(base, new)| {
        Some(Known {
            streams: pack(&encoded(&new, base.as_deref()).ok()?),
            base,
            len: new.len(),
        })
    });
    known.collect()
});

/// Encoded programs and modules.
pub(super) fn streams() -> Vec<Vec<u8>> {
    KNOWN.iter().map(|known| known.streams.clone()).collect()
}

fn encoded(new: &[u8], base: Option<&[u8]>) -> Result<Encoded, Error> {
    let bases: Vec<&dyn Content> = base.iter().map(|base| base as &dyn Content).collect();
    encode(&new, &bases, &Options::default())
}

/// A changed program comes back, with and without its base, and the intact one given the changed one.
pub(super) fn program(input: &[u8], good: &[u8]) -> Result<bool, String> {
    comes_back(input, older(good))?;
    comes_back(input, None)?;
    comes_back(good, Some(input))
}

/// A changed module comes back given its source, and an intact one given a changed source.
pub(super) fn module(input: &[u8], good: &[u8]) -> Result<bool, String> {
    if good == SOURCE {
        return comes_back(MODULES[input.len() % MODULES.len()], Some(input));
    }
    comes_back(input, Some(SOURCE))
}

/// The encoder decodes what it made and compares.
fn comes_back(new: &[u8], base: Option<&[u8]>) -> Result<bool, String> {
    match encoded(new, base) {
        Ok(_) => Ok(true),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether changed streams still decode to something.
pub(super) fn decodes(input: &[u8], good: &[u8]) -> bool {
    let Some(encoded) = unpack(input) else {
        return false;
    };
    let Some(known) = KNOWN.iter().find(|known| known.streams == good) else {
        return false;
    };
    let bases: Vec<&dyn Content> = known.base.iter().map(|base| base as &dyn Content).collect();
    let mut decoded = vec![0; known.len];
    decode(encoded.codec, encoded.inputs(), &bases, &mut decoded).is_ok()
}
