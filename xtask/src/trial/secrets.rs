//! The trial `secrets`: passwords in every way that they can be given, and every failure after that.
//!
//! Each round has another password. Whatever happens, it appears in no output and in no file that the program
//! wrote, in no form that it is sent in, and no other host is sent credentials.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealift_testkit::{Bearer, Fault, Location, Registry, Response, Route, When};
use tempfile::TempDir;

use super::Setting;
use super::content::Content;
use super::program::{Ended, command, run as run_program};
use super::random::Random;
use super::report::Report;

const LIMIT: Duration = Duration::from_secs(60);
const USER: &str = "canary-user";

/// Characters that URLs, JSON, headers and shells write in other ways.
const ODD: [&str; 8] = ["", "%41", "\"", "\\", "+/=", " ", "@:/?#", "ü"];

/// How a password is given.
#[derive(Clone, Copy, Debug)]
enum Given {
    StandardInput,
    AuthFile,
    AuthFileOfEnvironment,
    DockerConfig,
    PodmanConfig,
    IdentityToken,
    Proxy,
}

const GIVEN: [Given; 7] = [
    Given::StandardInput,
    Given::AuthFile,
    Given::AuthFileOfEnvironment,
    Given::DockerConfig,
    Given::PodmanConfig,
    Given::IdentityToken,
    Given::Proxy,
];

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Nothing,
    WrongPassword,
    Echoed(u16),
    EchoedByTokenService,
    EchoedInHeader,
    NoToken,
    NotJson,
    Refused,
    CutOff,
    Redirected,
    RealmElsewhere,
    UploadElsewhere,
    Killed,
}

const FAILURES: [Failure; 16] = [
    Failure::Nothing,
    Failure::WrongPassword,
    Failure::Echoed(400),
    Failure::Echoed(401),
    Failure::Echoed(403),
    Failure::Echoed(500),
    Failure::EchoedByTokenService,
    Failure::EchoedInHeader,
    Failure::NoToken,
    Failure::NotJson,
    Failure::Refused,
    Failure::CutOff,
    Failure::Redirected,
    Failure::RealmElsewhere,
    Failure::UploadElsewhere,
    Failure::Killed,
];

/// Runs all rounds: each tries every way with every failure, on both sides.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let scene = Scene::new(&setting.program)?;
    for seed in setting.rounds(1, 25) {
        let password = password(&mut Random::new(seed, "password"));
        for given in GIVEN {
            for failure in FAILURES {
                for side in ["bundle", "load"] {
                    scene.attempt(report, seed, &password, given, failure, side)?;
                }
            }
        }
        scene.arguments(report, seed, &password)?;
    }
    Ok(())
}

/// A password that is found again wherever it is.
fn password(random: &mut Random) -> String {
    let odd = usize::try_from(random.below(ODD.len() as u64)).unwrap_or(0);
    format!("canary-{:016x}{}", random.next(), ODD[odd])
}

