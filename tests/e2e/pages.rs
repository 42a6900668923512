//! The pages of the book and the README as a person follows them: every command in them is run, in the order of
//! the page, on the side that it is written for.
//!
//! The words after the three ticks of a block say what it is: `sh connected` and `sh isolated` are commands,
//! plain `sh` sets variables on both sides, `yaml NAME` and `text NAME` are files that the reader writes, `sh install` is covered by `cargo xtask dist --check`. Registries on loopback stand in for the
//! publishers' and for `registry.corp:5000`; before a `bundle` runs, the images that it names are published.
//! `docs/calico.md`, `docs/products.md` and `docs/serving.md` have tests of their own, which also check what was written.

use std::collections::BTreeSet;
use std::path::Path;

use sealift_testkit::{ImageMaker, Layer, Registry};

use crate::calico_docs::{Side, blocks, commands};
use crate::support::names;

/// A page, and files that it speaks of and does not show.
struct Page {
    name: &'static str,
    text: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - {name: cart, image: 'registry.example.com/shop/cart:2.0'}
";

/// A page that shows every file that it speaks of.
const fn page(name: &'static str, text: &'static str) -> Page {
    Page {
        name,
        text,
        files: &[],
    }
}

const PAGES: &[Page] = &[
    Page {
        name: "README.md",
        text: include_str!("../../README.md"),
        files: &[
            ("deployment.yaml", DEPLOYMENT),
            (
                "manifests/operator-crds.yaml",
                include_str!("../fixtures/calico/operator-crds.yaml"),
            ),
            (
                "manifests/tigera-operator.yaml",
                include_str!("../fixtures/calico/tigera-operator.yaml"),
            ),
            (
                "manifests/custom-resources.yaml",
                include_str!("../fixtures/calico/custom-resources.yaml"),
            ),
        ],
    },
    page("docs/install.md", include_str!("../../docs/install.md")),
    page("docs/usage.md", include_str!("../../docs/usage.md")),
    page(
        "docs/monthly-update.md",
        include_str!("../../docs/monthly-update.md"),
    ),
    page(
        "docs/inspecting.md",
        include_str!("../../docs/inspecting.md"),
    ),
    page("docs/delta.md", include_str!("../../docs/delta.md")),
    page(
        "docs/small-media.md",
        include_str!("../../docs/small-media.md"),
    ),
    page("docs/mirrors.md", include_str!("../../docs/mirrors.md")),
    page("docs/openshift.md", include_str!("../../docs/openshift.md")),
    page(
        "docs/from-hauler.md",
        include_str!("../../docs/from-hauler.md"),
    ),
    page("docs/from-zarf.md", include_str!("../../docs/from-zarf.md")),
    page(
        "docs/from-skopeo.md",
        include_str!("../../docs/from-skopeo.md"),
    ),
    page(
        "docs/from-oc-mirror.md",
        include_str!("../../docs/from-oc-mirror.md"),
    ),
    page("docs/identity.md", include_str!("../../docs/identity.md")),
    page(
        "docs/threat-model.md",
        include_str!("../../docs/threat-model.md"),
    ),
    page(
        "docs/comparison.md",
        include_str!("../../docs/comparison.md"),
    ),
    page("docs/glossary.md", include_str!("../../docs/glossary.md")),
];

/// Pages without commands.
const TEXTS: [&str; 4] = [
    "docs/identity.md",
    "docs/threat-model.md",
    "docs/comparison.md",
    "docs/glossary.md",
];

/// Hosts of publishers, which the source registry stands in for.
const PUBLISHERS: [&str; 4] = ["docker.io", "quay.io", "ghcr.io", "registry.k8s.io"];

/// The publisher in the pages who does not exist, so that every mention is meant.
const EXAMPLE: &str = "registry.example.com";

/// The destination in the pages.
const DESTINATION: &str = "registry.corp:5000";

/// Programs of others that the pages mention: their lines are not run.
const OTHERS: [&str; 7] = ["kubectl", "helm", "podman", "docker", "skopeo", "ctr", "oc"];

/// Programs that `sh install` blocks call.
const INSTALLERS: [&str; 9] = [
    "cargo",
    "tar",
    "install",
    "dpkg",
    "sha256sum",
    "rustup",
    "apt-get",
    "mdbook",
    "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc",
];

struct Reader {
    connected: Side,
    isolated: Side,
    source: Registry,
    destination: Registry,
    published: BTreeSet<String>,
    run: usize,
}

impl Reader {
    fn new(page: &Page) -> Self {
        let reader = Self {
            connected: Side::new(),
            isolated: Side::new(),
            source: Registry::start(),
            destination: Registry::start(),
            published: BTreeSet::new(),
            run: 0,
        };
        for (name, text) in page.files {
            if name.starts_with("manifests/") {
                // Of a product's release, which is only on the connected side.
                let work_dir = &reader.connected.work_dir;
                std::fs::create_dir_all(work_dir.path("manifests")).unwrap();
                work_dir.write(name, text);
            } else {
                reader.write(name, text);
            }
        }
        reader
    }

    /// Writes a file on both sides; the images that it names are at the source registry.
    fn write(&self, name: &str, text: &str) {
        for side in [&self.connected, &self.isolated] {
            side.work_dir.write(name, self.publishers(text));
        }
    }

    /// `text` with the source registry in the place of every publisher's.
    fn publishers(&self, text: &str) -> String {
        let text = text.replace(EXAMPLE, &self.source.host());
        PUBLISHERS.iter().fold(text, |text, host| {
            text.replace(&format!("{host}/"), &format!("{}/", self.source.host()))
        })
    }

