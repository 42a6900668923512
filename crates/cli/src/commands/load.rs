//! `sealift load`: puts a bundle into a registry.

mod prune;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use sealift_archive::Bundle;
use sealift_load::{
    BaseError, Context, LoadError, Plan, PrunePlan, Pruned, PublisherIndex, Receipt, Request,
    SessionFile, TagAction, TagReceipt, Totals, execute, plan,
};
use sealift_oci::Destination;
use sealift_pipeline::Cancel;
use sealift_registry::SessionStore;

use crate::args::{BaseArgs, NamingArgs, OutputArgs, ScratchArgs, TransportArgs};
use crate::client::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::interruption::Kept;
use crate::progress::observer;
use crate::receipt::ReceiptFile;
use crate::standard_input::BundlePath;
use crate::{hints, output, words};

/// Load a bundle into a registry
///
/// The bundle's structure and all manifests are checked before the first write. Each blob is read, hashed and sent
/// once. Tags are written last, when all content is in the registry, so a corrupt bundle changes nothing that clients
/// can see. After an interruption, the same command sends only what is missing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift load calico.tar registry.corp:5000
    sealift load calico.tar registry.corp:5000/mirror --naming flat --receipt calico.json
    sealift load calico.tar registry.corp:5000 --only 'docker.io/calico/*' --dry-run
    ssh build cat calico.tar | sealift load - registry.corp:5000
    sealift load calico-2-delta.tar registry.corp:5000 --receipt calico-2.json --prune calico-1.json
    sealift load calico.tar registry.corp:5000 --username me --password-stdin < password")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct LoadArgs {
    /// The bundle; - is standard input, which is kept in the scratch folder first
    bundle: PathBuf,
    /// The registry, and a path in it below which everything is stored
    #[arg(value_name = "REGISTRY[/PATH]")]
    destination: Destination,
    #[command(flatten)]
    naming: NamingArgs,
    /// Load only images and files matching PATTERN, which may contain * and ? (repeatable)
    #[arg(long, help_heading = heading::INCLUDE, value_name = "PATTERN")]
    only: Vec<String>,
    /// Skip images and files matching PATTERN (repeatable)
    #[arg(long, help_heading = heading::INCLUDE, value_name = "PATTERN")]
    skip: Vec<String>,
    /// Move tags that already point to something else
    #[arg(long, help_heading = heading::NAMES)]
    overwrite: bool,
    /// Check every blob at the registry, even blobs of manifests that are already there
    #[arg(long, help_heading = heading::CHECKS)]
    deep: bool,
    /// Check the complete bundle before the first write
    #[arg(long, help_heading = heading::CHECKS)]
    verify_first: bool,
    /// Keep going after a failure; list the images that failed
    #[arg(long, help_heading = heading::CHECKS)]
    keep_going: bool,
    /// Which index to store if only some platforms of an image are bundled: the publisher's, or a new one that lists
    /// only the bundled platforms
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    publisher_index: IndexArg,
    #[command(flatten)]
    prune: prune::PruneArgs,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Record interrupted uploads in BUNDLE.uploads in this folder [default: the folder of the bundle]
    #[arg(long, help_heading = heading::OUTPUT, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Write a receipt to this file: what is at the destination, as JSON
    ///
    /// If the file exists, it has to be the receipt of an earlier run of the same load: of the same bundle, destination
    /// and images.
    #[arg(long, help_heading = heading::OUTPUT, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Print the plan and write nothing
    #[arg(long, help_heading = heading::OUTPUT)]
    dry_run: bool,
    #[command(flatten)]
    output_args: OutputArgs,
    #[command(flatten)]
    transport: TransportArgs,
}

/// When the publisher's index is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum IndexArg {
    /// The publisher's index if the registry accepts it; otherwise a new one, which its signatures do not cover
    #[default]
    IfAccepted,
    /// Always the publisher's index; fail if the registry refuses it
    Required,
    /// Always a new index
    Never,
}

impl From<IndexArg> for PublisherIndex {
    fn from(index: IndexArg) -> Self {
        match index {
            IndexArg::IfAccepted => Self::IfAccepted,
            IndexArg::Required => Self::Required,
            IndexArg::Never => Self::Never,
        }
    }
}

impl LoadArgs {
    /// What the command keeps when it is interrupted.
    pub(super) fn keeps(&self) -> Kept {
        if self.dry_run {
            return Kept::Nothing;
        }
        Kept::Progress
    }
}

