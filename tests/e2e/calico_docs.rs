//! `docs/calico.md` as a person follows it: every command in it is run, in its order, on the side that it
//! is written for.
//!
//! The document says which side a block is for in the words after its three ticks: `sh connected`,
//! `sh isolated`, plain `sh` for both; `yaml NAME` is a file that the reader writes. The host of `REGISTRY` is
//! the only thing that is another here, and `bundle` gets a mirror, since the registries of Calico are far.
//! Lines for `kubectl` and `helm` are not run: the files that they name have to be there and be manifests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sealift_testkit::Registry;
use sealift_testkit::real::{RealRegistry, shared_data};

use crate::calico::{missing, publish};
use crate::support::{WorkDir, names};

const DOCUMENT: &str = include_str!("../../docs/calico.md");

/// Small manifests of the release that the document speaks of.
const FIXTURES: [(&str, &str); 6] = [
    (
        "manifests/tigera-operator.yaml",
        include_str!("../fixtures/calico/tigera-operator.yaml"),
    ),
    (
        "manifests/operator-crds.yaml",
        include_str!("../fixtures/calico/operator-crds.yaml"),
    ),
    (
        "manifests/custom-resources.yaml",
        include_str!("../fixtures/calico/custom-resources.yaml"),
    ),
    (
        "manifests/calico.yaml",
        include_str!("../fixtures/calico/calico.yaml"),
    ),
    (
        "manifests/ocp/02-tigera-operator.yaml",
        include_str!("../fixtures/calico/02-tigera-operator.yaml"),
    ),
    (
        "manifests/ocp/03-cr-installation.yaml",
        include_str!("../fixtures/calico/03-cr-installation.yaml"),
    ),
];

/// A fenced block: the words after the ticks, and what is between them.
pub(crate) struct Block {
    pub(crate) words: Vec<&'static str>,
    pub(crate) text: String,
}

/// The fenced blocks of a document, in their order.
pub(crate) fn blocks(document: &'static str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(words), None) => {
                open = Some(Block {
                    words: words.split_whitespace().collect(),
                    text: String::new(),
                });
            }
            (Some(end), Some(_)) => {
                assert_eq!(end, "", "a block ends with three ticks alone");
                blocks.extend(open.take());
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
}

/// The commands of a block, those that go on over several lines in one.
pub(crate) fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// A working folder of its own with the document's variables.
pub(crate) struct Side {
    pub(crate) work_dir: WorkDir,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Side {
    pub(crate) fn new() -> Self {
        Self {
            work_dir: WorkDir::new(),
            variables: BTreeMap::new(),
        }
    }

    /// Runs a line as a shell would, `sealift` being the program under test.
    pub(crate) fn run(&self, line: &str) {
        let bin = self.work_dir.path(".bin");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            let program = env!("CARGO_BIN_EXE_sealift");
            std::os::unix::fs::symlink(program, bin.join("sealift")).unwrap();
        }
        self.run_in(self.work_dir.folder(), line);
    }

    fn run_in(&self, folder: &Path, line: &str) {
        let path = format!("{}:/usr/bin:/bin", self.work_dir.path(".bin").display());
        let output = Command::new("/bin/sh")
            .args(["-euc", line])
            .current_dir(folder)
            .env_clear()
            .envs(&self.variables)
            .env("PATH", path)
            .env("HOME", self.work_dir.folder())
            .env("TMPDIR", std::env::temp_dir())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stderr);
        let warning = "the bundle does not contain";
        assert!(!said.contains(warning), "{line}\n{said}");
    }
}

/// What became of the document's lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    run: usize,
    variables: usize,
    others: usize,
}

struct Reader<'a> {
    connected: Side,
    isolated: Side,
    /// The host that stands in for `REGISTRY`.
    registry: String,
    /// Where the images of the publishers are.
    mirror: &'a str,
    count: Count,
}

