//! Every external dependency is used, and has its reason in docs/dependencies.md.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use crate::workspace::{Member, member, workspace_dependencies};

/// Every external dependency has its reason in `docs/dependencies.md`, and nothing else has.
pub(super) fn documented(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = fs::read_to_string(root.join("docs/dependencies.md"))?;
    let rows: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let listed = workspace_dependencies(root)?;
    let external: BTreeSet<&str> = listed
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("sealift-") && !["regzip", "relate"].contains(name))
        .collect();
    let missing = external
        .difference(&rows)
        .map(|name| format!("docs/dependencies.md has no row for {name}"));
    let stale = rows.difference(&external).map(|name| {
        format!("docs/dependencies.md has a row for {name}, which the workspace does not use")
    });
    Ok(missing.chain(stale).collect())
}

/// What the root manifest lists and no member uses.
pub(super) fn unused(root: &Path, members: &[Member]) -> Result<Vec<String>, Box<dyn Error>> {
    let own = member(&root.join("xtask/Cargo.toml"))?;
    let all = members.iter().chain([&own]);
    let used: BTreeSet<&String> = all
        .flat_map(|member| member.dependencies.iter().chain(&member.dev_dependencies))
        .collect();
    let listed = workspace_dependencies(root)?;
    let unused = listed.iter().filter(|name| !used.contains(name));
    Ok(unused
        .map(|name| format!("the workspace lists {name}, which no member uses"))
        .collect())
}
