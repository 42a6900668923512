//! What is given changed content, and what has to hold afterwards.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealift_archive::{Bundle, Reading, Record, open_local, verify};
use sealift_imagerefs::{Relocation, find, plan_rewrite};
use sealift_oci::{Descriptor, Destination, Digest, Manifest, Naming, Reference};
use sealift_pipeline::{Budget, Cancel, NoObserver};
use sealift_registry::{Client, ClientOptions, RetryPolicy};
use tempfile::TempDir;

use super::{codecs, lock};

/// A reader of content from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Bundle,
    Record,
    Manifest,
    Reference,
    Images,
    Response,
    DockerSave,
    Program,
    Module,
    Streams,
}

pub(super) const TARGETS: [Target; 10] = [
    Target::Bundle,
    Target::Record,
    Target::Manifest,
    Target::Reference,
    Target::Images,
    Target::Response,
    Target::DockerSave,
    Target::Program,
    Target::Module,
    Target::Streams,
];

pub(super) const REFERENCES: [&str; 6] = [
    "docker.io/library/alpine:3.20",
    "alpine",
    "registry.example:5000/a/b-c.d__e:v1.2.3-rc.1_x",
    "quay.io/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "[::1]:5000/x/y:z@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "localhost/a:b",
];

pub(super) const TEXTS: [&str; 5] = [
    "apiVersion: v1\nkind: Pod\nspec:\n  initContainers: [{image: 'a/b:c'}]\n  containers:\n  - name: x\n    image: quay.io/x/y:1 # why\n    args: [\"--image=a/b:c\"]\n",
    "global:\n  registry: r.example\nimage: &i\n  repository: a/b\n  tag: \"1.0\"\nother:\n  <<: *i\n  digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    "# a list\ndocker.io/library/alpine:3.20\nquay.io/x/y@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    "kind: Kustomization\nimages:\n- name: a/b\n  newName: c/d\n  newTag: v1\npatches:\n- patch: |-\n    - op: replace\n      path: /spec/template/spec/containers/0/image\n      value: e/f:g\n",
    "{\"kind\": \"List\", \"items\": [{\"kind\": \"Pod\", \"spec\": {\"containers\": [{\"image\": \"a/b:c\"}]}}]}\n",
];

pub(super) const RESPONSES: [&str; 7] = [
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://HOST/token\",service=\"s\",scope=\"repository:a/b:pull\"\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\", Bearer realm=\"http://HOST/t\"\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\nContent-Length: 53\r\n\r\n{\"schemaVersion\":2,\"layers\":[],\"config\":{\"size\":2}}\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"unknown\"}]}\r\n\r\n",
    "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://HOST/v2/a/b/blobs/x?y=z\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLink: </v2/a/b/tags/list?n=1&last=x>; rel=\"next\"\r\n\r\n1c\r\n{\"name\":\"a/b\",\"tags\":[\"x\"]}\n\r\n0\r\n\r\n",
    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nabcde",
];

/// What the targets need: a folder, and a server that answers with the current response.
pub(super) struct Tools {
    folder: TempDir,
    address: SocketAddr,
    response: Arc<Mutex<Vec<u8>>>,
}

impl Tools {
    pub(super) fn new() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let response = Arc::new(Mutex::new(Vec::new()));
        let current = Arc::clone(&response);
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away is its own affair.
                drop(answer(stream, &lock(&current).clone()));
            }
        })?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            address,
            response,
        })
    }

    fn reading(&self) -> Reading {
        sealift_archive::Resources {
            budget: Budget::new(2, 2),
            scratch: self.folder.path().to_owned(),
            cancel: Cancel::new(),
        }
        .into()
    }
}

fn answer(mut stream: TcpStream, response: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = [0; 4096];
    if stream.read(&mut request)? > 0 {
        stream.write_all(response)?;
    }
    Ok(())
}

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundles",
            Self::Record => "records",
            Self::Manifest => "manifests",
            Self::Reference => "references",
            Self::Images => "files with images",
            Self::Response => "responses of registries",
            Self::DockerSave => "docker save archives",
            Self::Program => "programs",
            Self::Module => "compiled Python modules",
            Self::Streams => "streams of codecs",
        }
    }

    /// Reads `input`, which was made from `good`; whether it was accepted, or what is wrong with that.
    pub(super) fn attempt(self, input: &[u8], good: &[u8], tools: &Tools) -> Result<bool, String> {
        match self {
            Self::Bundle => bundle(input, good, tools),
            Self::Record => match Record::parse(input) {
                Ok(record) if record.to_bytes() == input => Ok(true),
                Ok(_) => Err("a record has two forms".to_owned()),
                Err(_) => Ok(false),
            },
            Self::Manifest => match Manifest::parse(input.to_vec(), None) {
                Ok(manifest) if *manifest.digest() == Digest::sha256(input) => Ok(true),
                Ok(_) => Err("a manifest has another digest than its bytes".to_owned()),
                Err(_) => Ok(false),
            },
            Self::Reference => reference(input),
            Self::Images => images(input),
            Self::Response => Ok(response(input, tools)),
            Self::DockerSave => docker_save(input, tools),
            Self::Program => codecs::program(input, good),
            Self::Module => codecs::module(input, good),
            Self::Streams => Ok(codecs::decodes(input, good)),
        }
    }
}