struct Scene<'a> {
    program: &'a Path,
    content: Content,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn new(program: &'a Path) -> Result<Self, Box<dyn Error>> {
        let content = Content::new(2000);
        let (_source, folder) = content.source()?;
        let build = ["bundle", "-f", "images.txt", "-o", "product.tar"];
        run_program(&mut command(program, folder.path(), &build), LIMIT)?.succeeded()?;
        Ok(Self {
            program,
            content,
            folder,
        })
    }

    fn attempt(
        &self,
        report: &mut Report,
        seed: u64,
        password: &str,
        given: Given,
        failure: Failure,
        side: &str,
    ) -> Result<(), Box<dyn Error>> {
        let elsewhere = Registry::start();
        let registry = registry(password, failure, &elsewhere);
        self.content.put_into(&registry);
        script(&registry, password, failure, &elsewhere);
        let folder = tempfile::tempdir()?;
        fs::hard_link(
            self.folder.path().join("product.tar"),
            folder.path().join("product.tar"),
        )?;
        // Loopback addresses are never contacted through a proxy; a name that only the proxy could know is.
        let host = match given {
            Given::Proxy => format!("registry.test:{}", registry.address().port()),
            _ => registry.host(),
        };
        let list = self.content.list(&registry.host());
        fs::write(
            folder.path().join("images.txt"),
            list.replace(&registry.host(), &host),
        )?;
        let arguments: &[&str] = match side {
            "bundle" => &[
                "bundle",
                "-f",
                "images.txt",
                "-o",
                "x.tar",
                "--retries",
                "1",
            ],
            _ => &[
                "load",
                "product.tar",
                &host,
                "--receipt",
                "r.json",
                "--retries",
                "1",
            ],
        };
        let mut run = command(self.program, folder.path(), arguments);
        let inputs = give(&mut run, folder.path(), &host, password, given)?;
        let ended = match failure {
            Failure::Killed => {
                let requests = registry.traffic().0.len() + 12;
                let mut late = |_| registry.traffic().0.len() >= requests;
                super::program::run_and_kill(&mut run, LIMIT, &mut late)?
            }
            _ => run_program(&mut run, LIMIT)?,
        };
        let what = format!("{side}, {given:?}, {failure:?}");
        report.run(&ended);
        report.count(format!("runs of {side}"));
        let has_password = !matches!(given, Given::Proxy | Given::IdentityToken);
        if matches!(failure, Failure::Nothing) && has_password && ended.code() != Some(0) {
            let words = ended.words();
            report.fault(
                seed,
                format!("{what}: it fails with the right password: {words}"),
            );
        }
        if was_sent(&registry, password) {
            report.count(format!("runs that sent the password: {given:?}"));
        }
        let sent = elsewhere.traffic().authorized().len();
        if sent > 0 {
            report.fault(
                seed,
                format!("{what}: {sent} requests to another host carry credentials"),
            );
        }
        if ended.hung || ended.crashed() {
            report.fault(seed, format!("{what}: {}", ended.words()));
        }
        for place in leaks(&ended, folder.path(), password, &inputs)? {
            // A registry repeats only what it was sent; the script of this trial knows more.
            if was_sent(&registry, password) || !place.starts_with("standard") {
                report.fault(seed, format!("{what}: the password is in {place}"));
            }
        }
        Ok(())
    }

    /// Passwords where none belongs: in references, destinations, addresses and rules.
    fn arguments(
        &self,
        report: &mut Report,
        seed: u64,
        password: &str,
    ) -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::hard_link(
            self.folder.path().join("product.tar"),
            folder.path().join("product.tar"),
        )?;
        let host = format!("{USER}:{password}@127.0.0.1:1");
        let (image, url) = (format!("{host}/a:1"), format!("https://{host}/a"));
        let map = format!("{host}/a/=b/");
        fs::write(folder.path().join("list.txt"), format!("{image}\n{url}\n"))?;
        fs::write(
            folder.path().join("a.yaml"),
            format!("image: {image}\nurl: {url}\n"),
        )?;
        for arguments in [
            ["images", &image].as_slice(),
            &["images", "-f", "list.txt"],
            &["images", "-f", "a.yaml"],
            &["bundle", &image, "-o", "x.tar", "--retries", "0"],
            &["bundle", "-f", "list.txt", "-o", "x.tar", "--retries", "0"],
            &["load", "product.tar", &host],
            &["load", "product.tar", &url],
            &[
                "load",
                "product.tar",
                "127.0.0.1:1",
                "--map",
                &map,
                "--retries",
                "0",
            ],
            &["serve", "product.tar", "--listen", &host],
            &["rewrite", "a.yaml", "--to", &host],
            &["rewrite", "a.yaml", "--to", "r.corp", "--out-dir", "out"],
            &["mirror", "k3s", "product.tar", &host],
            &[
                "product",
                "calico",
                "product.tar",
                &host,
                "--out-dir",
                "out",
            ],
        ] {
            let ended = run_program(&mut command(self.program, folder.path(), arguments), LIMIT)?;
            report.count("runs with a password in an argument or a list");
            let _ = fs::remove_dir_all(folder.path().join("out"));
            let inputs = ["list.txt", "a.yaml"].map(str::to_owned);
            if ended.hung || ended.crashed() {
                report.fault(seed, format!("{}: {}", arguments.join(" "), ended.words()));
            }
            for place in leaks(&ended, folder.path(), password, &inputs)? {
                let name = arguments[0];
                report.fault(
                    seed,
                    format!("{name}, password in an argument: it is in {place}"),
                );
            }
        }
        Ok(())
    }
}

/// A registry that wants the password, in one of two ways.
fn registry(password: &str, failure: Failure, elsewhere: &Registry) -> Registry {
    let right = match failure {
        Failure::WrongPassword => "another",
        _ => password,
    };
    let builder = Registry::builder();
    match failure {
        Failure::Echoed(_) | Failure::Redirected => builder.basic(USER, right).start(),
        Failure::RealmElsewhere => {
            let realm = format!("{}/token", elsewhere.origin());
            builder
                .bearer(Bearer::new(USER, right).realm(&realm))
                .start()
        }
        _ => builder.bearer(Bearer::new(USER, right)).start(),
    }
}

