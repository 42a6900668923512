//! A bundle as a registry: what a read-only registry owes its clients (distribution-spec, "Pull" and
//! "Content discovery"), and other people's clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use sealift_testkit::real::{Podman, Skopeo};
use sealift_testkit::{Artifact, Image, ImageMaker, Layer, Registry, cosign};
use serde_json::Value;

use crate::support::WorkDir;

/// A served bundle; the server ends with the value.
pub(crate) struct Served {
    server: Child,
    pub(crate) host: String,
    /// What the server printed when it began.
    pub(crate) printed: Vec<String>,
    pub(crate) image: Image,
    sbom: Image,
    pub(crate) work_dir: WorkDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// An answer over a bare socket.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn served() -> Served {
    served_with(WorkDir::new(), &[], 2)
}

/// The usual bundle, served with more options, which make the server print `lines` lines.
pub(crate) fn served_with(work_dir: WorkDir, options: &[&str], lines: usize) -> Served {
    let (image, sbom) = bundle(&work_dir);
    serve(work_dir, image, sbom, options, lines)
}

/// Writes `app.tar`: two images, one of them with an SBOM and a signature.
pub(crate) fn bundle(work_dir: &WorkDir) -> (Image, Image) {
    let source = Registry::start();
    let image = ImageMaker::new("app")
        .platforms(&["linux/amd64", "linux/arm64"])
        .layer(Layer::gzip("app", 700_000))
        .make();
    let sbom = Artifact::new("application/spdx+json")
        .file("application/spdx+json", "sbom.json", "{}")
        .subject(&image.root)
        .make();
    let signature = cosign(&image.root, "sig");
    let all = image.clone().with(sbom.clone()).with(signature);
    all.put_into(&source, "team/app", Some("v1"));
    ImageMaker::new("other")
        .docker()
        .make()
        .put_into(&source, "team/other", Some("v2"));
    let images = [
        source.reference("team/app", "v1"),
        source.reference("team/other", "v2"),
    ];
    work_dir.ok(&["bundle", &images[0], &images[1], "-o", "app.tar", "--quiet"]);
    (image, sbom)
}

