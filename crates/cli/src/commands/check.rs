//! `sealift check`: whether everything that was loaded is still in the registry, and equal.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::Bundle;
use sealift_load::{CheckReport, Context, Expected, Request, check};
use sealift_oci::{Destination, NamingRule};
use sealift_pipeline::Cancel;

use crate::args::{NamingArgs, OutputArgs, TransportArgs, metadata_reading};
use crate::client::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::observer;
use crate::sources::read_input;
use crate::{output, receipt, words};

/// Check that everything that was loaded is still in the registry, unchanged
///
/// Compares every tag and manifest, checks that every blob exists, and that the registry lists every signature and
/// SBOM. Nothing is written. With a bundle, use the naming options that `load`
/// was given; a receipt contains them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift check calico.tar registry.corp:5000/mirror
    sealift check calico.json
    sealift check calico.json replica.corp:5000/mirror --deep --json")]
pub(crate) struct CheckArgs {
    /// The bundle, or the receipt that `load --receipt` wrote
    #[arg(value_name = "BUNDLE|RECEIPT")]
    file: PathBuf,
    /// The registry, and the path below which everything was loaded [default with a receipt: the one in it]
    #[arg(value_name = "REGISTRY[/PATH]")]
    destination: Option<Destination>,
    /// Also read every blob once and hash it
    #[arg(long)]
    deep: bool,
    /// Check only images and files matching PATTERN (* and ?) (repeatable)
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Skip images and files matching PATTERN (repeatable)
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
    #[command(flatten)]
    naming: NamingArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    transport: TransportArgs,
}

pub(crate) fn run(args: &CheckArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let expected = expected(args)?;
    let observer = observer(args.output.quiet);
    let registry = expected.destination().registry();
    let client = client(&args.transport, &[registry], observer.clone(), cancel)?;
    let scratch = std::env::temp_dir();
    let context = Context {
        client: &client,
        budget: &args.transport.budget(),
        scratch: &scratch,
        observer: &*observer,
        cancel,
    };
    let report = check(&expected, args.deep, &context)?;
    drop(observer);
    tell(args, &report)
}

/// What the registry should contain.
fn expected(args: &CheckArgs) -> Result<Expected, Failure> {
    if receipt::is_receipt(&args.file)? {
        return of_receipt(args);
    }
    let Some(destination) = &args.destination else {
        let message = "a bundle does not contain the registry that it was loaded into";
        return Err(Failure::message(Exit::Usage, message)
            .hint("add REGISTRY[/PATH], or pass the receipt that `load --receipt` wrote"));
    };
    let bundle = Bundle::open(&args.file, &metadata_reading())?;
    let request = Request {
        naming: args.naming.naming()?,
        only: args.only.clone(),
        skip: args.skip.clone(),
        ..Request::new(destination.clone())
    };
    Ok(Expected::of_bundle(&bundle, &request)?)
}

fn of_receipt(args: &CheckArgs) -> Result<Expected, Failure> {
    let usage = |message: String| Failure::message(Exit::Usage, message);
    let naming = &args.naming;
    let named = naming.naming != NamingRule::default()
        || !naming.map.is_empty()
        || naming.image_prefix.is_some();
    if named || !args.only.is_empty() || !args.skip.is_empty() {
        let message = "a receipt lists what was loaded and its names: --naming, --map, --image-prefix, --only and --skip are for bundles";
        return Err(usage(message.to_owned()));
    }
    let name = args.file.display().to_string();
    let bytes = read_input(&args.file, &name)?;
    let expected =
        Expected::of_receipt(&name, &bytes).map_err(|error| Failure::new(Exit::Usage, &error))?;
    match &args.destination {
        Some(destination) => expected
            .at(destination)
            .map_err(|fault| usage(format!("{name}: {fault}"))),
        None => Ok(expected),
    }
}

fn tell(args: &CheckArgs, report: &CheckReport) -> Result<Exit, Failure> {
    if args.output.json {
        output::json(report)?;
    } else {
        print(report)?;
    }
    if report.is_equal() {
        return Ok(Exit::Done);
    }
    let differences = words::count(report.problems.len() as u64, "difference");
    let message = format!("{}: {differences}", report.destination);
    Err(Failure::message(Exit::Different, message).hint(
        "`sealift load --deep` with the bundle sends what is missing; with --overwrite it also moves tags back",
    ))
}

fn print(report: &CheckReport) -> Result<(), Failure> {
    for problem in &report.problems {
        output::line(&format!("different: {problem}"))?;
        for name in &problem.needed_by {
            output::line(&format!("    affects {name}"))?;
        }
    }
    let totals = &report.totals;
    output::line(&format!(
        "{}: {}, {}, {}, {} ({}) checked",
        report.destination,
        words::count(totals.names, "name"),
        words::count(totals.tags, "tag"),
        words::count(totals.manifests, "manifest"),
        words::count(totals.blobs, "blob"),
        words::bytes(totals.blob_bytes)
    ))?;
    if report.deep {
        output::line(&format!(
            "{} read and hashed ({})",
            words::count(totals.blobs_read, "blob"),
            words::bytes(totals.bytes_read)
        ))?;
    }
    if totals.foreign_absent > 0 {
        output::line(&format!(
            "{} not stored by the registry, as their publisher requires",
            words::count(totals.foreign_absent, "non-distributable layer")
        ))?;
    }
    output::line(&format!("identity {}", report.bundle))
}
