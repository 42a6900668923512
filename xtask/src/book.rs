//! The pages of the book: every page is in its table of contents, and every link between pages leads somewhere.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The book's folder, below the checkout.
const FOLDER: &str = "docs";

/// The table of contents.
const CONTENTS: &str = "SUMMARY.md";

/// What is wrong with the book and with the pages at the top of the checkout.
pub(crate) fn faults(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md"].map(PathBuf::from).into();
    let mut listed = BTreeSet::new();
    for (_, target) in links(&fs::read_to_string(root.join(FOLDER).join(CONTENTS))?) {
        listed.insert(target);
    }
    let mut faults = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name)
            .extension()
            .is_none_or(|extension| extension != "md")
        {
            continue;
        }
        if name != CONTENTS && !listed.contains(&name) {
            faults.push(format!("{FOLDER}/{CONTENTS} does not list {name}"));
        }
        pages.push(Path::new(FOLDER).join(name));
    }
    pages.sort();
    for page in pages {
        let text = fs::read_to_string(root.join(&page))?;
        for (line, target) in links(&text) {
            if !leads_somewhere(root, &page, &target) {
                faults.push(format!(
                    "{}:{line}: the link to {target} leads nowhere",
                    page.display()
                ));
            }
        }
    }
    Ok(faults)
}

/// The targets of links in `text`, with the number of their line; those in code are not links.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut code = false;
    for (at, line) in text.lines().enumerate() {
        code ^= line.starts_with("```");
        if code {
            continue;
        }
        for part in line.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                links.push((at + 1, target.to_owned()));
            }
        }
    }
    links
}

fn leads_somewhere(root: &Path, page: &Path, target: &str) -> bool {
    if target.starts_with("https://") {
        return true;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        root.join(page)
    } else {
        root.join(page.parent().unwrap_or(Path::new(""))).join(file)
    };
    if heading.is_empty() {
        return path.exists();
    }
    fs::read_to_string(path).is_ok_and(|text| headings(&text).any(|own| own == heading))
}

/// The anchors of the headings of a page: lower case, with hyphens, without punctuation.
fn headings(text: &str) -> impl Iterator<Item = String> + '_ {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_pages_that_nothing_leads_to_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("docs")).unwrap();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        write(
            "README.md",
            "[a](docs/a.md) [web](https://example.invalid/)\n",
        );
        write("CONTRIBUTING.md", "");
        write("docs/SUMMARY.md", "- [A](a.md)\n");
        write(
            "docs/a.md",
            "# Two Words: here\n[own](#two-words-here)\n```\n[x](code)\n```\n",
        );
        assert_eq!(faults(root).unwrap(), Vec::<String>::new());
        write("docs/b.md", "\n[gone](c.md) and [wrong](a.md#three)\n");
        let faults = faults(root).unwrap();
        assert_eq!(
            faults,
            [
                "docs/SUMMARY.md does not list b.md",
                "docs/b.md:2: the link to c.md leads nowhere",
                "docs/b.md:2: the link to a.md#three leads nowhere",
            ]
        );
    }
}