fn serve(work_dir: WorkDir, image: Image, sbom: Image, options: &[&str], lines: usize) -> Served {
    let command = ["serve", "app.tar", "--listen", "127.0.0.1:0", "--quiet"];
    let mut server = work_dir
        .command(&[&command, options].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(server.stdout.take().unwrap());
    let printed: Vec<String> = output.lines().take(lines).map(Result::unwrap).collect();
    let address = printed[0].split([' ', ';']).nth(4);
    let host = address
        .unwrap_or_else(|| panic!("no address in {printed:?}"))
        .to_owned();
    Served {
        server,
        host,
        printed,
        image,
        sbom,
        work_dir,
    }
}

impl Served {
    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let lines: Vec<String> = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n",
            self.host,
            lines.concat()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        let _ = reader.read_line(&mut line);
        // A connection that is cut before the head has no status.
        let status = line
            .split(' ')
            .nth(1)
            .map_or(0, |code| code.parse().unwrap());
        let mut headers = Vec::new();
        loop {
            line.clear();
            let _ = reader.read_line(&mut line);
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let mut body = Vec::new();
        // What came before a cut counts; whoever asked compares it with what was due.
        let _ = reader.read_to_end(&mut body);
        Answer {
            status,
            headers,
            body,
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    fn layer(&self) -> (String, Vec<u8>) {
        let layer = self.image.blobs.iter().max_by_key(|(_, bytes)| bytes.len());
        let (digest, bytes) = layer.unwrap();
        (digest.to_string(), bytes.to_vec())
    }
}

#[test]
fn manifests_are_served_by_tag_and_by_digest_with_their_type_and_digest() {
    let served = served();
    assert_eq!(served.get("/v2/").status, 200);
    let digest = served.image.digest().to_string();
    for selector in ["v1", digest.as_str()] {
        let path = format!("/v2/team/app/manifests/{selector}");
        let (head, get) = (served.ask("HEAD", &path, &[]), served.get(&path));
        for answer in [&head, &get] {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("docker-content-digest"), digest);
            assert_eq!(answer.header("content-type"), served.image.root.media_type);
            assert_eq!(
                answer.header("content-length"),
                served.image.root.size.to_string()
            );
        }
        assert!(head.body.is_empty());
        let made = served.image.manifest(&served.image.digest()).unwrap();
        assert_eq!(get.body, &made.bytes[..]);
    }
    for child in served.image.children() {
        let path = format!("/v2/team/app/manifests/{}", child.digest);
        assert_eq!(served.get(&path).status, 200);
    }
}

#[test]
fn blobs_are_served_whole_and_in_ranges() {
    let served = served();
    let (digest, bytes) = served.layer();
    let path = format!("/v2/team/app/blobs/{digest}");
    let whole = served.get(&path);
    assert_eq!(
        (whole.status, whole.header("docker-content-digest")),
        (200, digest.as_str())
    );
    assert!(whole.body == bytes);
    let head = served.ask("HEAD", &path, &[]);
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    for (range, expected) in [
        ("bytes=0-0", &bytes[..1]),
        ("bytes=10-19", &bytes[10..20]),
        ("bytes=100000-", &bytes[100_000..]),
        ("bytes=-7", &bytes[bytes.len() - 7..]),
    ] {
        let part = served.ask("GET", &path, &[&format!("Range: {range}")]);
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == expected, "{range}");
        assert!(
            part.header("content-range")
                .ends_with(&format!("/{}", bytes.len()))
        );
    }
    let outside = served.ask("GET", &path, &[&format!("Range: bytes={}-", bytes.len())]);
    assert_eq!(outside.status, 416);
    let known = served.ask("GET", &path, &[&format!("If-None-Match: \"{digest}\"")]);
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn what_is_not_there_is_answered_in_the_specifications_form() {
    let served = served();
    let nothing = format!("sha256:{}", "0".repeat(64));
    for (path, status, code) in [
        (
            "/v2/team/app/manifests/v9".to_owned(),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            format!("/v2/team/app/manifests/{nothing}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (format!("/v2/team/app/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        (
            "/v2/team/app/blobs/sha256:0".to_owned(),
            400,
            "DIGEST_INVALID",
        ),
        (
            "/v2/team/app/manifests/sha256:0".to_owned(),
            400,
            "DIGEST_INVALID",
        ),
        ("/v2/nobody/manifests/v1".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/nobody/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/../../etc/passwd".to_owned(), 404, "UNSUPPORTED"),
        ("/v2/%ff".to_owned(), 400, "NAME_INVALID"),
    ] {
        let answer = served.get(&path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["errors"][0]["code"], code, "{path}");
    }
    // A blob of another repository is not here.
    let (digest, _) = served.layer();
    assert_eq!(
        served.get(&format!("/v2/team/other/blobs/{digest}")).status,
        404
    );
}

#[test]
fn every_write_is_refused() {
    let served = served();
    for (method, path) in [
        ("POST", "/v2/team/app/blobs/uploads/"),
        ("PUT", "/v2/team/app/manifests/v1"),
        ("PATCH", "/v2/team/app/blobs/uploads/x"),
        ("DELETE", "/v2/team/app/manifests/v1"),
    ] {
        let answer = served.ask(method, path, &["Content-Length: 0"]);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.json()["errors"][0]["code"], "UNSUPPORTED");
    }
}

#[test]
fn tags_and_repositories_come_in_pages() {
    let served = served();
    let tags = served.get("/v2/team/app/tags/list").json();
    let signature = served.image.digest().to_string().replace(':', "-") + ".sig";
    assert_eq!(tags["tags"], serde_json::json!([signature, "v1"]));
    let first = served.get("/v2/team/app/tags/list?n=1");
    assert_eq!(first.json()["tags"].as_array().unwrap().len(), 1);
    let link = first.header("link");
    let next = link.split(['<', '>']).nth(1).unwrap();
    assert!(link.ends_with("rel=\"next\""), "{link}");
    let second = served.get(next);
    assert_eq!(second.json()["tags"], serde_json::json!(["v1"]));
    assert_eq!(second.header("link"), "");
    let all = served.get("/v2/_catalog").json();
    assert_eq!(
        all["repositories"],
        serde_json::json!(["team/app", "team/other"])
    );
    let page = served.get("/v2/_catalog?n=1&last=team/app").json();
    assert_eq!(page["repositories"], serde_json::json!(["team/other"]));
}

#[test]
fn referrers_are_listed_and_filtered() {
    let served = served();
    let path = format!("/v2/team/app/referrers/{}", served.image.digest());
    let all = served.get(&path);
    assert_eq!(
        all.header("content-type"),
        "application/vnd.oci.image.index.v1+json"
    );
    let listed = &all.json()["manifests"];
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["digest"], served.sbom.digest().to_string());
    assert_eq!(listed[0]["artifactType"], "application/spdx+json");
    let other = served.get(&format!("{path}?artifactType=a%2Fb"));
    assert_eq!(other.header("oci-filters-applied"), "artifactType");
    assert_eq!(other.json()["manifests"], serde_json::json!([]));
    let unknown = format!("/v2/team/app/referrers/sha256:{}", "0".repeat(64));
    assert_eq!(
        served.get(&unknown).json()["manifests"],
        serde_json::json!([])
    );
}

#[test]
fn a_damaged_blob_is_never_served_to_its_end() {
    let Served {
        work_dir,
        image,
        sbom,
        ..
    } = &served();
    let layer = image.blobs.iter().max_by_key(|(_, bytes)| bytes.len());
    let (digest, bytes) = layer.unwrap();
    let mut damaged = work_dir.read("app.tar");
    let at = damaged
        .windows(64)
        .position(|part| part == &bytes[1000..1064])
        .unwrap();
    damaged[at] ^= 1;
    let other = WorkDir::new();
    other.write("app.tar", &damaged);
    let served = serve(other, image.clone(), sbom.clone(), &[], 2);
    let path = format!("/v2/team/app/blobs/{digest}");
    assert!(served.get(&path).body.len() < bytes.len());
    let part = served.ask("GET", &path, &["Range: bytes=0-9"]);
    assert!(part.body.len() < 10);
}

#[test]
fn skopeo_podman_and_sealift_pull_from_it() {
    let served = served();
    let Some(skopeo) = Skopeo::find() else { return };
    let destination = Registry::start();
    for (name, copy) in [("team/app:v1", "a"), ("team/other:v2", "b")] {
        let from = format!("docker://{}/{name}", served.host);
        skopeo.copy(&from, &format!("docker://{}/{copy}:x", destination.host()));
    }
    assert_eq!(destination.tagged("a", "x"), Some(served.image.digest()));
    let Some(podman) = Podman::find() else { return };
    podman.run_ok(&[
        "pull",
        "--quiet",
        "--tls-verify=false",
        &format!("{}/team/app:v1", served.host),
    ]);
    let image = format!("{}/team/app:v1", served.host);
    let again = ["bundle", &image, "-o", "again.tar", "--quiet"];
    served.work_dir.ok(&again);
    let inspection = served.work_dir.json(&["inspect", "--json", "again.tar"]);
    let image = &inspection["images"][0];
    assert_eq!(image["digest"], served.image.digest().to_string());
    assert_eq!(image["referrers"].as_array().unwrap().len(), 2);
}

#[test]
fn of_selected_platforms_the_publishers_index_is_served_by_tag_and_by_digest() {
    for (more, publishers) in [(&[][..], true), (&["--publisher-index", "never"], false)] {
        let served = served();
        let source = Registry::start();
        served.image.put_into(&source, "team/app", Some("v1"));
        let reference = source.reference("team/app", "v1");
        let selected = ["--platform", "linux/arm64", "-o", "app.tar", "--force"];
        let bundle = [&["bundle", &reference][..], &selected].concat();
        served.work_dir.ok(&bundle);
        let publisher = served.image.digest().to_string();
        let work_dir = WorkDir::new();
        work_dir.write("app.tar", served.work_dir.read("app.tar"));
        let (image, sbom) = (served.image.clone(), served.sbom.clone());
        let served = serve(work_dir, image, sbom, more, 1);
        let tagged = served.ask("GET", "/v2/team/app/manifests/v1", &[]);
        assert_eq!(tagged.status, 200);
        let digest = tagged.header("docker-content-digest");
        assert_eq!(digest == publisher, publishers, "{digest}");
        let path = format!("/v2/team/app/manifests/{publisher}");
        let by_digest = served.ask("GET", &path, &[]);
        assert_eq!(by_digest.header("docker-content-digest"), publisher);
        let children = |answer: &Answer| {
            let index = answer.json();
            let children = index["manifests"].as_array().unwrap().clone();
            let digests = children
                .iter()
                .map(|one| one["digest"].as_str().unwrap().to_owned());
            digests.collect::<Vec<String>>()
        };
        assert_eq!(children(&by_digest).len(), 2);
        let statuses = children(&tagged)
            .iter()
            .map(|digest| {
                let path = format!("/v2/team/app/manifests/{digest}");
                served.ask("GET", &path, &[]).status
            })
            .collect::<Vec<u16>>();
        let expected: &[u16] = if publishers { &[404, 200] } else { &[200] };
        assert_eq!(statuses, expected);
    }
}

#[test]
fn what_is_served_is_not_written_to() {
    let work_dir = WorkDir::new();
    let _ = bundle(&work_dir);
    let before = work_dir.read("app.tar");
    std::os::unix::fs::symlink("app.tar", work_dir.path("link")).unwrap();
    let serve = ["serve", "app.tar", "--listen", "127.0.0.1:0"];
    for more in [
        &["--access-log", "app.tar"][..],
        &["--access-log", "link"],
        &[
            "--tls-self-signed",
            "--tls-cert-out",
            "./app.tar",
            "--overwrite",
        ],
        &["--access-log", "users", "--htpasswd", "users"],
    ] {
        work_dir.write(
            "users",
            "u:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n",
        );
        let run = work_dir.run(&[&serve[..], more].concat());
        assert_eq!(run.code, Some(2), "{more:?} {}", run.said());
        assert!(
            run.stderr.contains("cannot also be an output"),
            "{more:?} {}",
            run.stderr
        );
    }
    assert!(work_dir.read("app.tar") == before);
}
