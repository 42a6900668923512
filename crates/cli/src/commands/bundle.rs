//! `sealift bundle`: gathers images and files into one bundle.

mod omitted;
mod planned;
mod request_file;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealift_archive::{BaseFile, BaseFiles, OutputFile, Program, Resources, checksum};
use sealift_bundle::{
    BundleError, Context, Earlier, FileRequest, LocalRequest, OmittedImage, Output, Plan,
    PlanEstimate, Report, Request, Status, estimate, execute, fetched, resolve, resume, status,
};
use sealift_oci::{Digest, PlatformSelector, Reference};
use sealift_pipeline::{Cancel, Cancelled, Event, Observer};
use serde::Serialize;

use crate::args::{OutputArgs, SourceArgs, TransportArgs, size};
use crate::charts::{self, ChartRequest, Charts};
use crate::checksums::Summed;
use crate::client::client;
use crate::commands::compact::{PackingArgs, compact_words, write_failure};
use crate::deltas::PackingPlan;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::interruption::Kept;
use crate::mirrors::MirrorArgs;
use crate::products::ProductReport;
use crate::progress::observer;
use crate::sources::Sources;
use crate::{checksums, estimates, hints, output, program, sources, words};
use planned::{REPLACED, plan_words, status_words};

/// Write images and files to one bundle
///
/// Everything is resolved first: the plan, which --dry-run prints, contains the final size. Then each blob is fetched
/// once, checked and written. After an interruption the same command resumes.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
    sealift bundle docker.io/calico/node:v3.32.1 quay.io/tigera/operator:v1.42.3 -o calico.tar
    sealift bundle --product calico@v3.32.1 -o calico.tar
    sealift bundle -f k3s-images.txt --platform linux/amd64 -o k3s.tar
    kubectl kustomize . | sealift bundle -f - --carry ./manifests -o app.tar
    sealift bundle -f images.txt --mirror docker.io=mirror.corp:5000/hub -o app.tar
    sealift bundle --chart https://charts.jetstack.io/cert-manager@v1.20.0 -o cert-manager.tar
    sealift bundle -r bundle.yaml
    sealift bundle -f images.txt --keep-going -o partial.tar
    sealift bundle --product calico@v3.32.1 --base calico-3.32.0.tar -o calico-3.32.1-delta.tar
    sealift bundle -f images.txt --dry-run
    sealift bundle -f images.txt --profile compact --dry-run --sample 64M")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct BundleArgs {
    /// Read a request file; - is standard input (repeatable)
    ///
    /// The file names products, images, charts, files, platforms, mirrors and the output in YAML. Files of hauler,
    /// Zarf and oc-mirror are accepted too; settings that sealift does not support are reported.
    #[arg(long, short, help_heading = heading::INCLUDE, value_name = "FILE")]
    request: Vec<PathBuf>,
    /// Print the arguments as a request file, and do nothing else
    #[arg(long, help_heading = heading::OUTPUT)]
    print_request: bool,
    #[command(flatten)]
    sources: SourceArgs,
    /// Include a Helm chart and its images (repeatable)
    ///
    /// CHART is `PACKAGE.tgz`, `oci://REGISTRY/CHART@VERSION` or `https://REPOSITORY/NAME@VERSION`. With `helm`
    /// installed, the images come from rendered manifests, else from values files.
    #[arg(long, help_heading = heading::INCLUDE, value_name = "CHART")]
    chart: Vec<ChartRequest>,
    /// Render the charts with this values file (repeatable)
    #[arg(long, help_heading = heading::INCLUDE, value_name = "FILE", requires = "chart")]
    chart_values: Vec<PathBuf>,
    /// Include all images of an OCI layout (folder or tar), a docker save archive or another bundle (repeatable)
    ///
    /// Images that have a tag and no repository there get the name REPOSITORY.
    #[arg(long, help_heading = heading::INCLUDE, value_name = "PATH[=REPOSITORY]", value_parser = local)]
    from: Vec<LocalRequest>,
    /// Include a file, a folder or a Helm chart (.tgz), under its own name or NAME (repeatable)
    #[arg(long, help_heading = heading::INCLUDE, value_name = "PATH[=NAME]", value_parser = carried)]
    carry: Vec<FileRequest>,
    /// Include this sealift program, for the isolated side; `tar` can extract it from the bundle
    #[arg(long, help_heading = heading::INCLUDE)]
    with_sealift: bool,
    /// Include only this platform: linux/amd64, linux/arm/v7, windows/amd64:10.0.17763 (repeatable)
    ///
    /// Without this option, every index is included with all its platforms. With it, the bundle contains the
    /// publisher's index and a new one for the selected platforms, which has another digest: registries that accept
    /// an index only with all its platforms get the new one, which the publisher's signatures do not cover.
    #[arg(long, help_heading = heading::INCLUDE, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<PlatformSelector>,
    /// Omit signatures, attestations and SBOMs
    #[arg(long, help_heading = heading::INCLUDE)]
    no_referrers: bool,
    /// Also fetch non-distributable (foreign) layers
    #[arg(long, help_heading = heading::INCLUDE)]
    foreign_layers: bool,
    /// Omit images that cannot be resolved, list them at the end, and exit with code 7
    ///
    /// Not for delta bundles. The bundle is incomplete, and nothing in it says which images were requested. An image
    /// whose platforms or signatures cannot be read is omitted too. Files, charts, archives and layouts that cannot be
    /// read still fail the command, as do blobs that cannot be fetched: then the same command resumes.
    #[arg(long, help_heading = heading::CHECKS)]
    keep_going: bool,
    /// Write the bundle to this file; - is standard output
    #[arg(
        long,
        short,
        help_heading = heading::OUTPUT,
        value_name = "FILE",
        required_unless_present_any = ["dry_run", "request", "print_request"]
    )]
    output: Option<PathBuf>,
    /// Keep the journal of an interrupted run in this folder instead of the output's
    #[arg(long, help_heading = heading::OUTPUT, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How blobs are stored: plain, compact or delta [default: plain, or delta with --base]
    ///
    /// A compact bundle stores content that layers share once and similar files as differences, and compresses
    /// everything. `load` rebuilds every blob byte for byte, which takes processor time and scratch space. A delta
    /// bundle also leaves out content that its bases contain.
    #[arg(long, help_heading = heading::OUTPUT, value_name = "PROFILE")]
    profile: Option<ProfileArg>,
    /// Build on this bundle (of any profile) or record: content that it has is neither fetched nor stored. With
    /// --profile plain or compact, only used to read the delta bundles of --from (repeatable)
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    #[command(flatten)]
    packing: PackingArgs,
    /// Replace the output if it exists, once the new bundle is complete
    #[arg(long, help_heading = heading::OUTPUT)]
    force: bool,
    /// Write the bundle's checksum to SHA256SUMS in the same folder, which `sha256sum -c` reads; lines of other files stay
    #[arg(long, help_heading = heading::OUTPUT)]
    checksums: bool,
    /// Print the plan and write nothing
    #[arg(long, help_heading = heading::OUTPUT)]
    dry_run: bool,
    /// With --dry-run, fetch and pack at most this many bytes of blobs (500k, 64M, 1G) to estimate the size of a compact
    /// or delta bundle
    ///
    /// Without this option, a dry run fetches no layers: over a slow link, fetching a sample takes minutes. What is on
    /// this machine (--from, --carry) is not fetched. The sample is packed in scratch space with the same options, which
    /// also shows how long packing takes.
    #[arg(long, help_heading = heading::OUTPUT, value_name = "SIZE", requires = "dry_run", value_parser = size)]
    sample: Option<u64>,
    #[command(flatten)]
    output_args: OutputArgs,
    #[command(flatten)]
    mirrors: MirrorArgs,
    #[command(flatten)]
    transport: TransportArgs,
}

