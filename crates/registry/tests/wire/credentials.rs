//! Who is shown what.

use std::path::PathBuf;

use sealift_registry::{Client, ClientOptions, Credential, ErrorKind, Keychain, Secret};
use sealift_testkit::{Authorization, Bearer, Fault, Registry, Response, Route, When};

use crate::support::{CANARY, Heard, heard, options};

pub(crate) fn password(password: &str) -> Credential {
    Credential::Password {
        username: "user".to_owned(),
        password: Secret::new(password),
    }
}

fn with(credential: Credential) -> (std::sync::Arc<Heard>, Client) {
    let (heard, options) = heard();
    let keychain = Keychain::anonymous().with(None, credential);
    (
        heard,
        Client::new(ClientOptions {
            keychain,
            ..options
        }),
    )
}

fn image(registry: &Registry) {
    let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let media_type = "application/vnd.oci.image.index.v1+json";
    let digest = registry.put_manifest("a/b", media_type, bytes);
    registry.tag("a/b", "v1", digest);
}

fn bearer() -> Bearer {
    Bearer::new("user", CANARY)
}

fn pull(client: &Client, registry: &Registry) -> Result<(), sealift_registry::RegistryError> {
    let repository = client.repository(&registry.host(), "a/b")?;
    repository.manifest("v1").map(drop)
}

/// Nothing that a person or a log could see has the password in it.
fn assert_discreet(heard: &Heard, client: &Client, error: &sealift_registry::RegistryError) {
    let base64 = "Y2FuYXJ5LWluLXRoZS1jb2FsLW1pbmU";
    let mut seen = format!("{error} {error:?} {client:?}");
    seen.push_str(&heard.all().concat());
    assert!(!seen.contains(CANARY) && !seen.contains(base64), "{seen}");
}

#[test]
fn basic_is_shown_when_it_is_asked_for() {
    let registry = Registry::builder().basic("user", CANARY).start();
    image(&registry);
    let (_, client) = with(password(CANARY));
    pull(&client, &registry).unwrap();
    pull(&client, &registry).unwrap();
    let shown: Vec<bool> = registry
        .traffic()
        .0
        .iter()
        .map(|request| request.authorization().is_some())
        .collect();
    assert_eq!(shown, [false, true, true]);
}

#[test]
fn a_token_is_asked_for_once_and_the_password_goes_to_its_service_alone() {
    for field in ["token", "access_token"] {
        let registry = Registry::builder().bearer(bearer().field(field)).start();
        image(&registry);
        let (_, client) = with(password(CANARY));
        pull(&client, &registry).unwrap();
        pull(&client, &registry).unwrap();
        let traffic = registry.traffic();
        assert_eq!(traffic.count("GET", Route::Token), 1);
        for request in traffic.authorized() {
            let basic = matches!(request.authorization(), Some(Authorization::Basic(..)));
            assert_eq!(basic, request.route == Route::Token);
        }
    }
}

#[test]
fn anybody_may_pull_where_anybody_may() {
    let registry = Registry::builder()
        .bearer(bearer().anonymous_pull())
        .start();
    image(&registry);
    pull(&Client::new(options()), &registry).unwrap();
}

#[test]
fn an_odd_lifetime_is_no_reason_to_ask_for_every_request() {
    for expires_in in [None, Some(0), Some(u64::MAX)] {
        let registry = Registry::builder()
            .bearer(bearer().expires_in(expires_in))
            .start();
        image(&registry);
        let (_, client) = with(password(CANARY));
        for _ in 0..3 {
            pull(&client, &registry).unwrap();
        }
        assert_eq!(registry.traffic().count("GET", Route::Token), 1);
    }
}

#[test]
fn a_token_that_is_refused_is_renewed() {
    let registry = Registry::builder().bearer(bearer()).start();
    image(&registry);
    let (_, client) = with(password(CANARY));
    pull(&client, &registry).unwrap();
    registry.expire_tokens();
    pull(&client, &registry).unwrap();
    assert_eq!(registry.traffic().count("GET", Route::Token), 2);
}