/// What goes wrong at the registry.
fn script(registry: &Registry, password: &str, failure: Failure, elsewhere: &Registry) {
    let encoded = STANDARD.encode(format!("{USER}:{password}"));
    let echo = format!("bad credentials {USER}:{password} (Basic {encoded})");
    let always = || When::any().always();
    let token = || When::new("GET", Route::Token).always();
    match failure {
        Failure::Echoed(status) => {
            registry.script(always().skip(2), Fault::error(status, "DENIED", &echo));
        }
        Failure::EchoedByTokenService => {
            registry.script(token(), Fault::error(401, "UNAUTHORIZED", &echo));
        }
        Failure::EchoedInHeader => {
            let challenge = format!(
                "Bearer realm=\"{}/{encoded}\",service=\"{echo}\"",
                registry.origin()
            );
            registry.script(
                always(),
                Fault::Answer(Response::new(401).header("WWW-Authenticate", challenge)),
            );
        }
        Failure::NoToken => registry.script(token(), Fault::answer(200)),
        Failure::NotJson => {
            registry.script(
                token(),
                Fault::Answer(Response::new(200).body("text/plain", echo)),
            );
        }
        Failure::Refused => registry.script(always().skip(3), Fault::Refuse),
        Failure::CutOff => registry.script(
            When::new("GET", Route::Manifest).always(),
            Fault::CutResponse(10),
        ),
        Failure::Redirected => {
            let to = format!("{}/v2/?{encoded}", elsewhere.origin());
            registry.script(
                always().skip(2),
                Fault::Answer(Response::new(307).header("Location", to)),
            );
        }
        Failure::UploadElsewhere => {
            let to = Location::At(elsewhere.origin());
            registry.script(
                When::new("POST", Route::Uploads).always(),
                Fault::Location(to),
            );
        }
        Failure::Nothing | Failure::WrongPassword | Failure::RealmElsewhere | Failure::Killed => {}
    }
}

/// Gives the password to a run; the names of the files in `folder` that contain it.
fn give(
    run: &mut Command,
    folder: &Path,
    host: &str,
    password: &str,
    given: Given,
) -> Result<Vec<String>, Box<dyn Error>> {
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    let entry = match given {
        Given::IdentityToken => serde_json::json!({"identitytoken": password}),
        _ => serde_json::json!({"auth": auth}),
    };
    let file = serde_json::json!({"auths": {host: entry}}).to_string();
    let write = |name: &str| -> Result<Vec<String>, Box<dyn Error>> {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, &file)?;
        Ok(vec![name.to_owned()])
    };
    match given {
        Given::StandardInput => {
            let mut input = tempfile::tempfile()?;
            input.write_all(password.as_bytes())?;
            std::io::Seek::rewind(&mut input)?;
            run.args(["--username", USER, "--password-stdin"])
                .stdin(Stdio::from(input));
            Ok(Vec::new())
        }
        Given::AuthFile => {
            run.args(["--authfile", "auth.json"]);
            write("auth.json")
        }
        Given::AuthFileOfEnvironment => {
            run.env("REGISTRY_AUTH_FILE", folder.join("auth.json"));
            write("auth.json")
        }
        Given::DockerConfig | Given::IdentityToken => write(".docker/config.json"),
        Given::PodmanConfig => write(".config/containers/auth.json"),
        Given::Proxy => {
            let quoted = percent_encoded(password);
            // The registry itself is the proxy: it repeats what it is sent.
            let port = host.rsplit_once(':').map_or("", |(_, port)| port);
            let proxy = format!("http://{USER}:{quoted}@127.0.0.1:{port}");
            run.args(["--plain-http", host]);
            run.env("http_proxy", &proxy)
                .env("https_proxy", &proxy)
                .env("NO_PROXY", "none");
            Ok(Vec::new())
        }
    }
}

/// Every byte as `%41`.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02x}");
        out
    })
}

/// Whether `registry` was sent the password: in a header, or in the form that asks for a token.
fn was_sent(registry: &Registry, password: &str) -> bool {
    let encoded = STANDARD.encode(format!("{USER}:{password}"));
    registry.traffic().0.iter().any(|request| {
        let headers = request.headers.iter();
        let in_header = headers
            .map(|(_, value)| value)
            .any(|value| value.contains(&encoded) || value.contains(password));
        in_header || (request.route == Route::Token && request.method == "POST")
    })
}

/// Where the password is, in any of its forms: an output, or a file in `folder` that is not one of `inputs`.
fn leaks(
    ended: &Ended,
    folder: &Path,
    password: &str,
    inputs: &[String],
) -> Result<Vec<String>, Box<dyn Error>> {
    // The random part identifies the password in whatever way the rest of it is written.
    let core = &password[..password.len().min("canary-".len() + 16)];
    let quoted = percent_encoded(core);
    let forms = [
        core.to_owned(),
        STANDARD.encode(format!("{USER}:{password}")),
        quoted,
    ];
    let found = |bytes: &[u8]| {
        forms.iter().any(|form| {
            bytes
                .windows(form.len())
                .any(|part| part.eq_ignore_ascii_case(form.as_bytes()))
        })
    };
    let mut places = Vec::new();
    for (name, text) in [
        ("standard output", &ended.stdout),
        ("standard error", &ended.stderr),
    ] {
        if found(text.as_bytes()) {
            places.push(name.to_owned());
        }
    }
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
            continue;
        }
        let name = path.strip_prefix(folder)?.display().to_string();
        if name != "product.tar" && !inputs.contains(&name) && found(&fs::read(&path)?) {
            places.push(name);
        }
    }
    Ok(places)
}
