use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// A `docker-registry` process on loopback with storage of its own; both end with the value.
pub(crate) struct Registry {
    process: Child,
    address: SocketAddr,
    _storage: TempDir,
}

impl Registry {
    pub(crate) fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let storage = tempfile::tempdir_in(folder)?;
        let address = free_address()?;
        let configuration = storage.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            storage.path().join("data").display()
        );
        fs::write(&configuration, text)?;
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("docker-registry, which the bench measures with, does not start: {error}")
            })?;
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(Self {
                    process,
                    address,
                    _storage: storage,
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
        process.kill()?;
        Err("docker-registry does not answer".into())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> Result<SocketAddr, Box<dyn Error>> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