pub(crate) fn run(args: &LoadArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    if args.bundle == Path::new("-") && args.transport.password_stdin {
        let message = "standard input cannot contain both the bundle and the password";
        return Err(Failure::message(Exit::Usage, message)
            .hint("log in first, use --authfile, or pass the bundle as a file"));
    }
    let request = request(args)?;
    let file = args.receipt.as_deref().map(ReceiptFile::open).transpose()?;
    args.prune.check_receipt(args.receipt.as_deref())?;
    let uploads = session_file(args)?;
    let budget = args.transport.budget();
    let path = BundlePath::of(&args.bundle, &args.scratch.folder(), cancel)?;
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = args.bases.open(path.path(), &reading)?;
    let earlier = args.prune.earlier(&bundle, &args.destination)?;
    let observer = observer(args.output_args.quiet);
    let registry = args.destination.registry();
    let client = client(&args.transport, &[registry], observer.clone(), cancel)?;
    let scratch = args.scratch.folder();
    let context = Context {
        client: &client,
        budget: &budget,
        scratch: &scratch,
        observer: &*observer,
        cancel,
    };
    let earlier = earlier.map(|earlier| earlier.plan(&bundle, &request, &context));
    let earlier = earlier.transpose()?;
    if let (Some(plan), true, false) = (&earlier, args.prune.only_plan(), args.dry_run) {
        drop(observer);
        return prune::print(plan, args.output_args.json);
    }
    let plan = plan(&bundle, &request, &context)?;
    if let Some(file) = &file {
        file.check(&plan)?;
    }
    if args.dry_run {
        drop(observer);
        return dry_run(args, &plan, earlier.as_ref());
    }
    if let Some(file) = &file {
        file.check_writable(&plan)?;
    }
    let sessions = Arc::new(SessionFile::open(uploads, observer.clone()));
    let kept: Arc<dyn SessionStore> = Arc::<SessionFile>::clone(&sessions);
    let context = Context {
        client: &client.with_sessions(kept),
        ..context
    };
    let receipt = load(&bundle, &plan, file.as_ref(), &context)?;
    if receipt.is_complete() {
        sessions.finish(registry);
    }
    drop(sessions);
    let pruned = prune::delete(earlier.as_ref(), &receipt, &request, &context)?;
    drop(observer);
    tell(args, &receipt, pruned.as_ref())
}

