//! Whom the client trusts, and to whom it shows its own certificate.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sealift_oci::Descriptor;
use sealift_registry::{Client, ClientOptions, ErrorKind, RegistryError, TlsError};
use sealift_testkit::Registry;
use tempfile::TempDir;

use crate::support::{heard, options};

/// An authority made for one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self {
            issuer,
            certificate,
        }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        roots
    }
}

/// Answers every request over TLS with the same text.
struct Server {
    host: String,
    /// Of each connection that got as far: whether the client showed a certificate.
    shown: Arc<Mutex<Vec<bool>>>,
}

impl Server {
    fn start(authority: &Authority, name: &str, needs_client: bool, answer: String) -> Self {
        let pair = authority.issue(name);
        Self::with(&pair, authority.roots(), needs_client, answer)
    }

    /// A server with this certificate, which wants none of the client.
    fn with_certificate(pair: &(rcgen::Certificate, KeyPair), answer: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(pair.0.der().clone()).unwrap();
        Self::with(pair, roots, false, answer.to_owned())
    }

    fn with(
        (certificate, key): &(rcgen::Certificate, KeyPair),
        roots: RootCertStore,
        needs_client: bool,
        answer: String,
    ) -> Self {
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(default_provider());
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let verifier = if needs_client {
            verifier.build()
        } else {
            verifier.allow_unauthenticated().build()
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self {
            host: listener.local_addr().unwrap().to_string(),
            shown: Arc::default(),
        };
        let (config, shown) = (Arc::new(config), Arc::clone(&server.shown));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let (shown, answer) = (Arc::clone(&shown), answer.clone());
                thread::spawn(move || serve(StreamOwned::new(connection, stream), &shown, &answer));
            }
        });
        server
    }
}

fn serve(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    shown: &Mutex<Vec<bool>>,
    answer: &str,
) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            let certificates = stream.conn.peer_certificates();
            shown.lock().unwrap().push(certificates.is_some());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            head.clear();
        }
    }
}

fn fine() -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned()
}

fn leads_to(url: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n")
}

/// Options with the authority's certificate in a file.
fn trusting(authority: &Authority, folder: &TempDir) -> ClientOptions {
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.certificate.pem()).unwrap();
    ClientOptions {
        ca_file: Some(file),
        ..options()
    }
}

/// A `certs.d` folder for `host`, with the authority and a client certificate of it.
fn certificates_for(host: &str, authority: &Authority, folder: &Path) {
    let folder = folder.join(host);
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = authority.issue("client");
    std::fs::write(folder.join("ca.crt"), authority.certificate.pem()).unwrap();
    std::fs::write(folder.join("client.cert"), certificate.pem()).unwrap();
    std::fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
}

fn fetch(client: &Client, host: &str) -> Result<(), RegistryError> {
    let blob = Descriptor::of("x", b"{}");
    client.repository(host, "a/b")?.blob(&blob, 0).map(drop)
}

#[test]
fn an_authority_from_a_file_is_trusted() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = Server::start(&authority, "127.0.0.1", false, fine());
    let client = Client::new(trusting(&authority, &folder));
    client.ping(&server.host).unwrap();
}

/// What a TLS error is expected to be.
type Expected = fn(&TlsError) -> bool;

#[test]
fn another_authority_or_another_name_is_not_trusted_and_not_tried_again() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let unknown: Expected = |error| *error == TlsError::UnknownIssuer;
    let other_name: Expected = |error| matches!(error, TlsError::WrongName { expected, presented } if expected == "127.0.0.1" && *presented == ["other.test"]);
    let cases: [(&Authority, &str, Expected); 2] = [
        (&Authority::new(), "127.0.0.1", unknown),
        (&authority, "other.test", other_name),
    ];
    for (signer, name, expected) in cases {
        let server = Server::start(signer, name, false, fine());
        let (heard, options) = heard();
        let client = Client::new(ClientOptions {
            observer: options.observer,
            ..trusting(&authority, &folder)
        });
        let error = client.ping(&server.host).unwrap_err();
        let ErrorKind::Tls(reason) = &error.kind else {
            panic!("{error}");
        };
        assert!(expected(reason), "{error}");
        assert_eq!(heard.all(), [""; 0]);
        assert!(server.shown.lock().unwrap().is_empty());
    }
}

/// A certificate that is its own authority, as `openssl req -x509` makes it.
fn self_signed(name: &str) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

fn with_ca(certificate: &rcgen::Certificate, folder: &TempDir) -> Client {
    let file = folder.path().join("registry.crt");
    std::fs::write(&file, certificate.pem()).unwrap();
    Client::new(ClientOptions {
        ca_file: Some(file),
        ..options()
    })
}

