//! Mirrors on the command line: where images are pulled from instead of their publishers' registries.

use std::path::PathBuf;

use clap::Args;
use sealift_bundle::{BlockedError, MirrorRule, Mirrors};

use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress;
use crate::sources::read_input;

/// Where images are pulled from.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mirrors")]
pub(crate) struct MirrorArgs {
    /// Pull images below HOST[/PREFIX] from REGISTRY[/PATH] instead; names in the bundle stay the publishers'
    /// (repeatable; the longest prefix applies)
    #[arg(long, value_name = "HOST[/PREFIX]=REGISTRY[/PATH]")]
    pub(crate) mirror: Vec<MirrorRule>,
    /// Pull from the publisher's registry what no mirror has
    #[arg(long)]
    pub(crate) mirror_fallback: bool,
    /// Read mirrors from a registries.conf [default: `$CONTAINERS_REGISTRIES_CONF`, else none]
    #[arg(long, value_name = "FILE")]
    pub(crate) registries_conf: Option<PathBuf>,
}

impl MirrorArgs {
    /// The rules, those of a file included.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn mirrors(&self) -> Result<Mirrors, Failure> {
        let mirrors = Mirrors::new(self.mirror.clone(), self.mirror_fallback);
        let named = self.registries_conf.clone();
        let Some(path) = named.or_else(|| Environment::read().registries_conf) else {
            return Ok(mirrors);
        };
        let name = path.display().to_string();
        let bytes = read_input(&path, &name)?;
        let mirrors = mirrors
            .with_registries_conf(&name, &bytes)
            .map_err(|error| Failure::new(Exit::Usage, &error))?;
        for note in &mirrors.notes {
            progress::warn(note);
        }
        Ok(mirrors)
    }
}

impl From<BlockedError> for Failure {
    fn from(error: BlockedError) -> Self {
        Self::new(Exit::Usage, &error)
            .hint("remove the image from the request, or the block from the file")
    }
}