/// Every byte of a bundle is determined: a changed one is refused when it is opened or verified.
fn bundle(input: &[u8], good: &[u8], tools: &Tools) -> Result<bool, String> {
    let reading = tools.reading();
    let Ok(bundle) = Bundle::from_reader(Arc::new(input.to_vec()), "bundle", &reading) else {
        return Ok(false);
    };
    let report = verify(
        &bundle,
        false,
        &reading.resources.budget,
        &reading.resources.cancel,
        &NoObserver,
    );
    let intact = report.is_ok_and(|report| report.problems.is_empty());
    if intact && input != good {
        return Err("a changed bundle passes for an intact one".to_owned());
    }
    Ok(intact)
}

/// What is a reference means the same when it is written and read again.
fn reference(input: &[u8]) -> Result<bool, String> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    let Ok(first) = text.parse::<Reference>() else {
        return Ok(false);
    };
    match first.to_string().parse::<Reference>() {
        Ok(second) if second == first => Ok(true),
        _ => Err(format!(
            "{text:?} is read as {first}, which is read as something else"
        )),
    }
}

/// A rewritten file has nothing left to rewrite.
fn images(input: &[u8]) -> Result<bool, String> {
    let naming = Naming::default();
    let destination: Destination = "r.corp:5000/m".parse().map_err(|_| "no destination")?;
    let relocation = Relocation::new(&destination, &naming);
    if find("file", input).is_err() {
        return Ok(false);
    }
    let Ok(plan) = plan_rewrite("file", input, &relocation) else {
        return Ok(false);
    };
    let Ok(rewritten) = plan.apply(input) else {
        return Ok(false);
    };
    match plan_rewrite("file", &rewritten, &relocation) {
        Ok(again) if again.replaced.is_empty() => Ok(true),
        Ok(_) => Err("a rewritten file is rewritten again".to_owned()),
        Err(error) => Err(format!("a rewritten file cannot be read: {error}")),
    }
}

/// Asks a server that answers every request with `input`; whether any answer was good.
fn response(input: &[u8], tools: &Tools) -> bool {
    let host = tools.address.to_string();
    let text: Vec<u8> = String::from_utf8_lossy(input)
        .replace("HOST", &host)
        .into_bytes();
    // What is not text is sent as it is.
    let sent = if std::str::from_utf8(input).is_ok() {
        text
    } else {
        input.to_vec()
    };
    *lock(&tools.response) = sent;
    let client = Client::new(ClientOptions {
        retry: RetryPolicy {
            retries: 0,
            ..RetryPolicy::default()
        },
        idle_timeout: Duration::from_millis(500),
        ..ClientOptions::default()
    });
    let Ok(repository) = client.repository(&host, "a/b") else {
        return false;
    };
    let digest = Digest::sha256(b"x");
    let blob = repository.blob(&Descriptor::new("application/octet-stream", digest, 10), 5);
    let read = blob
        .map(|mut body| std::io::copy(&mut (&mut body.reader).take(1 << 20), &mut std::io::sink()));
    let answers = [
        repository.manifest("v1").is_ok(),
        repository
            .head_manifest("v1")
            .is_ok_and(|found| found.is_some()),
        repository.tags().is_ok(),
        repository
            .referrers(&digest)
            .is_ok_and(|found| !found.is_empty()),
        matches!(read, Ok(Ok(_))),
    ];
    answers.contains(&true)
}

/// What is accepted can be read.
fn docker_save(input: &[u8], tools: &Tools) -> Result<bool, String> {
    let path = tools.folder.path().join("archive.tar");
    fs::write(&path, input).map_err(|error| error.to_string())?;
    let Ok(images) = open_local(&path, &tools.reading()) else {
        return Ok(false);
    };
    for image in images.images() {
        if images.manifest(&image.descriptor).is_err() {
            return Err("an image of an accepted archive has no manifest".to_owned());
        }
    }
    Ok(true)
}

/// A small archive as `docker save` writes it.
pub(super) fn docker_archive() -> Result<Vec<u8>, Box<dyn Error>> {
    let layer = layer()?;
    let diff = Digest::sha256(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#
    );
    let name = Digest::sha256(config.as_bytes()).hex();
    let list =
        format!(r#"[{{"Config":"{name}.json","RepoTags":["a/b:c"],"Layers":["l/layer.tar"]}}]"#);
    let mut archive = tar::Builder::new(Vec::new());
    let entries: [(String, &[u8]); 3] = [
        (format!("{name}.json"), config.as_bytes()),
        ("l/layer.tar".to_owned(), &layer),
        ("manifest.json".to_owned(), list.as_bytes()),
    ];
    for (name, content) in entries {
        append(&mut archive, &name, content)?;
    }
    Ok(archive.into_inner()?)
}

fn layer() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "etc/motd", b"hello\n")?;
    Ok(layer.into_inner()?)
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content)
}