/// How blobs are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProfileArg {
    #[default]
    Plain,
    Compact,
    Delta,
}

/// Refuses files to carry that do not exist, before any work.
fn check_carried(args: &BundleArgs) -> Result<(), Failure> {
    for path in args.carry.iter().map(|file| &file.path) {
        if let Err(error) = std::fs::metadata(path) {
            let message = format!("cannot read {}: {error}", path.display());
            return Err(Failure::message(Exit::Usage, message));
        }
    }
    Ok(())
}

/// Reads `PATH` or `PATH=NAME`.
fn carried(text: &str) -> Result<FileRequest, String> {
    let (path, name) = match text.rsplit_once('=') {
        // A path may have the sign too; what stands behind it is a name only without a slash.
        Some((path, name)) if !path.is_empty() && !name.is_empty() && !name.contains('/') => {
            (path, Some(name.to_owned()))
        }
        _ => (text, None),
    };
    if path.is_empty() {
        return Err("expected PATH or PATH=NAME".to_owned());
    }
    Ok(FileRequest {
        path: path.into(),
        name,
        program: None,
    })
}

/// Reads `PATH` or `PATH=REGISTRY/REPOSITORY`; a path that exists is a path, whatever it contains.
fn local(text: &str) -> Result<LocalRequest, String> {
    if Path::new(text).exists() {
        return Ok(PathBuf::from(text).into());
    }
    match text.split_once('=') {
        Some((path, repository)) if !repository.is_empty() && Path::new(path).exists() => {
            Ok(LocalRequest {
                path: path.into(),
                repository: Some(repository.to_owned()),
            })
        }
        _ => Err("no such file or folder".to_owned()),
    }
}

