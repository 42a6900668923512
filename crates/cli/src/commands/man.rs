//! `sealift man`: a manual page for each command.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, check_folder, write_all};
use crate::output;

/// Write the manual pages, one for each command
///
/// The Debian package and the release archive contain these pages already.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift man --out-dir ~/.local/share/man/man1
    sealift man | man -l -")]
pub(crate) struct ManArgs {
    /// Write all pages to this folder; without it, the page of sealift itself is printed
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Replace pages that exist
    #[arg(long, requires = "out_dir")]
    overwrite: bool,
}

/// One page.
struct Page {
    /// The name of its file: `sealift-bundle.1`.
    file: String,
    roff: Vec<u8>,
}

pub(crate) fn run(args: &ManArgs, mut program: Command) -> Result<Exit, Failure> {
    program.build();
    let Some(folder) = &args.out_dir else {
        output::bytes(&page(&program)?.roff)?;
        return Ok(Exit::Done);
    };
    check_folder(Some(folder))?;
    let mut pages = Vec::new();
    collect(&program, &mut pages)?;
    let files: Vec<NewFile> = pages
        .into_iter()
        .map(|page| NewFile {
            path: folder.join(page.file),
            bytes: page.roff,
            mode: ORDINARY,
            owner: None,
        })
        .collect();
    write_all(&files, args.overwrite)?;
    Ok(Exit::Done)
}

/// The pages of `command` and of all commands below it.
fn collect(command: &Command, pages: &mut Vec<Page>) -> Result<(), Failure> {
    pages.push(page(command)?);
    let below = command.get_subcommands();
    below
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
        .try_for_each(|command| collect(command, pages))
}

fn page(command: &Command) -> Result<Page, Failure> {
    // The page of `sealift product list` is `sealift-product-list`.
    let name = command.get_display_name().unwrap_or("sealift").to_owned();
    let mut roff = Vec::new();
    Man::new(command.clone())
        .title(&name)
        .render(&mut roff)
        .map_err(|error| Failure::new(Exit::Failed, &error))?;
    Ok(Page {
        file: format!("{name}.1"),
        roff,
    })
}
