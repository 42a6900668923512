//! What one host is shown: user name and password, or tokens by their scopes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::ErrorKind;
use crate::keychain::Credential;
use crate::origin::percent_encoded;
use crate::secret::Secret;

/// No token is believed to last longer, whatever its service says.
const MAX_TOKEN_SECONDS: u64 = 86_400;
/// Every token lasts this long; services that say less, or nothing, mean it (distribution, "token").
const MIN_TOKEN_SECONDS: u64 = 60;

/// Credentials and tokens for one host.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    current: Mutex<Current>,
    /// By repository: a helper program is asked once.
    credentials: Mutex<HashMap<String, Option<Credential>>>,
    /// By scope: one thread renews a token, the others wait for it.
    renewals: Mutex<HashMap<String, Arc<Mutex<()>>>>,
    /// What the proxy on the way is shown, which may repeat it.
    proxy: Vec<Secret>,
}

#[derive(Debug, Default)]
struct Current {
    basic: bool,
    tokens: HashMap<String, Token>,
}

#[derive(Clone, Debug)]
struct Token {
    value: Secret,
    until: Instant,
    service: TokenService,
}

/// Where tokens of a scope come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenService {
    pub(crate) realm: String,
    pub(crate) service: String,
    /// Separated by spaces.
    pub(crate) scopes: String,
}

/// What is known of a scope.
#[derive(Debug)]
pub(crate) enum Known {
    /// The host wants user and password.
    Basic,
    /// A token that is good, as a header.
    Token(Secret),
    /// There was a token, from here.
    Expired(TokenService),
    /// Nothing: the host has not asked for any.
    Nothing,
}