    fn follow(&mut self, page: &Page) {
        for block in blocks(page.text) {
            match block.words.as_slice() {
                ["sh"] => self.variables(&block.text),
                ["sh", "connected"] => self.connected(&block.text),
                ["sh", "isolated"] => self.isolated(&block.text),
                ["sh", "install"] => {
                    for line in commands(&block.text) {
                        let program = line.split_whitespace().next().unwrap();
                        assert!(INSTALLERS.contains(&program), "{}: {line}", page.name);
                    }
                }
                ["yaml" | "text", name] => self.write(name, &block.text),
                ["text" | "json" | "yaml"] => {}
                other => panic!("{}: a block of {other:?}", page.name),
            }
        }
    }

    fn variables(&mut self, text: &str) {
        for line in commands(text) {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            let value = value.replace(DESTINATION, &self.destination.host());
            for side in [&mut self.connected, &mut self.isolated] {
                side.variables.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn connected(&mut self, text: &str) {
        for line in commands(text) {
            if line.starts_with("sealift bundle ") {
                let line = self.publishers(&line);
                self.publish(&line);
                let mirror = if line.contains("--product ") {
                    format!(" --product-mirror {}", self.source.host())
                } else {
                    String::new()
                };
                self.connected.run(&format!("{line}{mirror}"));
                self.run += 1;
            } else {
                run(&self.connected, &line, &mut self.run);
            }
        }
        self.carry();
    }

    /// Publishes the images that a `bundle` names.
    fn publish(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().skip(2).collect();
        let list = self
            .connected
            .work_dir
            .ok(&[&["images"], sources(&words).as_slice()].concat());
        for image in list.lines() {
            if !self.published.insert(image.to_owned()) {
                continue;
            }
            let (name, tag) = image.rsplit_once(':').unwrap();
            let (_, repository) = name.split_once('/').unwrap();
            ImageMaker::new(image)
                .layer(Layer::gzip("base", 20_000).everywhere())
                .layer(Layer::gzip(image, 500).file(repository, 3_000))
                .platforms(&["linux/amd64", "linux/arm64"])
                .make()
                .put_into(&self.source, repository, Some(tag));
        }
    }

    /// Files that a person carries across, with their folders: bundles and what lists their checksums.
    fn carry(&self) {
        let (from, to) = (&self.connected.work_dir, &self.isolated.work_dir);
        for name in from.names() {
            let carried = !name.starts_with('.') && name != "manifests";
            if carried && from.path(&name).is_dir() {
                std::fs::create_dir_all(to.path(&name)).unwrap();
                carry_files(&from.path(&name), &to.path(&name));
            }
        }
        carry_files(from.folder(), to.folder());
    }

    fn isolated(&mut self, text: &str) {
        for line in commands(text) {
            let line = line.replace(DESTINATION, &self.destination.host());
            let line = if line.starts_with("sealift serve ") {
                served(&line)
            } else {
                line
            };
            run(&self.isolated, &line, &mut self.run);
        }
    }
}

fn carry_files(from: &Path, to: &Path) {
    for name in names(from) {
        if name.contains(".tar") && from.join(&name).is_file() || name.starts_with("SHA256SUMS") {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// A command that serves until it is stopped: here, on a free port and until it says that it serves.
fn served(line: &str) -> String {
    let (before, address) = line.split_once("--listen ").unwrap();
    let rest = address.split_once(' ').map_or("", |(_, rest)| rest);
    format!(
        "{before}--listen 127.0.0.1:0 {rest} > serving.log & server=$!
        until grep -q ^serving serving.log; do kill -0 $server; sleep 0.1; done
        kill $server; wait $server"
    )
}

fn run(side: &Side, line: &str, count: &mut usize) {
    let program = line.split_whitespace().next().unwrap();
    if !OTHERS.contains(&program) {
        side.run(line);
        *count += 1;
    }
}

/// The arguments that `images` understands too.
fn sources<'w>(words: &[&'w str]) -> Vec<&'w str> {
    const KEPT: [&str; 6] = [
        "-f",
        "--file",
        "--product",
        "--with",
        "--without",
        "--product-data",
    ];
    const FLAGS: [&str; 8] = [
        "--dry-run",
        "--print-request",
        "--json",
        "--quiet",
        "--force",
        "--with-sealift",
        "--checksums",
        "--no-referrers",
    ];
    let mut sources = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "-r" {
            sources.push("-f");
            sources.extend(words.next());
        } else if KEPT.contains(word) {
            sources.push(*word);
            sources.extend(words.next());
        } else if !word.starts_with('-') {
            sources.push(*word);
        } else if !FLAGS.contains(word) {
            words.next();
        }
    }
    sources
}

#[test]
fn every_command_of_every_page_runs() {
    for page in PAGES {
        let mut reader = Reader::new(page);
        reader.follow(page);
        let text = TEXTS.contains(&page.name);
        assert_eq!(
            reader.run == 0,
            text,
            "{}: {} were run",
            page.name,
            reader.run
        );
    }
}

#[test]
fn no_command_hides_outside_of_a_block() {
    for page in PAGES {
        let mut inside = false;
        for line in page.text.lines() {
            inside ^= line.starts_with("```");
            if inside {
                continue;
            }
            let name = page.name;
            assert!(!line.starts_with("    sealift"), "{name}: {line}");
            for code in line.split('`').skip(1).step_by(2) {
                // The name of a command is not a command to run, nor is one with placeholders in capitals.
                let words: Vec<&str> = code.split_whitespace().collect();
                let placeholder = |word: &&str| {
                    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '.')
                };
                let named = words.len() <= 2 || words.iter().any(placeholder);
                assert!(!code.starts_with("sealift ") || named, "{name}: {line}");
            }
        }
    }
}