/// The plan as `--dry-run --json` prints it.
#[derive(Serialize)]
struct DryRun<'a> {
    plan: &'a Plan,
    /// Programs that `tar` can get out of the bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    programs: Vec<Program>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    products: Vec<ProductReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<PackingPlan<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<PlanEstimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Status>,
}

impl BundleArgs {
    /// What the command keeps when it is interrupted.
    pub(super) fn keeps(&self) -> Kept {
        if self.dry_run || self.print_request || to_stdout(self) {
            return Kept::Nothing;
        }
        Kept::Progress
    }
}

pub(crate) fn run(args: &BundleArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let mut args = args.with_request_files()?;
    for chart in &mut args.chart {
        chart.values.extend(args.chart_values.iter().cloned());
    }
    let args = &args;
    if args.print_request {
        output::bytes(args.to_request_file().to_yaml().as_bytes())?;
        return Ok(Exit::Done);
    }
    check(args)?;
    check_carried(args)?;
    let mut found = sources::read(&args.sources)?;
    let mirrors = args.mirrors.mirrors()?;
    let bases = open_bases(args, cancel)?;
    let profile = profile(args);
    let lean: &[BaseFile] = match profile {
        ProfileArg::Delta => bases.list(),
        ProfileArg::Plain | ProfileArg::Compact => &[],
    };
    let mut request = request(args, &found, lean)?;
    mirrors.apply(&mut request)?;
    let charts = args.chart.iter().flat_map(|chart| chart.hosts(&mirrors));
    let charts: Vec<String> = charts.collect();
    let registries = registries(&request, &charts);
    let observer = observer(args.output_args.quiet);
    let transport = args.transport.clone().with_insecure(&mirrors.insecure);
    let client = client(&transport, &registries, observer.clone(), cancel)?;
    let folder = charts_folder(args);
    let charts = charts::read(&args.chart, &mirrors, &client, folder.as_deref(), cancel)?;
    found.add(&args.sources, &charts.images)?;
    add_charts(&mut request, &found, &charts);
    mirrors.apply(&mut request)?;
    let budget = args.transport.budget();
    let scratch = scratch(args);
    let context = Context {
        client: &client,
        budget: &budget,
        scratch: &scratch,
        bases: bases.bundles(),
        observer: &observer,
        cancel,
    };
    for text in found.warnings().iter().chain(&charts.warnings) {
        observer.event(&Event::Warning { text });
    }
    for text in found.notes() {
        observer.event(&Event::Note { text: &text });
    }
    let file = output_file(args);
    check_output(args, file.as_ref())?;
    // A compact bundle is packed from a plain one, which is what an interrupted run leaves.
    let fetched = file.as_ref().map(|file| match profile {
        ProfileArg::Plain => file.clone(),
        ProfileArg::Compact | ProfileArg::Delta => fetched(file),
    });
    let earlier = fetched.as_ref().and_then(|file| resume(&request, file));
    let plan = match earlier {
        Some(plan) => plan,
        None => resolve(&request, &context)
            .map_err(|error| omitted::hinted(error, &request))?
            .on_bases(lean),
    };
    for text in moved_charts(&plan, &charts) {
        observer.event(&Event::Warning { text: &text });
    }
    if args.dry_run {
        let sample = sample(args, &plan, lean, &context)?;
        return dry_run(args, &plan, (&found, lean, sample), fetched.as_ref());
    }
    warn(&*observer, &plan, [&file, &fetched]);
    let Some(file) = &file else {
        stream(&plan, &context)?;
        return omitted::written(&plan, None);
    };
    let (report, sum) = write(args, file, lean, &plan, &context)?;
    drop(observer);
    // The bundle contains them now.
    let _ = folder.map(fs::remove_dir_all);
    if args.checksums {
        checksums::write(&file.path, &sum)?;
    }
    tell(args, &plan, &report, &sum)
}

