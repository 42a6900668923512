//! What a request is shown: challenges are answered with a password or with tokens (distribution, "Token
//! Authentication"). Tokens are not part of the distribution specification; registries do what Docker's token
//! service does.

mod challenge;

use std::sync::PoisonError;

use crate::error::ErrorKind;
use crate::exchange::Exchange;
use crate::host::Host;
use crate::keychain::Credential;
use crate::leads;
use crate::origin::{Origin, percent_encoded};
use crate::request::Request;
use crate::response::{Carried, Response};
use crate::secret::Secret;
use crate::tokens::{Known, TokenResponse, TokenService, basic};
use challenge::{Challenge, asks_for_more, choose};

/// No response of a token service is larger.
const MAX_TOKEN_BYTES: u64 = 1 << 20;

/// Knows what to show to whom.
#[derive(Clone)]
pub(crate) struct Authenticator {
    exchange: Exchange,
}

impl Authenticator {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }

    /// The header for the registry's own origin, as far as it is known what it wants. A token that expired
    /// is renewed before it is needed: a large body is not sent in vain.
    pub(crate) fn authorization(
        &self,
        host: &Host,
        scope: &str,
    ) -> Result<Option<Secret>, ErrorKind> {
        match host.shown.known(scope) {
            Known::Basic => Ok(self.credential(host, scope)?.as_ref().and_then(basic)),
            Known::Token(header) => Ok(Some(header)),
            Known::Nothing => Ok(None),
            Known::Expired(service) => {
                self.renew(host, scope, &service, None)?;
                match host.shown.known(scope) {
                    Known::Token(header) => Ok(Some(header)),
                    _ => Ok(None),
                }
            }
        }
    }

    /// What requests of this scope carry by now.
    pub(crate) fn carried(&self, host: &Host, scope: &str) -> Carried {
        match (self.credential(host, scope), host.shown.known(scope)) {
            (Ok(Some(_)), Known::Token(_) | Known::Expired(_)) => Carried::Token,
            (Ok(Some(_)), _) => Carried::Password,
            _ => Carried::Nothing,
        }
    }

    fn credential(&self, host: &Host, scope: &str) -> Result<Option<Credential>, ErrorKind> {
        // The repository that credentials are looked up for is the first that the scope names.
        let repository = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.split(':').next())
            .unwrap_or_default();
        host.shown.credential(repository, || {
            let keychain = &self.exchange.options.keychain;
            Ok(keychain.lookup(&host.name, repository)?)
        })
    }

    /// Answers a challenge: the next request of this scope carries what the registry wants. `sent` is what
    /// the refused one carried.
    pub(crate) fn answer(
        &self,
        host: &Host,
        scope: &str,
        refused: Response,
        sent: Option<&Secret>,
    ) -> Result<(), ErrorKind> {
        let headers = refused.headers.get_all("www-authenticate").iter();
        let challenge = choose(headers.filter_map(|value| value.to_str().ok()));
        let credential = self.credential(host, scope)?;
        match challenge {
            Some(Challenge::Basic) => match credential.as_ref().and_then(basic) {
                Some(header) if sent != Some(&header) => {
                    refused.finish();
                    host.shown.use_basic();
                    Ok(())
                }
                _ => Err(refused.into_error(self.carried(host, scope))),
            },
            Some(Challenge::Bearer {
                realm,
                service,
                scope: wanted,
                ..
            }) => {
                refused.finish();
                let service = TokenService {
                    realm,
                    service,
                    scopes: union(scope, &wanted),
                };
                self.renew(host, scope, &service, sent)
            }
            None => Err(refused.into_error(self.carried(host, scope))),
        }
    }

    /// Gets a token, unless another thread has got one since `refused` was sent.
    fn renew(
        &self,
        host: &Host,
        scope: &str,
        service: &TokenService,
        refused: Option<&Secret>,
    ) -> Result<(), ErrorKind> {
        let renewal = host.shown.renewal(scope);
        let _one_at_a_time = renewal.lock().unwrap_or_else(PoisonError::into_inner);
        match host.shown.known(scope) {
            Known::Token(header) if refused != Some(&header) => return Ok(()),
            _ => {}
        }
        let response = self.token(host, scope, service)?;
        host.shown.keep(scope, response, service.clone())
    }

    /// Where the token service is, if the registry may lead there.
    fn realm(
        &self,
        host: &Host,
        service: &TokenService,
        with_credentials: bool,
    ) -> Result<(Origin, String), ErrorKind> {
        let options = &self.exchange.options;
        let (origin, path) = Origin::split(&service.realm).ok_or_else(|| {
            ErrorKind::Refused(
                "the registry names something as its token service that is not a URL".to_owned(),
            )
        })?;
        leads::check(&host.origin, &origin, options)?;
        if with_credentials
            && !leads::may_have_credentials(&host.origin, &origin, &options.token_hosts)
        {
            return Err(ErrorKind::TokenHost {
                realm: origin.to_string(),
                authority: origin.authority,
            });
        }
        Ok((origin, path))
    }

    fn token(
        &self,
        host: &Host,
        scope: &str,
        service: &TokenService,
    ) -> Result<TokenResponse, ErrorKind> {
        let credential = self.credential(host, scope)?;
        let (origin, path) = self.realm(host, service, credential.is_some())?;
        let form;
        let (request, authorization) = match &credential {
            Some(Credential::IdentityToken(token)) => {
                form = refresh_form(service, token);
                (refresh(&path, &form), None)
            }
            credential => (
                Request::get(fetch_path(&path, service), ""),
                credential.as_ref().and_then(basic),
            ),
        };
        let response = self
            .exchange
            .send(host, &origin, &request, authorization.as_ref())?;
        if response.status != 200 {
            let carried = match credential {
                Some(_) => Carried::Password,
                None => Carried::Nothing,
            };
            return Err(match response.into_error(carried) {
                // A service that does not know the path is not a missing image.
                ErrorKind::NotFound(_) => {
                    ErrorKind::Protocol(format!("there is no token service at {origin}"))
                }
                kind => kind,
            });
        }
        let bytes = response.bytes(MAX_TOKEN_BYTES)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| ErrorKind::Protocol("the token service's response is not JSON".to_owned()))
    }
}

