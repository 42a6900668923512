//! `docs/serving.md` as a person follows it: servers stay up until the next one is started, and podman and skopeo
//! pull from them.
//!
//! A server on loopback stands in for `10.0.0.5:5000`. Blocks of `sh isolated untested` are for programs that are not
//! here; the page says so.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sealift_testkit::real::require;
use sealift_testkit::{ImageMaker, Registry};

use crate::calico_docs::{Side, blocks, commands};

const PAGE: &str = include_str!("../../docs/serving.md");

/// Where the page's server listens.
const ADDRESS: &str = "10.0.0.5:5000";

/// The publisher's registry in the page.
const PUBLISHER: &str = "registry.example.com";

struct Reader {
    side: Side,
    source: Registry,
    server: Option<(Child, String)>,
    /// Which commands of the page were run: the first word of each, and the second of sealift's.
    run: Vec<String>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Reader {
    fn new() -> Self {
        let (mut side, source) = (Side::new(), Registry::start());
        ImageMaker::new("web")
            .platforms(&["linux/amd64", "linux/arm64"])
            .make()
            .put_into(&source, "shop/web", Some("1.4"));
        let folder = side.work_dir.folder().to_owned();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
            folder.display()
        );
        side.work_dir.write("storage.conf", storage);
        side.work_dir.write("auth.json", "{}");
        for (name, file) in [
            ("CONTAINERS_STORAGE_CONF", "storage.conf"),
            ("REGISTRY_AUTH_FILE", "auth.json"),
        ] {
            let path = folder.join(file).display().to_string();
            side.variables.insert(name.to_owned(), path);
        }
        Self {
            side,
            source,
            server: None,
            run: Vec::new(),
        }
    }

    fn stop(&mut self) {
        if let Some((mut server, _)) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    fn line(&mut self, line: &str) {
        let line = line.replace(PUBLISHER, &self.source.host());
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["sealift", "serve", ..] => self.serve(&words[1..]),
            ["podman" | "skopeo", ..] if require(words[0]).is_none() => return,
            _ => {
                let address = self.server.as_ref().map_or("", |(_, address)| address);
                self.side.run(&line.replace(ADDRESS, address));
            }
        }
        let named = if words[0] == "sealift" { 2 } else { 1 };
        self.run.push(words[..named].join(" "));
    }

    fn serve(&mut self, arguments: &[&str]) {
        self.stop();
        let free: Vec<&str> = arguments
            .iter()
            .map(|word| {
                if *word == ADDRESS {
                    "127.0.0.1:0"
                } else {
                    word
                }
            })
            .collect();
        assert!(free.contains(&"127.0.0.1:0"), "{arguments:?}");
        let log = self.side.work_dir.path("serving.log");
        let server = self
            .side
            .work_dir
            .command(&free)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.server = Some((server, address(&log)));
    }
}

/// The address that a server wrote to its log.
fn address(log: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let text = fs::read_to_string(log).unwrap();
        if text.ends_with('\n') {
            let address = text.split([' ', ';']).nth(4);
            return address.unwrap_or_else(|| panic!("{text}")).to_owned();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the server does not begin");
}

#[test]
fn every_command_of_the_page_that_can_be_run_here_runs() {
    let mut reader = Reader::new();
    for block in blocks(PAGE) {
        match block.words.as_slice() {
            ["sh", "connected" | "isolated"] => {
                for line in commands(&block.text) {
                    reader.line(&line);
                }
            }
            ["sh", "isolated", "untested"] => {
                for line in commands(&block.text) {
                    let program = line.split_whitespace().next().unwrap();
                    assert!(["ctr", "docker", "install"].contains(&program), "{line}");
                }
            }
            ["text", name] => reader.side.work_dir.write(name, &block.text),
            other => panic!("a block of {other:?}"),
        }
    }
    for expected in [
        "sealift serve",
        "sealift mirror",
        "sealift export",
        "grep",
        "cmp",
    ] {
        assert!(reader.run.iter().any(|run| run == expected), "{expected}");
    }
}
