//! Real programs: registries and clients that others wrote.
//!
//! A test that needs one asks with [`require`] and returns where it is not there; where
//! `SEALIFT_REQUIRE_REAL=1` is set, a program that is missing is a failure.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Says that a test did not run, and why; fails it where real programs are compulsory.
///
/// # Panics
/// Under `SEALIFT_REQUIRE_REAL=1`.
#[allow(clippy::print_stderr)] // a test that does not run has to say so
pub fn skipped(why: &str) {
    let compulsory = env::var_os("SEALIFT_REQUIRE_REAL").is_some_and(|value| value == "1");
    assert!(!compulsory, "SEALIFT_REQUIRE_REAL=1, but {why}");
    eprintln!("SKIPPED: {why}");
}

/// The program of this name in `PATH`, or nothing after having said so.
pub fn require(name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        skipped(&format!("the program {name} is not installed"));
    }
    found
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The folder of data that tests share, from `SEALIFT_SHARED` or beside the checkout; nothing after
/// having said so.
pub fn shared_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = env::var_os("SEALIFT_SHARED").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped("there is no folder of shared data (SEALIFT_SHARED)");
    None
}

/// Runs a program to its end.
///
/// # Panics
/// Where it does not start.
pub fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

/// Runs a program that must succeed; its standard output.
///
/// # Panics
/// Where it fails, with what it said.
pub fn run_ok<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> String {
    let output = run(program, arguments);
    let shown: Vec<_> = arguments
        .iter()
        .map(|a| a.as_ref().to_string_lossy())
        .collect();
    assert!(
        output.status.success(),
        "{} {}: {}\n{}",
        program.display(),
        shown.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A registry in a process of its own, with storage of its own; both end with the value.
#[derive(Debug)]
pub struct RealRegistry {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl RealRegistry {
    /// distribution 2.8, as Debian packages it: `docker-registry`.
    pub fn distribution2() -> Option<Self> {
        Some(Self::start(&require("docker-registry")?))
    }

    /// distribution 3: `registry` from `SEALIFT_DISTRIBUTION3` (the program's path), `GOBIN`, `GOPATH`,
    /// the home folder's `go/bin` or `PATH`.
    pub fn distribution3() -> Option<Self> {
        Self::distribution3_with("")
    }

    /// The same, with more lines for its configuration.
    pub fn distribution3_with(more: &str) -> Option<Self> {
        distribution3_program().map(|program| Self::start_with(&program, more))
    }

    /// distribution 2.8 and 3, as far as they are installed, with deletion disabled, as it is by default.
    pub fn without_deletion() -> Vec<Self> {
        let programs = [require("docker-registry"), distribution3_program()];
        let programs = programs.into_iter().flatten();
        programs
            .map(|program| {
                Self::start_as(&program, &|program, folder, address| {
                    let mut command = distribution(program, folder, address, "");
                    command.env("REGISTRY_STORAGE_DELETE_ENABLED", "false");
                    command
                })
            })
            .collect()
    }

    /// The registry of go-containerregistry, which `crane registry serve` is: of another family than distribution.
    pub fn crane() -> Option<Self> {
        let program = require("crane")?;
        Some(Self::start_as(&program, &|program, folder, address| {
            let mut command = Command::new(program);
            command
                .args(["registry", "serve", "--address"])
                .arg(address.to_string())
                .arg("--disk")
                .arg(data(folder));
            command
        }))
    }

    /// Starts a registry of the distribution project, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not.
    pub fn start(program: &Path) -> Self {
        Self::start_with(program, "")
    }

    /// The same, with more lines for its configuration.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn start_with(program: &Path, more: &str) -> Self {
        Self::start_as(program, &|program, folder, address| {
            distribution(program, folder, address, more)
        })
    }

    fn start_as(program: &Path, serve: &Serve<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(data(&folder)).expect("a folder for the registry's content");
        // Another process may take the port in between: then the next one is tried.
        for _ in 0..5 {
            let address = free_address();
            let mut process = spawn(program, &folder, address, serve);
            if answers(&mut process, address) {
                return Self {
                    process,
                    address,
                    folder,
                };
            }
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("{} does not answer:\n{log}", program.display());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Host and port, as they stand in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The folder that it stores its content in.
    pub fn storage(&self) -> PathBuf {
        data(&self.folder)
    }

    /// Ends a registry of the distribution project at once, as a crash does, and starts it again at the same place.
    ///
    /// # Panics
    /// Where it does not answer again.
    pub fn crash_and_restart(&mut self, program: &Path) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.process = spawn(
            program,
            &self.folder,
            self.address,
            &|program, folder, address| distribution(program, folder, address, ""),
        );
        assert!(
            answers(&mut self.process, self.address),
            "the registry does not answer again"
        );
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program of distribution 3, or nothing after having said so.
fn distribution3_program() -> Option<PathBuf> {
    let go_path = env::var_os("GOPATH").map(|path| PathBuf::from(path).join("bin"));
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join("go/bin"));
    let folders = [env::var_os("GOBIN").map(PathBuf::from), go_path, home];
    let program = env::var_os("SEALIFT_DISTRIBUTION3")
        .map(PathBuf::from)
        .or_else(|| {
            folders
                .into_iter()
                .flatten()
                .map(|folder| folder.join("registry"))
                .find(|path| path.is_file())
        })
        .or_else(|| find("registry"));
    if program.is_none() {
        skipped("distribution 3's program registry is not installed");
    }
    program
}

/// How a program is started as a registry: with its content in a folder, at an address.
type Serve<'a> = dyn Fn(&Path, &TempDir, SocketAddr) -> Command + 'a;

/// Where a registry stores its content.
fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn distribution(program: &Path, folder: &TempDir, address: SocketAddr, more: &str) -> Command {
    let configuration = folder.path().join("registry.yml");
    let text = format!(
        "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
         http:\n  addr: {address}\n  secret: for-tests\n{more}\n",
        data(folder).display()
    );
    fs::write(&configuration, text).expect("the registry's configuration can be written");
    let mut command = Command::new(program);
    command.arg("serve").arg(&configuration);
    command
}

fn spawn(program: &Path, folder: &TempDir, address: SocketAddr, serve: &Serve<'_>) -> Child {
    let log = fs::File::create(folder.path().join("log")).expect("a log");
    serve(program, folder, address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port on loopback")
}

/// Waits until the registry answers `/v2/`, or has ended.
fn answers(process: &mut Child, address: SocketAddr) -> bool {
    for _ in 0..1500 {
        if !matches!(process.try_wait(), Ok(None)) {
            return false;
        }
        if asked(address).is_ok_and(|status| status.contains("200")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn asked(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET /v2/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// skopeo, with plain HTTP and without policy.
#[derive(Clone, Debug)]
pub struct Skopeo(PathBuf);

impl Skopeo {
    /// The installed one, or nothing after having said so.
    pub fn find() -> Option<Self> {
        require("skopeo").map(Self)
    }

    /// `skopeo copy --all FROM TO`, digests kept.
    ///
    /// # Panics
    /// Where it fails.
    pub fn copy(&self, from: &str, to: &str) {
        run_ok(
            &self.0,
            &[
                "--insecure-policy",
                "copy",
                "-q",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                from,
                to,
            ],
        );
    }

    /// The bytes of the manifest behind a name such as `docker://host/repository:tag`.
    ///
    /// # Panics
    /// Where it fails.
    pub fn raw_manifest(&self, name: &str) -> Vec<u8> {
        let arguments = ["inspect", "--raw", "--tls-verify=false", name];
        run_ok(&self.0, &arguments).into_bytes()
    }

    /// Any other command.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(&self.0, arguments)
    }
}

/// podman with storage of its own, which ends with the value.
#[derive(Debug)]
pub struct Podman {
    program: PathBuf,
    folder: TempDir,
}

impl Podman {
    /// The installed one, or nothing after having said so.
    pub fn find() -> Option<Self> {
        Some(Self {
            program: require("podman")?,
            folder: tempfile::tempdir().expect("a temporary folder"),
        })
    }

    /// Runs a command of podman's.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&self.program, &self.arguments(arguments))
    }

    /// Runs a command that must succeed; its standard output.
    ///
    /// # Panics
    /// Where it fails.
    pub fn run_ok(&self, arguments: &[&str]) -> String {
        run_ok(&self.program, &self.arguments(arguments))
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let folder = |name: &str| self.folder.path().join(name).display().to_string();
        let own = [
            "--root".to_owned(),
            folder("root"),
            "--runroot".to_owned(),
            folder("run"),
            "--storage-driver".to_owned(),
            "vfs".to_owned(),
        ];
        let given = arguments.iter().map(|argument| (*argument).to_owned());
        own.into_iter().chain(given).collect()
    }
}