/// The outputs for which an interrupted run with another plan left something. `fetched` is what a compact bundle is
/// packed from, or `file` itself.
fn replaced<'a>(
    plan: &Plan,
    file: Option<&'a OutputFile>,
    fetched: Option<&'a OutputFile>,
) -> Vec<&'a OutputFile> {
    let is_other = |output: &OutputFile| status(plan, output).earlier == Earlier::OtherPlan;
    let fetched = fetched.filter(|output| is_other(output));
    // How a compact bundle was packed is not in the plan: what tells is the request.
    let packed = file.filter(|file| {
        let request = file.interrupted().request;
        request.is_some_and(|request| request != plan.request())
    });
    let mut outputs: Vec<&OutputFile> = fetched.into_iter().chain(packed).collect();
    outputs.dedup_by(|one, other| one.path == other.path);
    outputs.retain(|output| output.interrupted().partial_bytes > 0);
    outputs
}

/// What a sample of the blobs says of the bundle, if one is to be fetched.
fn sample(
    args: &BundleArgs,
    plan: &Plan,
    bases: &[BaseFile],
    context: &Context<'_>,
) -> Result<Option<PlanEstimate>, Failure> {
    let Some(limit) = args.sample.filter(|limit| *limit > 0) else {
        return Ok(None);
    };
    let options = args.packing.options(context.scratch);
    Ok(Some(estimate(plan, bases, limit, &options, context)?))
}

/// Writes the bundle to `file`; the report, and the checksum of the file.
fn write(
    args: &BundleArgs,
    file: &OutputFile,
    bases: &[BaseFile],
    plan: &Plan,
    context: &Context<'_>,
) -> Result<(Report, Digest), Failure> {
    let options = args.packing.options(context.scratch);
    let output = match profile(args) {
        ProfileArg::Plain => Output::File(file),
        ProfileArg::Compact => Output::Compact(file, &options),
        ProfileArg::Delta => Output::Delta(file, bases, &options),
    };
    let report = execute(plan, output, context)?;
    let sum = checksum(&file.path, context.cancel, &**context.observer)?;
    Ok((report, sum))
}

/// Refuses an output that cannot be written, before the first request.
fn check_output(args: &BundleArgs, file: Option<&OutputFile>) -> Result<(), Failure> {
    let Some(file) = file else {
        return Ok(());
    };
    file.check().map_err(BundleError::from)?;
    if args.checksums {
        checksums::check(&file.path, args.force)?;
    }
    Ok(())
}

fn check(args: &BundleArgs) -> Result<(), Failure> {
    if to_stdout(args) && args.output_args.json && !args.dry_run {
        let message = "-o - writes the bundle to standard output, where --json would write too";
        return Err(Failure::message(Exit::Usage, message));
    }
    if let Some(folder) = args.state_dir.as_ref().filter(|folder| !folder.is_dir()) {
        let message = format!("--state-dir {} is not a folder", folder.display());
        return Err(Failure::message(Exit::Usage, message));
    }
    if to_stdout(args) && args.checksums {
        let message = "--checksums writes a file beside the bundle, so -o has to name a file";
        return Err(Failure::message(Exit::Usage, message));
    }
    if args.output.is_none() && !args.dry_run {
        let message = "neither the arguments nor the request file name an output";
        return Err(Failure::message(Exit::Usage, message).hint("use -o FILE, or --dry-run"));
    }
    if to_stdout(args) && profile(args) != ProfileArg::Plain {
        let message =
            "a compact or delta bundle is written to a file (-o FILE), not to standard output";
        return Err(Failure::message(Exit::Usage, message));
    }
    if profile(args) == ProfileArg::Plain && args.sample.is_some() {
        let message = "--sample applies only to compact and delta bundles";
        return Err(Failure::message(Exit::Usage, message)
            .hint("omit --sample, or use --profile compact or --base FILE"));
    }
    if profile(args) == ProfileArg::Delta && args.keep_going {
        let message = "--keep-going cannot be used for a delta bundle: load --prune would delete the tags of omitted images";
        return Err(Failure::message(Exit::Usage, message).hint(
            "omit --keep-going, or omit --base to write a bundle that is complete in itself",
        ));
    }
    if profile(args) == ProfileArg::Delta && args.base.is_empty() {
        let message = "a delta bundle builds on other bundles (--base FILE)";
        return Err(Failure::message(Exit::Usage, message));
    }
    Ok(())
}

fn profile(args: &BundleArgs) -> ProfileArg {
    args.profile.unwrap_or(if args.base.is_empty() {
        ProfileArg::Plain
    } else {
        ProfileArg::Delta
    })
}