impl Reader<'_> {
    fn follow(&mut self) {
        for block in blocks(DOCUMENT) {
            match block.words.as_slice() {
                ["sh"] => self.both(&block.text),
                ["sh", "connected"] => self.connected(&block.text),
                ["sh", "isolated"] => self.isolated(&block.text),
                ["yaml", name] => self.connected.work_dir.write(name, &block.text),
                other => panic!("nobody knows what to do with a block of {other:?}"),
            }
        }
    }

    fn both(&mut self, text: &str) {
        for line in commands(text) {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            let value = if name == "REGISTRY" {
                self.registry.clone()
            } else {
                value.to_owned()
            };
            for side in [&mut self.connected, &mut self.isolated] {
                side.variables.insert(name.to_owned(), value.clone());
            }
            self.count.variables += 1;
        }
    }

    fn connected(&mut self, text: &str) {
        for line in commands(text) {
            assert!(line.starts_with("sealift "), "{line}");
            if line.starts_with("sealift bundle ") {
                self.connected
                    .run(&format!("{line} --product-mirror {}", self.mirror));
            } else {
                self.connected.run(&line);
            }
            self.count.run += 1;
        }
        self.carry();
    }

    /// Nothing but bundles gets over.
    fn carry(&self) {
        for name in self.connected.work_dir.names() {
            if has_extension(&name, "tar") {
                let bundle = self.connected.work_dir.read(&name);
                self.isolated.work_dir.write(&name, bundle);
            }
        }
    }

    fn isolated(&mut self, text: &str) {
        for line in commands(text) {
            match line.split_whitespace().next() {
                Some("sealift") => {
                    self.isolated.run(&line);
                    self.count.run += 1;
                }
                Some("kubectl" | "helm") => {
                    named_files_are_manifests(self.isolated.work_dir.folder(), &line);
                    self.count.others += 1;
                }
                _ => panic!("nobody knows how to run: {line}"),
            }
        }
    }
}

pub(crate) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|own| own == extension)
}

/// Every file that the line gives to kubectl or helm is there and is what such a file is.
fn named_files_are_manifests(folder: &Path, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    for pair in words.windows(2) {
        if !matches!(pair[0], "-f" | "--patch-file") || pair[1] == "-" {
            continue;
        }
        let path = folder.join(pair[1]);
        let files = if path.is_dir() {
            let names = names(&path).into_iter();
            let yaml = names.filter(|name| has_extension(name, "yaml"));
            yaml.map(|name| path.join(name)).collect()
        } else {
            vec![path]
        };
        assert!(!files.is_empty(), "{line}");
        for file in files {
            let text = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{line}: {}: {error}", file.display()));
            let whole = line.contains("kubectl") && pair[0] == "-f";
            let manifest = text.contains("apiVersion: ") && text.contains("kind: ");
            assert!(!whole || manifest, "{}", file.display());
        }
    }
}

/// The `image:` values of all files in a folder of a working folder.
fn images(work_dir: &WorkDir, folder: &str) -> Vec<String> {
    let files = names(&work_dir.path(folder)).into_iter();
    let mut images = Vec::new();
    for name in files.filter(|name| has_extension(name, "yaml") && name != "imageset.yaml") {
        let text = String::from_utf8(work_dir.read(&format!("{folder}/{name}"))).unwrap();
        for line in text.lines() {
            let Some((before, value)) = line.split_once("image: ") else {
                continue;
            };
            let key = before.trim_start_matches([' ', '-']);
            let ends = |c: char| c.is_whitespace() || c == '}' || c == '"';
            let value = value.trim_start_matches('"').split(ends).next().unwrap();
            if key.is_empty() || key.ends_with(", ") {
                images.push(value.to_owned());
            }
        }
    }
    images
}

/// Where an image is in the registry: repository, and tag or digest.
fn split<'n>(host: &str, name: &'n str) -> (&'n str, &'n str) {
    let below = name
        .strip_prefix(host)
        .and_then(|rest| rest.strip_prefix('/'));
    let below = below.unwrap_or_else(|| panic!("{name} is not at {host}"));
    match below.split_once('@') {
        Some((name, digest)) => (name.rsplit_once(':').map_or(name, |(name, _)| name), digest),
        None => below.rsplit_once(':').unwrap(),
    }
}

/// Asks the registry for everything that the folders of the isolated side name.
fn what_was_written_is_there(work_dir: &WorkDir, host: &str, has: &dyn Fn(&str, &str) -> bool) {
    for (folder, installation) in [
        ("apply", "custom-resources.yaml"),
        ("apply-path", "installation.yaml"),
        ("apply-flat", "installation.yaml"),
        ("apply-prefix", "installation.yaml"),
        ("apply-secret", "installation.yaml"),
    ] {
        let text =
            |name: &str| String::from_utf8(work_dir.read(&format!("{folder}/{name}"))).unwrap();
        let missing = missing(&text(installation), &text("imageset.yaml"), host, has);
        assert_eq!(missing, Vec::<String>::new(), "{folder}");
    }
    assert!(!work_dir.path("apply/installation.yaml").exists());
    for (folder, count) in [
        ("apply", 1),
        ("apply-path", 1),
        ("apply-flat", 1),
        ("apply-prefix", 1),
        ("apply-secret", 1),
        ("apply-openshift", 3),
        ("apply-manifests", 3),
        ("apply-manifests-secret", 3),
        ("apply-pinned", 4),
    ] {
        let images = images(work_dir, folder);
        assert!(images.len() >= count, "{folder}: {images:?}");
        for image in images {
            let (repository, selector) = split(host, &image);
            assert!(has(repository, selector), "{folder}: {image}");
        }
    }
}

