//! `cargo xtask check`: the rules of docs/architecture.md that the compiler does not know.

mod circles;
mod dependencies;
mod direction;
mod files;
mod flags;
mod source;

use std::error::Error;

use crate::book;
use crate::workspace::{members, root};
use source::Crate;

/// No source file is longer. Split a file well before that.
const MAX_LINES: usize = 800;

/// Runs every check and reports all faults at once.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let root = root();
    let members = members(&root)?;
    let mut faults = direction::direction(&members);
    faults.extend(dependencies::documented(&root)?);
    faults.extend(dependencies::unused(&root, &members)?);
    faults.extend(book::faults(&root)?);
    let mut crates = Vec::new();
    for member in &members {
        crates.push(Crate::read(&root, &member.folder)?);
    }
    crates.push(Crate::read(&root, "xtask")?);
    for krate in &crates {
        faults.extend(files::outside(krate));
        faults.extend(flags::named(krate));
        faults.extend(source::without_purpose(krate));
    }
    faults.extend(circles::find(&crates));
    faults.extend(files::stale(&crates));
    faults.extend(source::too_long(&root, MAX_LINES)?);
    if faults.is_empty() {
        println!(
            "{} crates: directions, dependencies, modules, file access, flags, file lengths and links are in order",
            members.len()
        );
        return Ok(());
    }
    Err(faults.join("\nerror: ").into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_in_order() {
        super::run().unwrap();
    }
}