fn open_bases(args: &BundleArgs, cancel: &Cancel) -> Result<BaseFiles, Failure> {
    let resources = Resources {
        budget: args.transport.budget(),
        scratch: scratch(args),
        cancel: cancel.clone(),
    };
    Ok(BaseFiles::open(&args.base, &resources)?)
}

/// The folder for temporary data.
fn scratch(args: &BundleArgs) -> PathBuf {
    args.state_dir.clone().unwrap_or_else(env::temp_dir)
}

fn to_stdout(args: &BundleArgs) -> bool {
    args.output.as_deref() == Some(Path::new("-"))
}

fn output_file(args: &BundleArgs) -> Option<OutputFile> {
    let path = args.output.clone().filter(|_| !to_stdout(args))?;
    Some(OutputFile {
        path,
        state_dir: args.state_dir.clone(),
        replace: args.force,
    })
}

/// Where downloaded charts are kept until the bundle is complete, so that the same command can resume.
fn charts_folder(args: &BundleArgs) -> Option<PathBuf> {
    let file = output_file(args).filter(|_| !args.dry_run && !args.chart.is_empty())?;
    let mut name = file.path.into_os_string();
    name.push(".charts");
    Some(name.into())
}

/// Adds charts, and the images that they name, to the request.
fn add_charts(request: &mut Request, found: &Sources, charts: &Charts) {
    let pulled = charts.pulled.iter().map(|(reference, _)| reference.clone());
    request.images = found.references();
    request.images.extend(pulled);
    request.images.sort();
    request.images.dedup();
    request.files.extend(charts.files.iter().cloned());
}

/// A warning for each chart whose tag was moved after its images were found.
fn moved_charts(plan: &Plan, charts: &Charts) -> Vec<String> {
    let moved = charts.pulled.iter().filter(|(reference, digest)| {
        let mut images = plan.summary().images.iter();
        !images.any(|image| {
            image.reference == *reference
                && (image.digest == *digest || image.original == Some(*digest))
        })
    });
    moved
        .map(|(reference, _)| {
            format!("{reference} changed during this run: the bundle contains the new chart with the images of the old one; run the command again")
        })
        .collect()
}

/// The registries that are asked, each once.
fn registries<'a>(request: &'a Request, charts: &'a [String]) -> Vec<&'a str> {
    let asked = request
        .images
        .iter()
        .flat_map(|image| request.pulled_from(image))
        .map(Reference::registry)
        .chain(charts.iter().map(String::as_str));
    let once: BTreeSet<&str> = asked.collect();
    once.into_iter().collect()
}

fn request(args: &BundleArgs, found: &Sources, bases: &[BaseFile]) -> Result<Request, Failure> {
    let mut files = args.carry.clone();
    if args.with_sealift {
        files.push(program::running()?);
    }
    Ok(Request {
        images: found.references(),
        mirrors: found.mirrors(),
        elsewhere: found.elsewhere(),
        local: args.from.clone(),
        files,
        platforms: args.platform.clone(),
        referrers: !args.no_referrers,
        foreign_layers: args.foreign_layers,
        bases: bases.iter().map(BaseFile::identity).collect(),
        keep_going: args.keep_going,
    })
}

/// What is to be known before the work begins: the plan's warnings, and which unfinished files are replaced.
fn warn(observer: &dyn Observer, plan: &Plan, [file, fetched]: [&Option<OutputFile>; 2]) {
    for text in &plan.summary().warnings {
        observer.event(&Event::Warning { text });
    }
    for file in replaced(plan, file.as_ref(), fetched.as_ref()) {
        let text = format!("{}: {REPLACED}", file.partial().display());
        observer.event(&Event::Note { text: &text });
    }
}

fn stream(plan: &Plan, context: &Context<'_>) -> Result<(), Failure> {
    let mut out = Summed::new(io::stdout().lock());
    let report = execute(plan, Output::Stream(&mut out), context)?;
    out.flush()
        .map_err(|error| Failure::new(Exit::Failed, &error))?;
    let sum = out.finish().hex();
    let text = format!("identity {}, sha256 of the file {sum}", report.identity);
    context.observer.event(&Event::Note { text: &text });
    Ok(())
}

/// The report as `--json` prints it.
#[derive(Serialize)]
struct Finished<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Images that were requested and are not in the bundle.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    omitted: &'a [OmittedImage],
    /// The checksum of the file, in hexadecimal digits.
    sha256: String,
    /// Programs that `tar` can get out of the bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    programs: Vec<Program>,
}