#[test]
fn a_self_signed_certificate_is_trusted_if_exactly_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let own = self_signed("127.0.0.1");
    let server = Server::with_certificate(&own, &fine());
    with_ca(&own.0, &folder).ping(&server.host).unwrap();
    let certs_d = folder.path().join("certs.d").join(&server.host);
    std::fs::create_dir_all(&certs_d).unwrap();
    std::fs::write(certs_d.join("ca.crt"), own.0.pem()).unwrap();
    let client = Client::new(ClientOptions {
        certificate_folders: vec![folder.path().join("certs.d")],
        ..options()
    });
    client.ping(&server.host).unwrap();
    let other = self_signed("127.0.0.1");
    let error = with_ca(&other.0, &folder).ping(&server.host).unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Tls(TlsError::UnknownIssuer)),
        "{error}"
    );
}

#[test]
fn a_self_signed_certificate_is_checked_for_its_name_and_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let named = self_signed("registry.corp");
    let server = Server::with_certificate(&named, &fine());
    let error = with_ca(&named.0, &folder).ping(&server.host).unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Tls(TlsError::WrongName { .. })),
        "{error}"
    );
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = KeyPair::generate().unwrap();
    let expired = (params.self_signed(&key).unwrap(), key);
    let server = Server::with_certificate(&expired, &fine());
    let error = with_ca(&expired.0, &folder).ping(&server.host).unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Tls(TlsError::Validity(_))),
        "{error}"
    );
}

#[test]
fn an_insecure_host_is_not_verified_and_warned_of_once_and_others_are() {
    let authority = Authority::new();
    let servers = [(); 2].map(|()| Server::start(&authority, "other.test", false, fine()));
    let (heard, options) = heard();
    let client = Client::new(ClientOptions {
        insecure: vec![servers[0].host.clone()],
        ca_file: None,
        plain_http: Vec::new(),
        ..options
    });
    for _ in 0..2 {
        client.ping(&servers[0].host).unwrap();
    }
    let all = heard.all();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("not verified") && all[0].contains(&servers[0].host));
    assert!(client.ping(&servers[1].host).is_err());
}

#[test]
fn a_registry_that_speaks_only_tls_is_said_to() {
    let answers_plainly = Server::start(&Authority::new(), "127.0.0.1", false, fine());
    let (heard, options) = heard();
    let client = Client::new(ClientOptions {
        plain_http: vec![answers_plainly.host.clone()],
        ..options
    });
    let error = client.ping(&answers_plainly.host).unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Tls(TlsError::TlsOnly)),
        "{error}"
    );
    assert_eq!(heard.all(), [""; 0]);
}

#[test]
fn plain_http_on_loopback_needs_no_flag_beside_an_authority_for_others() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let registry = Registry::start();
    let client = Client::new(trusting(&authority, &folder));
    client.ping(&registry.host()).unwrap();
}

#[test]
fn a_host_that_does_not_speak_tls_is_said() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let registry = Registry::start();
    certificates_for(&registry.host(), &authority, folder.path());
    let client = Client::new(ClientOptions {
        certificate_folders: vec![folder.path().to_owned()],
        ..options()
    });
    let error = client.ping(&registry.host()).unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Tls(TlsError::NotTls)),
        "{error}"
    );
}

#[test]
fn a_client_certificate_is_shown_to_its_host_and_to_no_other() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let storage = Server::start(&authority, "127.0.0.1", false, fine());
    let to = leads_to(&format!("https://{}/x", storage.host));
    let server = Server::start(&authority, "127.0.0.1", true, to);
    let trusting = trusting(&authority, &folder);
    assert!(fetch(&Client::new(trusting.clone()), &server.host).is_err());
    certificates_for(&server.host, &authority, folder.path());
    let client = Client::new(ClientOptions {
        certificate_folders: vec![folder.path().to_owned()],
        ..trusting
    });
    fetch(&client, &server.host).unwrap();
    assert_eq!(*server.shown.lock().unwrap(), [true]);
    assert_eq!(*storage.shown.lock().unwrap(), [false]);
}

#[test]
fn a_registry_on_tls_does_not_lead_out_of_it() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let plain = Registry::start();
    let to = leads_to(&format!("{}/v2/", plain.origin()));
    let server = Server::start(&authority, "127.0.0.1", false, to);
    let error = fetch(&Client::new(trusting(&authority, &folder)), &server.host).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
    assert!(plain.traffic().0.is_empty());
}

#[test]
fn what_is_no_certificate_is_said_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let registry = Registry::start();
    let client = Client::new(ClientOptions {
        ca_file: Some(file),
        ..options()
    });
    let error = client.ping(&registry.host()).unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
    assert!(registry.traffic().0.is_empty());
}
