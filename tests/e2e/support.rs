//! Runs the program in a folder of its own, with an empty environment.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sealift_testkit::{Image, ImageMaker, Layer, Registry, cosign};
use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in; nothing of the user's configuration is seen from it.
pub(crate) struct WorkDir {
    folder: TempDir,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl WorkDir {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names of everything in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.folder())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealift"));
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("TMPDIR", std::env::temp_dir());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(
            self.command(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input);
        Run::of(child.wait_with_output().unwrap())
    }

    /// Runs a command that must succeed; its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}\n{}", run.stderr);
        run.stdout
    }

    /// Runs a command that must succeed and tells JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    /// Begins a command that goes on in the background.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

/// The names of everything in `folder`, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Everything that was said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A small product: two images for two platforms with a shared layer, one of them signed.
pub(crate) struct Product {
    pub(crate) names: Vec<(&'static str, Image)>,
}

impl Product {
    pub(crate) fn new(layer_bytes: usize) -> Self {
        let maker = |name: &str| {
            ImageMaker::new(name)
                .platforms(&["linux/amd64", "linux/arm64"])
                .layer(Layer::gzip("shared", layer_bytes).everywhere())
                .layer(Layer::gzip(name, layer_bytes))
        };
        let node = maker("node").make();
        let signature = cosign(&node.root, "sig");
        Self {
            names: vec![
                ("product/node", node.with(signature)),
                (
                    "product/deep/er/operator",
                    maker("operator").docker().make(),
                ),
            ],
        }
    }

    pub(crate) fn put_into(&self, registry: &Registry) {
        for (repository, image) in &self.names {
            image.put_into(registry, repository, Some("v1"));
        }
    }

    /// The image list for `registry`.
    pub(crate) fn list(&self, registry: &Registry) -> String {
        let names = self.names.iter();
        let lines: Vec<String> = names
            .map(|(repository, _)| registry.reference(repository, "v1"))
            .collect();
        lines.join("\n")
    }

    /// Asserts that `registry` has all of it below `path`.
    pub(crate) fn assert_in(&self, registry: &Registry, path: &str) {
        for (repository, image) in &self.names {
            let repository = format!("{path}{repository}");
            image.assert_in(registry, &repository, Some("v1"));
            for (tag, digest) in &image.tags {
                assert_eq!(registry.tagged(&repository, tag), Some(*digest));
            }
        }
    }
}

/// A folder with the product's bundle in it, `product.tar`, made from a registry that is gone.
pub(crate) fn work_dir_with_bundle() -> (WorkDir, Product) {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(40_000), Registry::start());
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    work_dir.ok(&["bundle", "-f", "images.txt", "-o", "product.tar", "--quiet"]);
    (work_dir, product)
}

/// The last word of the line that names the identity.
pub(crate) fn identity(stdout: &str) -> String {
    let line = stdout.lines().find(|line| line.contains("identity"));
    let word = line.and_then(|line| line.split_whitespace().last());
    word.unwrap_or_else(|| panic!("no identity in {stdout}"))
        .to_owned()
}