/// The response of a token service.
#[derive(Deserialize)]
pub(crate) struct TokenResponse {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Shown {
    /// Nothing yet, behind a proxy that is shown `proxy`.
    pub(crate) fn behind(proxy: Vec<Secret>) -> Self {
        Self {
            proxy,
            ..Self::default()
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests of these scopes are shown.
    pub(crate) fn known(&self, scope: &str) -> Known {
        let current = self.current();
        if current.basic {
            return Known::Basic;
        }
        match current.tokens.get(scope) {
            Some(token) if token.until > Instant::now() => {
                Known::Token(Secret::new(format!("Bearer {}", token.value.expose())))
            }
            Some(token) => Known::Expired(token.service.clone()),
            None => Known::Nothing,
        }
    }

    /// From now on, the host is shown user and password.
    pub(crate) fn use_basic(&self) {
        self.current().basic = true;
    }

    /// Keeps a token until a little before it expires.
    pub(crate) fn keep(
        &self,
        scope: &str,
        response: TokenResponse,
        service: TokenService,
    ) -> Result<(), ErrorKind> {
        let value = [response.token, response.access_token]
            .into_iter()
            .flatten()
            .find(|token| !token.is_empty());
        let value = value
            .filter(|token| token.bytes().all(|c| (0x21..0x7f).contains(&c)))
            .ok_or_else(|| ErrorKind::Protocol("the token service gave no token".to_owned()))?;
        let token = Token {
            value: Secret::new(value),
            until: Instant::now() + lifetime(response.expires_in),
            service,
        };
        self.current().tokens.insert(scope.to_owned(), token);
        Ok(())
    }

    /// The lock to hold while getting a token for `scope`.
    pub(crate) fn renewal(&self, scope: &str) -> Arc<Mutex<()>> {
        let mut renewals = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(renewals.entry(scope.to_owned()).or_default())
    }

    /// Every secret that was or may have been sent, in every form that it is sent in: no message repeats them.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let credentials = self.credentials();
        let mut secrets: Vec<String> = self
            .current()
            .tokens
            .values()
            .map(|token| token.value.expose().to_owned())
            .collect();
        for credential in credentials.values().flatten() {
            let secret = match credential {
                Credential::Password { password, .. } => password,
                Credential::IdentityToken(token) => token,
            };
            if let Some(header) = basic(credential) {
                secrets.extend(header.expose().split(' ').next_back().map(str::to_owned));
            }
            secrets.push(secret.expose().to_owned());
            secrets.push(percent_encoded(secret.expose()));
        }
        secrets.extend(self.proxy.iter().map(|secret| secret.expose().to_owned()));
        // A secret may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    fn credentials(&self) -> MutexGuard<'_, HashMap<String, Option<Credential>>> {
        self.credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The credential for a repository, looked up once.
    pub(crate) fn credential(
        &self,
        repository: &str,
        look_up: impl FnOnce() -> Result<Option<Credential>, ErrorKind>,
    ) -> Result<Option<Credential>, ErrorKind> {
        let mut credentials = self.credentials();
        if let Some(credential) = credentials.get(repository) {
            return Ok(credential.clone());
        }
        let credential = look_up()?;
        credentials.insert(repository.to_owned(), credential.clone());
        Ok(credential)
    }
}

/// Nine tenths of what the service says: a token must not expire on its way.
fn lifetime(expires_in: Option<f64>) -> Duration {
    let given = Duration::try_from_secs_f64(expires_in.unwrap_or_default()).unwrap_or_default();
    given.clamp(
        Duration::from_secs(MIN_TOKEN_SECONDS),
        Duration::from_secs(MAX_TOKEN_SECONDS),
    ) * 9
        / 10
}

/// The header of the Basic scheme (RFC 7617); `None` for a credential that is not a password.
pub(crate) fn basic(credential: &Credential) -> Option<Secret> {
    match credential {
        Credential::Password { username, password } => {
            let text = format!("{username}:{}", password.expose());
            Some(Secret::new(format!("Basic {}", STANDARD.encode(text))))
        }
        Credential::IdentityToken(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn service() -> TokenService {
        TokenService {
            realm: "https://a/t".to_owned(),
            service: String::new(),
            scopes: "s".to_owned(),
        }
    }

    #[test]
    fn a_token_comes_under_either_name() {
        for json in [
            r#"{"token":"t","expires_in":0}"#,
            r#"{"access_token":"t","expires_in":-5}"#,
            r#"{"token":"","access_token":"t","expires_in":1e300}"#,
            r#"{"token":"t","access_token":null}"#,
        ] {
            let state = Shown::default();
            let response = serde_json::from_str(json).unwrap();
            state.keep("s", response, service()).unwrap();
            assert!(matches!(state.known("s"), Known::Token(t) if t == Secret::new("Bearer t")));
            assert!(matches!(state.known("other"), Known::Nothing));
        }
        for json in [r#"{"token":"a b"}"#, r#"{"token":"a\r\nb"}"#, "{}"] {
            let response = serde_json::from_str(json).unwrap();
            assert!(Shown::default().keep("s", response, service()).is_err());
        }
    }

    #[test]
    fn all_forms_of_a_secret_are_known() {
        let state = Shown::default();
        let credential = Credential::Password {
            username: "me".to_owned(),
            password: Secret::new("ca na"),
        };
        state.credential("a/b", || Ok(Some(credential))).unwrap();
        let response = serde_json::from_str(r#"{"token":"tokentoken"}"#).unwrap();
        state.keep("s", response, service()).unwrap();
        let secrets = state.secrets();
        for form in ["ca na", "ca%20na", "tokentoken", "bWU6Y2EgbmE="] {
            assert!(secrets.contains(&form.to_owned()), "{form}: {secrets:?}");
        }
    }

    #[test]
    fn a_token_lasts_a_minute_at_least_and_a_day_at_most() {
        for (given, lasts) in [
            (None, 54),
            (Some(-1.0), 54),
            (Some(f64::NAN), 54),
            (Some(300.0), 270),
        ] {
            assert_eq!(lifetime(given), Duration::from_secs(lasts), "{given:?}");
        }
        assert_eq!(lifetime(Some(1e300)), Duration::from_secs(54));
        assert_eq!(lifetime(Some(1e12)), Duration::from_secs(86_400 * 9 / 10));
    }
}
