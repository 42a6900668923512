//! Tokens: how a challenge is answered (distribution, "Token Authentication"). Not part of the
//! distribution specification; registries do what Docker's token service does.

use std::sync::PoisonError;

use crate::answer::Answer;
use crate::auth::{Known, TokenAnswer, TokenService, basic};
use crate::challenge::{Challenge, choose};
use crate::client::{Client, Host};
use crate::error::ErrorKind;
use crate::keychain::Credential;
use crate::origin::{check_lead, may_have_credentials};
use crate::request::{Call, encode};
use crate::secret::Secret;

/// No answer of a token service is larger.
const MAX_TOKEN_BYTES: u64 = 1 << 20;

impl Client {
    /// The header for the registry's own origin, as far as it is known what it wants. A token that expired
    /// is renewed before it is needed: a large body is not sent in vain.
    pub(crate) fn authorization(
        &self,
        host: &Host,
        scope: &str,
    ) -> Result<Option<Secret>, ErrorKind> {
        match host.auth.known(scope) {
            Known::Basic => Ok(self.credential(host, scope)?.as_ref().and_then(basic)),
            Known::Token(header) => Ok(Some(header)),
            Known::Nothing => Ok(None),
            Known::Expired(service) => {
                self.renew(host, scope, &service, None)?;
                match host.auth.known(scope) {
                    Known::Token(header) => Ok(Some(header)),
                    _ => Ok(None),
                }
            }
        }
    }

    /// Whether there are credentials for the repository of `scope`.
    pub(crate) fn has_credentials(&self, host: &Host, scope: &str) -> bool {
        matches!(self.credential(host, scope), Ok(Some(_)))
    }

    fn credential(&self, host: &Host, scope: &str) -> Result<Option<Credential>, ErrorKind> {
        // The repository that credentials are looked up for is the first that the scope names.
        let repository = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.split(':').next())
            .unwrap_or_default();
        host.auth.credential(repository, || {
            Ok(self.options.keychain.lookup(&host.name, repository)?)
        })
    }

    /// Answers a refusal: the next request of this scope carries what the registry wants. `sent` is what
    /// the refused one carried.
    pub(crate) fn authenticate(
        &self,
        host: &Host,
        scope: &str,
        refused: Answer,
        sent: Option<&Secret>,
    ) -> Result<(), ErrorKind> {
        let headers = refused.headers.get_all("www-authenticate").iter();
        let challenge = choose(headers.filter_map(|value| value.to_str().ok()));
        let credential = self.credential(host, scope)?;
        match challenge {
            Some(Challenge::Basic) => match credential.as_ref().and_then(basic) {
                Some(header) if sent != Some(&header) => {
                    refused.finish();
                    host.auth.use_basic();
                    Ok(())
                }
                _ => Err(refused.kind(credential.is_some())),
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
            None => Err(refused.kind(credential.is_some())),
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
        let renewal = host.auth.renewal(scope);
        let _one_at_a_time = renewal.lock().unwrap_or_else(PoisonError::into_inner);
        match host.auth.known(scope) {
            Known::Token(header) if refused != Some(&header) => return Ok(()),
            _ => {}
        }
        let answer = self.token(host, scope, service)?;
        host.auth.keep(scope, answer, service.clone())
    }

    fn token(
        &self,
        host: &Host,
        scope: &str,
        service: &TokenService,
    ) -> Result<TokenAnswer, ErrorKind> {
        let (origin, path) = host
            .origin
            .resolve("/", &service.realm)
            .filter(|_| service.realm.contains("://"))
            .ok_or_else(|| {
                ErrorKind::Refused(
                    "the registry names something as its token service that is no URL".to_owned(),
                )
            })?;
        check_lead(&host.origin, &origin)?;
        let credential = self.credential(host, scope)?;
        if credential.is_some()
            && !may_have_credentials(&host.origin, &origin, &self.options.token_hosts)
        {
            return Err(ErrorKind::TokenHost {
                realm: origin.to_string(),
                authority: origin.authority,
            });
        }
        let form;
        let (call, authorization) = match &credential {
            Some(Credential::IdentityToken(token)) => {
                form = refresh_form(service, token);
                (refresh(&path, &form), None)
            }
            credential => (
                Call::get(fetch_path(&path, service), ""),
                credential.as_ref().and_then(basic),
            ),
        };
        let answer = self.exchange_once(host, &origin, &call, authorization.as_ref())?;
        if answer.status != 200 {
            return Err(match answer.kind(credential.is_some()) {
                // A service that does not know the way is no missing image.
                ErrorKind::NotFound(_) => {
                    ErrorKind::Protocol(format!("there is no token service at {origin}"))
                }
                kind => kind,
            });
        }
        let bytes = answer.bytes(MAX_TOKEN_BYTES)?;
        serde_json::from_slice(&bytes)
            .map_err(|_| ErrorKind::Protocol("the token service's answer is no JSON".to_owned()))
    }
}

/// GET of a token, with the Basic scheme or anonymously.
fn fetch_path(path: &str, service: &TokenService) -> String {
    let mut query = format!("service={}", encode(&service.service));
    for scope in service.scopes.split(' ').filter(|scope| !scope.is_empty()) {
        query.push_str("&scope=");
        query.push_str(&encode(scope));
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

/// POST of a refresh token (distribution, "`OAuth2` Token Authentication").
fn refresh<'a>(path: &str, form: &'a str) -> Call<'a> {
    let mut call =
        Call::new("POST", path, "").header("content-type", "application/x-www-form-urlencoded");
    call.body = form.as_bytes();
    call
}

fn refresh_form(service: &TokenService, token: &Secret) -> String {
    format!(
        "grant_type=refresh_token&client_id=sealift&service={}&scope={}&refresh_token={}",
        encode(&service.service),
        encode(&service.scopes),
        encode(token.expose())
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