#[test]
fn a_wrong_password_is_said_and_not_tried_again() {
    for registry in [
        Registry::builder().basic("user", "other").start(),
        Registry::builder()
            .bearer(Bearer::new("user", "other"))
            .start(),
    ] {
        image(&registry);
        let (heard, client) = with(password(CANARY));
        let error = pull(&client, &registry).unwrap_err();
        let refused = matches!(error.kind, ErrorKind::CredentialsRejected(_));
        assert!(refused, "{error}");
        assert_discreet(&heard, &client, &error);
        assert_eq!(registry.traffic().authorized().len(), 1);
    }
}

#[test]
fn a_password_that_the_registry_repeats_is_not_shown() {
    let registry = Registry::builder().basic("user", CANARY).start();
    image(&registry);
    let basic = base64_of(&format!("user:{CANARY}"));
    for message in [
        format!("user:{CANARY} may not do this"),
        format!("Authorization: Basic {basic}"),
        format!("see https://user:{CANARY}@r.io/ and https://someone:{CANARY}@r.io/"),
    ] {
        registry.clear_script();
        registry.script(
            When::new("GET", Route::Manifest).skip(1).always(),
            Fault::error(400, "X", &message),
        );
        let (heard, client) = with(password(CANARY));
        let error = pull(&client, &registry).unwrap_err();
        assert!(error.to_string().contains("***"), "{error}");
        assert_discreet(&heard, &client, &error);
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_password_in_a_registrys_name_is_refused_and_not_shown() {
    let client = Client::new(options());
    let error = client
        .repository(&format!("me:{CANARY}@r.corp:5000"), "a/b")
        .unwrap_err();
    assert_eq!(error.host, "r.corp:5000");
    assert!(!format!("{error} {error:?}").contains(CANARY));
}

#[test]
fn a_missing_password_is_asked_for() {
    let registry = Registry::builder().basic("user", "other").start();
    let error = pull(&Client::new(options()), &registry).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::LoginRequired(_)), "{error}");
}

#[test]
fn a_token_service_elsewhere_is_not_shown_the_password_unless_it_was_named() {
    let service = Registry::start();
    let token = Response::new(200).body("application/json", r#"{"token":"t"}"#);
    service.script(When::any().always(), Fault::Answer(token));
    // Another port of the registry's host is another service.
    let realm = format!("{}/token", service.origin());
    let registry = Registry::builder().bearer(bearer().realm(&realm)).start();
    image(&registry);
    let (heard, client) = with(password(CANARY));
    let error = pull(&client, &registry).unwrap_err();
    let ErrorKind::TokenHost { authority, .. } = &error.kind else {
        panic!("{error}");
    };
    assert_eq!(*authority, service.host());
    assert_discreet(&heard, &client, &error);
    assert!(service.traffic().0.is_empty());
    let named = Client::new(ClientOptions {
        keychain: Keychain::anonymous().with(None, password(CANARY)),
        token_hosts: vec![service.host()],
        ..options()
    });
    assert!(pull(&named, &registry).is_err());
    assert_eq!(service.traffic().authorized().len(), 1);
}

#[test]
fn a_realm_that_is_no_url_is_refused() {
    for realm in ["file:///etc/passwd", "/token", "", "http://u:p@127.0.0.1/"] {
        let registry = Registry::builder().bearer(bearer().realm(realm)).start();
        let (heard, client) = with(password(CANARY));
        let error = pull(&client, &registry).unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::Refused(_)),
            "{realm}: {error}"
        );
        assert_discreet(&heard, &client, &error);
        assert!(registry.traffic().authorized().is_empty());
    }
}

#[test]
fn a_token_service_that_answers_nonsense_is_said() {
    for body in ["<html>", "{}", r#"{"token":"a\nb"}"#, "[", r#"{"token":7}"#] {
        let registry = Registry::builder().bearer(bearer()).start();
        let answer = Response::new(200).body("application/json", body);
        registry.script(
            When::new("GET", Route::Token).always(),
            Fault::Answer(answer),
        );
        let (heard, client) = with(password(CANARY));
        let error = pull(&client, &registry).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
        assert_discreet(&heard, &client, &error);
    }
}

