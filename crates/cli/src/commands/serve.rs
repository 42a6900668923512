//! `sealift serve`: serves a bundle as a read-only registry.

use std::path::PathBuf;

use clap::Args;
use sealift_pipeline::{Budget, Cancel, cores};
use sealift_serve::{Contents, ContentsError, ServeError, Server};

use crate::args::{BaseArgs, NamingArgs, ScratchArgs, open_readable};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::output;
use crate::progress::observer;

/// Serve a bundle as a read-only registry
///
/// For a first node or a small site: skopeo, podman, containerd and sealift itself can pull from it. Nothing is
/// unpacked. Content is checked while it is sent, and the connection is closed if it is corrupt. The server uses
/// plain HTTP: listen only on networks that you trust, or run a proxy with TLS in front of it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift serve calico.tar --listen 127.0.0.1:5000
    sealift serve calico.tar --listen 10.0.0.5:5000 --naming host --quiet")]
pub(crate) struct ServeArgs {
    /// The bundle
    bundle: PathBuf,
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000", value_parser = listen_address)]
    listen: String,
    #[command(flatten)]
    naming: NamingArgs,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Do not print each request
    #[arg(long, short, help_heading = heading::OUTPUT)]
    quiet: bool,
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

pub(crate) fn run(args: &ServeArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = open_readable(&args.bases, &args.bundle, &reading)?;
    let identity = bundle.identity();
    let contents = Contents::new(bundle, &args.naming.naming()?)?;
    let count = contents.repositories().count() as u64;
    let server = Server::bind(contents, &args.listen)?;
    let address = server
        .local_addr()
        .map_err(|error| Failure::new(Exit::Failed, &error))?;
    let repositories = crate::words::repositories(count);
    output::lines(&[
        format!("serving {repositories} on {address}; press Ctrl-C to stop"),
        format!("identity {identity}"),
    ])?;
    server.run(cancel, &observer(args.quiet))?;
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
        Self::new(Exit::Failed, &error)
    }
}
