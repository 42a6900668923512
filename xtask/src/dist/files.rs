//! What is in the archive and in the Debian package: the program, its pages, completions and licences.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::package::{Packaged, gzip};
use crate::workspace::root;

/// Each shell, and the name of its script in the archive and below `/usr/share`.
const SHELLS: [(&str, &str, &str); 3] = [
    (
        "bash",
        "completions/sealift.bash",
        "bash-completion/completions/sealift",
    ),
    (
        "zsh",
        "completions/_sealift",
        "zsh/vendor-completions/_sealift",
    ),
    (
        "fish",
        "completions/sealift.fish",
        "fish/vendor_completions.d/sealift.fish",
    ),
];

/// What was built and printed.
pub(super) struct Built {
    program: Packaged,
    pages: Vec<Packaged>,
    completions: Vec<Packaged>,
    /// The line tables of the program, for debuggers and `addr2line`.
    pub(super) debug: Vec<u8>,
}

impl Built {
    /// Takes the line tables out of `program`, and lets `runs_here`, which is the same program for this machine,
    /// print its pages and completions.
    pub(super) fn new(
        program: &Path,
        runs_here: &Path,
        target: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let (debug, stripped) = (
            folder.path().join("sealift.debug"),
            folder.path().join("sealift"),
        );
        let objcopy = objcopy(target);
        run(Command::new(&objcopy)
            .arg("--only-keep-debug")
            .arg("--compress-debug-sections")
            .arg(program)
            .arg(&debug))?;
        run(Command::new(&objcopy)
            .arg("--strip-all")
            .arg(program)
            .arg(&stripped))?;
        let pages = folder.path().join("man");
        run(Command::new(runs_here)
            .arg("man")
            .arg("--out-dir")
            .arg(&pages))?;
        let completions = SHELLS.map(|(shell, path, _)| {
            let script = output(Command::new(runs_here).args(["completions", shell]))?;
            Ok::<_, Box<dyn Error>>(Packaged::new(path, script))
        });
        Ok(Self {
            program: Packaged {
                path: "sealift".to_owned(),
                bytes: fs::read(stripped)?,
                executable: true,
            },
            pages: read_pages(&pages)?,
            completions: completions.into_iter().collect::<Result<_, _>>()?,
            debug: fs::read(debug)?,
        })
    }

    /// The files of the archive; `third_party` has the licences of what is compiled in.
    pub(super) fn files(&self, third_party: &str) -> Vec<Packaged> {
        let mut files = vec![self.program.clone()];
        files.extend(self.pages.iter().cloned());
        files.extend(self.completions.iter().cloned());
        for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            files.extend(fs::read(root().join(name)).map(|bytes| Packaged::new(name, bytes)));
        }
        files.push(Packaged::new("THIRD-PARTY-LICENSES", third_party));
        files
    }
}

/// The same files at their places in a Debian system.
pub(super) fn for_debian(files: &[Packaged]) -> Result<Vec<Packaged>, Box<dyn Error>> {
    files
        .iter()
        .map(|file| {
            let path = file.path.as_str();
            let completion = SHELLS.iter().find(|(_, own, _)| *own == path);
            Ok(match (path, completion) {
                ("sealift", _) => file.at("usr/bin/sealift"),
                (_, Some((_, _, debian))) => file.at(format!("usr/share/{debian}")),
                (page, _) if page.starts_with("man/") => Packaged::new(
                    format!("usr/share/{page}.gz").replace("/man/", "/man/man1/"),
                    gzip(&file.bytes)?,
                ),
                ("LICENSE-MIT", _) => file.at("usr/share/doc/sealift/copyright"),
                (other, _) => file.at(format!("usr/share/doc/sealift/{other}")),
            })
        })
        .collect()
}

fn read_pages(folder: &Path) -> Result<Vec<Packaged>, Box<dyn Error>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        pages.push(Packaged::new(format!("man/{name}"), fs::read(&path)?));
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pages)
}

/// GNU's objcopy for the target's programs.
fn objcopy(target: &str) -> String {
    match target {
        "aarch64-unknown-linux-gnu" => "aarch64-linux-gnu-objcopy".to_owned(),
        _ => "objcopy".to_owned(),
    }
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
