//! `docs/commands.md` is the help of every command. `cargo xtask docs` writes it anew.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::WorkDir;

/// The page, below the checkout.
const PAGE: &str = "docs/commands.md";

#[test]
fn the_reference_of_commands_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(PAGE);
    let page = page();
    if env::var_os("SEALIFT_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let differs = written
        .lines()
        .zip(page.lines())
        .find(|(old, new)| old != new);
    assert!(
        written == page,
        "{PAGE} is out of date (`cargo xtask docs` updates it); first difference: {differs:?}"
    );
}

fn page() -> String {
    let mut page = String::from(
        "\
# Commands

The help of every command, as the program prints it with `--help`. `-h` prints a shorter text.
",
    );
    let work_dir = WorkDir::new();
    add(&work_dir, &mut Vec::new(), &mut page);
    page
}

/// Adds the section of a command, and those of the commands below it.
fn add(work_dir: &WorkDir, command: &mut Vec<String>, page: &mut String) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let help = work_dir.ok(&[words.as_slice(), &["--help"]].concat());
    let name = [&["sealift"], words.as_slice()].concat().join(" ");
    write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    for below in below(&help) {
        command.push(below);
        add(work_dir, command, page);
        command.pop();
    }
}

/// The commands that a help text lists.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.take_while(|line| line.starts_with("  "));
    let names = listed.filter(|line| !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