/// Whether a response asks for credentials, or for a token that allows more.
pub(crate) fn is_challenge(response: &Response) -> bool {
    let mut headers = response.headers.get_all("www-authenticate").iter();
    match response.status {
        401 => true,
        403 => headers.any(|value| value.to_str().is_ok_and(asks_for_more)),
        _ => false,
    }
}

/// GET of a token, with the Basic scheme or anonymously.
fn fetch_path(path: &str, service: &TokenService) -> String {
    let mut query = format!("service={}", percent_encoded(&service.service));
    for scope in service.scopes.split(' ').filter(|scope| !scope.is_empty()) {
        query.push_str("&scope=");
        query.push_str(&percent_encoded(scope));
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

/// POST of a refresh token (distribution, "`OAuth2` Token Authentication").
fn refresh<'a>(path: &str, form: &'a str) -> Request<'a> {
    let mut request =
        Request::new("POST", path, "").header("content-type", "application/x-www-form-urlencoded");
    request.body = form.as_bytes();
    request
}

fn refresh_form(service: &TokenService, token: &Secret) -> String {
    format!(
        "grant_type=refresh_token&client_id=sealift&service={}&scope={}&refresh_token={}",
        percent_encoded(&service.service),
        percent_encoded(&service.scopes),
        percent_encoded(token.expose())
    )
}

/// Our scopes and those that the registry names, each once.
fn union(ours: &str, wanted: &str) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for scope in ours.split(' ').chain(wanted.split(' ')) {
        if !scope.is_empty() && !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_both_sides_are_asked_for_once() {
        assert_eq!(
            union("a:pull b:pull", "b:pull c:push"),
            "a:pull b:pull c:push"
        );
        assert_eq!(union("", ""), "");
    }

    #[test]
    fn a_realm_keeps_its_query() {
        let service = TokenService {
            realm: String::new(),
            service: "r io".to_owned(),
            scopes: "a:b c".to_owned(),
        };
        assert_eq!(
            fetch_path("/t?x=1", &service),
            "/t?x=1&service=r%20io&scope=a%3Ab&scope=c"
        );
    }
}
