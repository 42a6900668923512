//! `sealift serve`: serves a bundle as a read-only registry.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_pipeline::{Budget, Cancel, cores};
use sealift_serve::{Contents, ContentsError, ServeError, Server, ServerOptions};

use crate::access_log::access_log;
use crate::args::{BaseArgs, NamingArgs, ScratchArgs, open_readable};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::is_same;
use crate::heading;
use crate::output;
use crate::progress::observer;
use crate::serving::AccessArgs;

/// Serve a bundle as a read-only registry
///
/// Intended for a first node or a small site: skopeo, podman, containerd and sealift can pull from it. Nothing is
/// unpacked. Content is checked while it is sent; if it is corrupt, the connection is closed. Without --tls-cert or
/// --tls-self-signed the server uses plain HTTP: listen only on networks that you trust.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift serve calico.tar --listen 127.0.0.1:5000
    sealift serve calico.tar --listen 10.0.0.5:5000 --naming host --quiet
    sealift serve calico.tar --listen 10.0.0.5:5000 --tls-self-signed --tls-cert-out ca.crt
    sealift serve calico.tar --listen 10.0.0.5:5000 --tls-cert tls.crt --tls-key tls.key \\
        --htpasswd users --access-log access.log")]
pub(crate) struct ServeArgs {
    /// The bundle
    bundle: PathBuf,
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000", value_parser = listen_address)]
    listen: String,
    /// Which index the tags of partly bundled images point to: the publisher's, which also lists platforms that are
    /// not bundled, or a new one. Both are served by digest
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    publisher_index: IndexArg,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    naming: NamingArgs,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Append one line per request to this file; - is standard output
    ///
    /// Each line contains the time, client, user or -, method, path, status, bytes sent and duration.
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    access_log: Option<PathBuf>,
    /// Do not print each request
    #[arg(long, short, help_heading = heading::OUTPUT)]
    quiet: bool,
}

/// When tags are of the publisher's index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum IndexArg {
    /// The publisher's index if the bundle contains it; its signatures stay valid
    #[default]
    IfPresent,
    /// Always the new index: for clients that copy all platforms of an image
    Never,
}

/// An address has no user and no password, which no message may repeat.
fn listen_address(text: &str) -> Result<String, &'static str> {
    if text.contains('@') {
        return Err("it contains an @ (expected ADDR:PORT)");
    }
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        return Err("it has no port from 0 to 65535 (expected ADDR:PORT)");
    }
    Ok(text.to_owned())
}

/// Checks that no file that is written is one that is read, or is written twice.
fn check_files(args: &ServeArgs) -> Result<(), Failure> {
    let log = args.access_log.as_deref();
    let log = log.filter(|path| *path != Path::new("-"));
    let certificate = args.access.output();
    let bases = args.bases.base.iter().map(PathBuf::as_path);
    let read: Vec<&Path> = bases
        .chain([args.bundle.as_path()])
        .chain(args.access.inputs())
        .collect();
    for written in log.into_iter().chain(certificate) {
        if read.iter().any(|path| is_same(path, written)) {
            let message = format!(
                "{} is an input of this command and cannot also be an output",
                written.display()
            );
            return Err(Failure::message(Exit::Usage, message).hint("use another name"));
        }
    }
    match (log, certificate) {
        (Some(log), Some(certificate)) if is_same(log, certificate) => {
            let message = format!("{} cannot be two outputs", log.display());
            Err(Failure::message(Exit::Usage, message).hint("use another name for one"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn run(args: &ServeArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    check_files(args)?;
    let certificate = args.access.certificate(&args.listen)?;
    let users = args.access.users()?;
    let observer = observer(args.quiet);
    let log = access_log(args.access_log.as_deref(), observer)?;
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = open_readable(&args.bases, &args.bundle, &reading)?;
    let identity = bundle.identity();
    let contents = Contents::new(
        bundle,
        &args.naming.naming()?,
        args.publisher_index == IndexArg::IfPresent,
    )?;
    let repositories = crate::words::repositories(contents.repositories().count() as u64);
    let mut about = vec![format!("identity {identity}")];
    about.extend(users.as_ref().map(|users| {
        let users = crate::words::count(users.count() as u64, "user");
        format!("a password is required ({users})")
    }));
    let (certificate, written) =
        certificate.map_or((None, None), |(own, written)| (Some(own), written));
    let tls = certificate.is_some();
    let options = ServerOptions { certificate, users };
    let server = Server::bind(contents, &args.listen, options)?;
    let address = server
        .local_addr()
        .map_err(|error| Failure::new(Exit::Failed, &error))?;
    if let Some(written) = &written {
        about.extend(args.access.publish(written, address)?);
    }
    args.access.warn_of_plain_passwords(address, tls);
    let with = if tls { " with TLS" } else { "" };
    about.insert(
        0,
        format!("serving {repositories} on {address}{with}; press Ctrl-C to stop"),
    );
    output::lines(&about)?;
    server.run(cancel, &log)?;
    // It was asked to end, and has.
    Ok(Exit::Done)
}

impl From<ContentsError> for Failure {
    fn from(error: ContentsError) -> Self {
        let exit = match &error {
            ContentsError::Names(_) => Exit::Conflict,
            ContentsError::Bundle { .. } => Exit::Damaged,
        };
        Self::new(exit, &error)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let failure = Self::new(Exit::Failed, &error);
        match error {
            ServeError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
                failure.hint("choose another port with --listen")
            }
            _ => failure,
        }
    }
}