#[test]
fn of_several_challenges_the_one_that_works_is_answered() {
    let registry = Registry::builder().bearer(bearer()).start();
    image(&registry);
    let value = format!(
        r#"Negotiate, Basic realm="a, b", Bearer realm="{}/token",service="x, y",scope="repository:a/b:pull""#,
        registry.origin()
    );
    let refusal = Response::new(401).header("WWW-Authenticate", value);
    registry.script(When::new("GET", Route::Manifest), Fault::Answer(refusal));
    let (_, client) = with(password(CANARY));
    pull(&client, &registry).unwrap();
    let traffic = registry.traffic();
    let asked = traffic.of("GET", Route::Token);
    assert_eq!(asked[0].parameter("service").as_deref(), Some("x, y"));
}

#[test]
fn what_a_registry_finds_insufficient_is_asked_for_in_its_own_words() {
    let registry = Registry::builder().bearer(bearer()).start();
    image(&registry);
    let value = format!(
        r#"Bearer realm="{}/token",error="insufficient_scope",scope="repository:a/b:pull repository:c/d:pull""#,
        registry.origin()
    );
    let refusal = Response::new(403).header("WWW-Authenticate", value);
    registry.script(When::new("GET", Route::Manifest), Fault::Answer(refusal));
    let (_, client) = with(password(CANARY));
    pull(&client, &registry).unwrap();
    let traffic = registry.traffic();
    let query = &traffic.of("GET", Route::Token)[0].query;
    assert!(query.contains("c%2Fd"), "{query}");
}

#[test]
fn an_identity_token_is_exchanged_and_never_shown_to_the_registry() {
    let registry = Registry::builder().bearer(bearer()).start();
    let token = Response::new(200).body("application/json", r#"{"access_token":"t"}"#);
    registry.script(When::new("POST", Route::Token), Fault::Answer(token));
    let (heard, client) = with(Credential::IdentityToken(Secret::new(CANARY)));
    // The token that the script gives is none that the registry knows.
    let error = pull(&client, &registry).unwrap_err();
    assert_discreet(&heard, &client, &error);
    let traffic = registry.traffic();
    assert_eq!(traffic.count("POST", Route::Token), 1);
    for request in traffic.authorized() {
        assert_eq!(
            request.authorization(),
            Some(Authorization::Bearer("t".to_owned()))
        );
    }
}

#[test]
fn the_files_of_docker_and_podman_are_read_by_the_longest_name() {
    let registry = Registry::builder().basic("user", CANARY).start();
    image(&registry);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.json");
    // user:wrong and user:canary-in-the-coal-mine
    let (wrong, right) = (
        "dXNlcjp3cm9uZw==",
        "dXNlcjpjYW5hcnktaW4tdGhlLWNvYWwtbWluZQ==",
    );
    let host = registry.host();
    let text = format!(
        r#"{{"auths":{{"{host}":{{"auth":"{wrong}"}},"{host}/a/b":{{"auth":"{right}"}}}}}}"#
    );
    std::fs::write(&file, text).unwrap();
    let missing = PathBuf::from("/nowhere/auth.json");
    let client = Client::new(ClientOptions {
        keychain: Keychain::from_files(&[missing, file]).unwrap(),
        ..options()
    });
    pull(&client, &registry).unwrap();
    assert!(client.ping(&host).is_err());
}

#[test]
fn a_password_in_a_proxys_url_is_not_repeated() {
    for url in [
        format!("http://user:{CANARY}@127.0.0.1:1"),
        format!("nonsense://user:{CANARY}@[:"),
    ] {
        let (heard, options) = heard();
        let client = Client::new(ClientOptions {
            https_proxy: Some(url),
            ..options
        });
        let error = client.ping("registry.invalid").unwrap_err();
        assert_discreet(&heard, &client, &error);
    }
}