/// Does what `plan` says and writes the receipt to `file`, even if only some tags could be set: the next run cannot
/// see which of the tags that it finds were set by this one.
fn load(
    bundle: &Bundle,
    plan: &Plan,
    file: Option<&ReceiptFile<'_>>,
    context: &Context<'_>,
) -> Result<Receipt, Failure> {
    let started = SystemTime::now();
    let written = |receipt: Receipt| -> Result<Receipt, Failure> {
        let receipt = receipt.with_times(words::time(started), words::time(SystemTime::now()));
        match file {
            Some(file) => file.write(receipt, context.scratch),
            None => Ok(receipt),
        }
    };
    match execute(bundle, plan, context) {
        Ok(receipt) => written(receipt),
        Err(LoadError::TagsPartlyMoved(partly)) => {
            written(partly.receipt.clone())?;
            Err(LoadError::TagsPartlyMoved(partly).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Where interrupted uploads are noted.
fn session_file(args: &LoadArgs) -> Result<PathBuf, Failure> {
    let mut name = args.bundle.file_name().unwrap_or_default().to_owned();
    name.push(".uploads");
    match &args.state_dir {
        Some(folder) if folder.is_dir() => Ok(folder.join(name)),
        Some(folder) => {
            let message = format!("--state-dir {} is not a folder", folder.display());
            Err(Failure::message(Exit::Usage, message))
        }
        None => Ok(args.bundle.with_file_name(name)),
    }
}

fn request(args: &LoadArgs) -> Result<Request, Failure> {
    Ok(Request {
        naming: args.naming.naming()?,
        only: args.only.clone(),
        skip: args.skip.clone(),
        overwrite: args.overwrite,
        deep: args.deep,
        verify_first: args.verify_first,
        keep_going: args.keep_going,
        publisher_index: args.publisher_index.into(),
        ..Request::new(args.destination.clone())
    })
}

fn dry_run(args: &LoadArgs, plan: &Plan, prune: Option<&PrunePlan>) -> Result<Exit, Failure> {
    if args.output_args.json {
        output::json(&prune::WithPrunePlan { plan, prune })?;
    } else {
        let mut lines = plan_words(plan);
        lines.extend(prune.into_iter().flat_map(prune::plan_words));
        lines.push(format!("identity {}", plan.bundle()));
        output::lines(&lines)?;
    }
    let conflicts = plan.conflicts();
    if conflicts.is_empty() {
        return Ok(Exit::Done);
    }
    Err(LoadError::Conflicts(conflicts).into())
}

fn plan_words(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .names()
        .iter()
        .map(|name| format!("{} -> {}", name.source, name.destination))
        .collect();
    for manifest in plan.manifests() {
        if let Some(new) = manifest.stand_in {
            lines.push(format!(
                "{}: publisher's index {} without its other platforms; a new index {new} if the registry refuses it",
                manifest.repository, manifest.digest
            ));
        }
    }
    for tag in plan.tags() {
        match tag.action {
            TagAction::Move { from } => lines.push(format!(
                "{}:{} moves from {from} to {}",
                tag.repository, tag.tag, tag.digest
            )),
            TagAction::Conflict { there } => lines.push(format!(
                "{}:{} points to {there}, not to {}: conflict",
                tag.repository, tag.tag, tag.digest
            )),
            TagAction::Set | TagAction::Unchanged => {}
        }
    }
    lines.extend(totals_words(plan.totals()));
    lines
}

fn totals_words(totals: &Totals) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{}, {}, {} into {}",
            words::count(totals.images, "image"),
            words::attached(totals.referrers),
            words::count(totals.files, "file"),
            words::repositories(totals.repositories)
        ),
        format!(
            "{} of {} to send ({}), {} to mount ({}); {} of {} exist",
            totals.blobs_to_send,
            words::count(totals.blobs, "blob"),
            words::bytes(totals.bytes_to_send),
            totals.blobs_to_mount,
            words::bytes(totals.bytes_to_mount),
            totals.manifests_present,
            words::count(totals.manifests, "manifest")
        ),
        format!(
            "{} to set, {} to move, {} unchanged, {} in conflict",
            words::count(totals.tags_to_set, "tag"),
            totals.tags_to_move,
            totals.tags_unchanged,
            totals.conflicts
        ),
    ];
    if totals.base_blobs > 0 {
        lines.push(format!(
            "{} ({}) to read from the registry to rebuild others",
            words::count(totals.base_blobs, "blob"),
            words::bytes(totals.base_bytes)
        ));
    }
    if totals.scratch_bytes > 0 {
        lines.push(format!(
            "up to {} of scratch space to rebuild blobs",
            words::bytes(totals.scratch_bytes)
        ));
    }
    lines
}

fn tell(args: &LoadArgs, receipt: &Receipt, pruned: Option<&Pruned>) -> Result<Exit, Failure> {
    if args.output_args.json {
        output::json(&prune::WithPruned { receipt, pruned })?;
    } else {
        let mut lines = Vec::new();
        if !receipt.is_complete() {
            lines.extend(receipt.tags.iter().map(tag_words));
        }
        lines.push(receipt_words(receipt));
        lines.extend(pruned.into_iter().flat_map(prune::pruned_words));
        lines.push(format!("identity {}", receipt.bundle));
        output::lines(&lines)?;
    }
    if receipt.is_complete() {
        return match pruned.and_then(prune::failure) {
            Some(failure) => Err(failure),
            None => Ok(Exit::Done),
        };
    }
    let failed = receipt.failed.iter();
    let count = words::count(receipt.failed.len() as u64, "name");
    let failure = Failure::message(
        Exit::TagsPartlyMoved,
        format!("{count} could not be loaded:"),
    )
    .items(failed.map(|failed| format!("{}: {}", failed.name, failed.reason)));
    Err(args.prune.incomplete(failure))
}

/// A tag of an incomplete load.
fn tag_words(tag: &TagReceipt) -> String {
    let what = if tag.set { "set" } else { "unchanged" };
    format!("{what} {}:{}", tag.repository, tag.tag)
}

fn receipt_words(receipt: &Receipt) -> String {
    let totals = &receipt.totals;
    format!(
        "{}: {} sent ({}), {} mounted, {} already there; {} verified, {} set, {} unchanged",
        receipt.destination,
        words::count(totals.blobs_sent, "blob"),
        words::bytes(totals.bytes_sent),
        totals.blobs_mounted,
        totals.blobs_present + totals.blobs_vouched,
        words::count(
            totals.manifests_stored + totals.manifests_present,
            "manifest"
        ),
        words::count(totals.tags_set, "tag"),
        totals.tags_unchanged
    )
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let exit = match &error {
            LoadError::Names(_) | LoadError::Conflicts(_) | LoadError::Overtaken(_) => {
                Exit::Conflict
            }
            LoadError::NoMatch { .. }
            | LoadError::UnusedMap { .. }
            | LoadError::NothingSelected => Exit::Usage,
            LoadError::Bundle { .. } | LoadError::Damaged { .. } => Exit::Damaged,
            LoadError::Base { source, .. } if matches!(**source, BaseError::Changed { .. }) => {
                Exit::Damaged
            }
            LoadError::TagsPartlyMoved(_) => Exit::TagsPartlyMoved,
            LoadError::Cancelled(cancelled) => return (*cancelled).into(),
            LoadError::Registry(error) if error.is_cancelled() => {
                return sealift_pipeline::Cancelled.into();
            }
            _ => Exit::Failed,
        };
        let mut failure = Self::new(exit, &error);
        if let LoadError::TagsPartlyMoved(partly) = &error {
            failure = failure.items(tag_list(partly));
        }
        match hints::load::hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn tag_list(partly: &sealift_load::PartlyMoved) -> [String; 2] {
    let moved = partly.moved.iter();
    let moved: Vec<String> = moved
        .map(|tag| format!("{}:{}", tag.repository, tag.tag))
        .collect();
    [
        format!("moved: {}", moved.join(", ")),
        format!("not moved: {}", partly.not_moved.join(", ")),
    ]
}