/// Runs the README that the program wrote into a folder, which needs nothing but the folder and, for `OpenShift`,
/// the installer's directory.
fn the_folders_own_readme_works(side: &Side, folder: &str) {
    let readme = String::from_utf8(side.work_dir.read(&format!("{folder}/README.md"))).unwrap();
    let place = side.work_dir.path(folder);
    let installer = readme.contains("openshift-install");
    if installer {
        copy(
            &side.work_dir.path("manifests/ocp"),
            &place.join("manifests"),
        );
    }
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("       "))
        .collect();
    assert!(commands.len() > 1, "{readme}");
    for line in commands {
        if line.starts_with("sealift ") || line.starts_with("cp ") {
            side.run_in(&place, line);
        } else {
            let program = line.split_whitespace().next();
            let known = ["kubectl", "helm", "openshift-install"];
            assert!(known.contains(&program.unwrap()), "{line}");
            named_files_are_manifests(&place, line);
        }
    }
}

/// Follows the document with the manifests that `write` puts onto the connected side.
fn follow(host: &str, write: &dyn Fn(&WorkDir), has: &dyn Fn(&str, &str) -> bool) {
    let source = Registry::start();
    let mirror = source.host();
    let mut reader = Reader {
        connected: Side::new(),
        isolated: Side::new(),
        registry: host.to_owned(),
        mirror: &mirror,
        count: Count::default(),
    };
    publish(
        &reader.connected.work_dir,
        &source,
        &["--product", "calico@v3.32.1", "--with", "openshift"],
    );
    write(&reader.connected.work_dir);
    let auths = format!(r#"{{"auths":{{"{host}":{{"auth":"bWU6Y2FuYXJ5"}}}}}}"#);
    reader.isolated.work_dir.write("config.json", auths);
    reader.follow();
    assert!(reader.count.run >= 25, "{:?}", reader.count);
    assert!(reader.count.others >= 10, "{:?}", reader.count);
    assert_eq!(reader.count.variables, 2);
    what_was_written_is_there(&reader.isolated.work_dir, host, has);
    for folder in [
        "apply",
        "apply-flat",
        "apply-secret",
        "apply-patch",
        "apply-openshift",
    ] {
        the_folders_own_readme_works(&reader.isolated, folder);
    }
}

#[test]
fn every_command_of_the_document_runs_and_leaves_what_kubectl_needs() {
    let destination = Registry::start();
    let write = |work_dir: &WorkDir| {
        fs::create_dir_all(work_dir.path("manifests/ocp")).unwrap();
        for (name, text) in FIXTURES {
            work_dir.write(name, text);
        }
    };
    let has =
        |repository: &str, selector: &str| destination.manifest(repository, selector).is_some();
    follow(&destination.host(), &write, &has);
}

#[test]
fn the_document_holds_for_the_releases_own_manifests_and_a_real_registry() {
    let (Some(shared), Some(registry)) = (shared_data(), RealRegistry::distribution2()) else {
        return;
    };
    let from = shared.join("data/calico/manifests/v3.32.1");
    let write = |work_dir: &WorkDir| copy(&from, &work_dir.path("manifests"));
    // What it stores says what it answers, and takes nobody's word for it.
    let stored = registry.storage().join("docker/registry/v2/repositories");
    let has = |repository: &str, selector: &str| {
        let manifests = stored.join(repository).join("_manifests");
        let link = match selector.split_once(':') {
            Some((algorithm, hex)) => format!("revisions/{algorithm}/{hex}/link"),
            None => format!("tags/{selector}/current/link"),
        };
        manifests.join(link).is_file()
    };
    follow(&registry.host(), &write, &has);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn no_command_hides_outside_of_a_block() {
    let mut inside = false;
    for line in DOCUMENT.lines() {
        inside ^= line.starts_with("```");
        if inside {
            continue;
        }
        assert!(!line.starts_with("    "), "{line}");
        for code in line.split('`').skip(1).step_by(2) {
            assert!(!code.starts_with("sealift "), "{line}");
        }
    }
}