fn tell(args: &BundleArgs, plan: &Plan, report: &Report, sum: &Digest) -> Result<Exit, Failure> {
    if args.output_args.json {
        output::json(&Finished {
            report,
            omitted: &plan.summary().omitted,
            sha256: sum.hex(),
            programs: plan.programs(),
        })?;
    } else {
        let path = report.path.as_deref().unwrap_or(Path::new("-"));
        output::line(&format!(
            "{}: {}, {}",
            path.display(),
            words::bytes(report.total_bytes),
            fetched_words(report)
        ))?;
        if let Some(compact) = &report.compact {
            output::lines(&compact_words(compact))?;
        }
        for program in plan.programs() {
            output::lines(&program::words(&path.display().to_string(), &program))?;
        }
        checksums::print(&report.identity, sum, args.output_args.quiet)?;
    }
    omitted::written(plan, report.path.as_deref())
}

/// What was fetched, and what did not have to be.
fn fetched_words(report: &Report) -> String {
    let present = words::count(report.present_blobs, "blob");
    if report.fetched_blobs == 0 && report.present_blobs > 0 {
        return format!("nothing to fetch ({present} complete from an earlier run)");
    }
    let fetched = format!(
        "{} fetched ({})",
        words::count(report.fetched_blobs, "blob"),
        words::bytes(report.fetched_bytes)
    );
    match report.present_blobs {
        0 => fetched,
        _ => format!("{fetched}, {present} from an interrupted run"),
    }
}

fn dry_run(
    args: &BundleArgs,
    plan: &Plan,
    (found, bases, sample): (&Sources, &[BaseFile], Option<PlanEstimate>),
    file: Option<&OutputFile>,
) -> Result<Exit, Failure> {
    let delta = match bases {
        [] => None,
        bases => Some(PackingPlan::new(plan.contents().record(), bases)),
    };
    let status = file.map(|file| status(plan, file));
    let products: Vec<ProductReport<'_>> = found.products.iter().map(ProductReport::of).collect();
    if args.output_args.json {
        output::json(&DryRun {
            plan,
            programs: plan.programs(),
            products,
            delta,
            sample,
            output: status,
        })?;
    } else {
        for line in products.iter().flat_map(ProductReport::lines) {
            output::line(&line)?;
        }
        let sampled = sample.is_some_and(|sample| sample.estimate.is_some());
        output::lines(&plan_words(plan, profile(args), delta.as_ref(), sampled))?;
        output::lines(&match (&sample, profile(args)) {
            (Some(sample), _) => estimates::planned(sample, &scratch(args)),
            (None, ProfileArg::Plain) => Vec::new(),
            (None, ProfileArg::Compact | ProfileArg::Delta) => vec![estimates::not_sampled()],
        })?;
        output::line(&format!("identity {}", plan.summary().identity))?;
        let path = args.output.as_deref().unwrap_or(Path::new("BUNDLE"));
        for program in plan.programs() {
            output::lines(&program::words(&path.display().to_string(), &program))?;
        }
        if let (Some(file), Some(status)) = (file, &status) {
            output::line(&status_words(&file.path, status))?;
        }
    }
    omitted::planned(plan)
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        if error.is_cancelled() {
            return Cancelled.into();
        }
        let exit = match error {
            BundleError::Empty => Exit::Usage,
            BundleError::Write(error) => return write_failure(&error),
            BundleError::OtherProfile { .. } => Exit::Conflict,
            BundleError::Compact(error) => return error.into(),
            BundleError::Fetched(error) => return error.into(),
            BundleError::Verify(error) => return error.into(),
            _ if error.is_damage() => Exit::Damaged,
            _ => Exit::Failed,
        };
        let failure = match error.failures() {
            Some((heading, failures)) => Self::message(exit, heading).items(failures),
            None => Self::new(exit, &error),
        };
        let hints = hints::bundle::hints(&error).into_iter();
        hints.fold(failure, Self::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carried_path_may_be_given_a_name() {
        let read = |text| {
            let request = carried(text).unwrap();
            (request.path.display().to_string(), request.name)
        };
        assert_eq!(read("a/b"), ("a/b".to_owned(), None));
        assert_eq!(read("a/b=c"), ("a/b".to_owned(), Some("c".to_owned())));
        assert_eq!(read("a=b/c"), ("a=b/c".to_owned(), None));
        assert!(carried("").is_err());
    }
}
