//! Registries that are reached through a proxy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealift_registry::{Client, ClientOptions, Pushed, RegistryError, Repository};
use sealift_testkit::{Fault, Location, Registry, Route, When};

use crate::support::{Blob, CANARY, options};

/// A name that only the proxy can look up.
const HOST: &str = "registry.invalid:5000";

/// Remembers what it was asked.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn length(head: &str) -> u64 {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// A proxy for plain HTTP: passes each request on with the URL's path alone.
fn forwarding(target: SocketAddr, seen: Seen) -> SocketAddr {
    listen(move |client| {
        let server = TcpStream::connect(target)?;
        let (mut from_client, mut to_client) = (BufReader::new(client.try_clone()?), client);
        let (mut from_server, mut to_server) = (BufReader::new(server.try_clone()?), server);
        loop {
            let head = read_head(&mut from_client)?;
            seen.add(&head);
            let (body, head_only) = (length(&head), head.starts_with("HEAD"));
            let expects = head.to_ascii_lowercase().contains("100-continue");
            let head = head.replace(&format!("http://{HOST}"), "");
            to_server.write_all(head.replace("expect: 100-continue\r\n", "").as_bytes())?;
            if expects {
                to_client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            io::copy(&mut (&mut from_client).take(body), &mut to_server)?;
            let head = read_head(&mut from_server)?;
            to_client.write_all(head.as_bytes())?;
            let body = if head_only { 0 } else { length(&head) };
            io::copy(&mut (&mut from_server).take(body), &mut to_client)?;
        }
    })
}

/// A SOCKS 5 proxy (RFC 1928) that looks names up itself.
fn socks(target: SocketAddr, seen: Seen) -> SocketAddr {
    listen(move |mut client| {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting)?;
        client.read_exact(&mut vec![0; greeting[1].into()])?;
        client.write_all(&[5, 0])?;
        let mut request = [0; 5];
        client.read_exact(&mut request)?;
        assert_eq!(request[3], 3, "a name is expected, not an address");
        let mut name = vec![0; usize::from(request[4]) + 2];
        client.read_exact(&mut name)?;
        name.truncate(name.len() - 2);
        seen.add(String::from_utf8_lossy(&name));
        let mut server = TcpStream::connect(target)?;
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])?;
        let (mut back, mut to_client) = (server.try_clone()?, client.try_clone()?);
        thread::spawn(move || io::copy(&mut back, &mut to_client));
        io::copy(&mut client, &mut server).map(drop)
    })
}

fn through(proxy: String) -> Result<Repository, RegistryError> {
    Client::new(ClientOptions {
        plain_http: vec![HOST.to_owned()],
        http_proxy: Some(proxy),
        ..options()
    })
    .repository(HOST, "a/b")
}

fn goes_through(registry: &Registry, repository: &Repository) {
    // A registry behind a proxy does not know its own name.
    for (method, route) in [("POST", Route::Uploads), ("PATCH", Route::Session)] {
        registry.script(
            When::new(method, route).always(),
            Fault::Location(Location::Relative),
        );
    }
    for size in [10, 3 << 20] {
        let blob = Blob::filled("blob", size);
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Sent);
        assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Present);
    }
}

#[test]
fn a_proxy_for_plain_http_is_addressed_with_the_complete_url() {
    let (registry, seen) = (Registry::start(), Seen::default());
    let proxy = forwarding(registry.address(), seen.clone());
    let url = format!("http://user:{CANARY}@{proxy}");
    goes_through(&registry, &through(url).unwrap());
    let heads = seen.all();
    assert!(!heads.is_empty());
    for head in heads {
        let target = head.split(' ').nth(1).unwrap();
        assert!(target.starts_with(&format!("http://{HOST}/v2/")), "{head}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains(&format!("host: {HOST}")), "{head}");
        assert!(lower.contains("proxy-authorization: basic "), "{head}");
    }
}

#[test]
fn what_a_proxy_repeats_of_its_password_is_not_shown() {
    let registry = Registry::start();
    let encoded = STANDARD.encode(format!("user:{CANARY}"));
    let echo = format!("user:{CANARY} (Basic {encoded})");
    registry.script(When::any().always(), Fault::error(403, "DENIED", &echo));
    let proxy = forwarding(registry.address(), Seen::default());
    let repository = through(format!("http://user:{CANARY}@{proxy}")).unwrap();
    let error = repository.manifest("v1").unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("user:"), "{text}");
    assert!(!text.contains(CANARY) && !text.contains(&encoded), "{text}");
}

#[test]
fn a_socks_proxy_is_used_and_looks_the_name_up() {
    let (registry, seen) = (Registry::start(), Seen::default());
    let proxy = socks(registry.address(), seen.clone());
    goes_through(&registry, &through(format!("socks5://{proxy}")).unwrap());
    assert!(seen.all().iter().all(|name| name == "registry.invalid"));
    assert!(!seen.all().is_empty());
}

#[test]
fn a_proxy_of_another_kind_is_refused_by_name_and_without_its_password() {
    let error = through(format!("gopher://user:{CANARY}@127.0.0.1:1"))
        .err()
        .unwrap();
    let text = format!("{error} {error:?}");
    assert!(text.contains("gopher") && text.contains("socks5"), "{text}");
    assert!(!text.contains(CANARY), "{text}");
}
