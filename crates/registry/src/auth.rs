//! Authentication: challenges, tokens, and what is shown to whom.
//!
//! Not part of the distribution specification; what registries do follows Docker's token service:
//! `401` with `WWW-Authenticate: Bearer realm=…,service=…,scope=…`, then a GET of the realm.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::Problem;
use crate::keychain::Credential;
use crate::secret::Secret;

/// What one host wants to be shown.
#[derive(Debug, Default)]
pub(crate) struct AuthState(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    basic: bool,
    tokens: HashMap<String, Token>,
}

#[derive(Clone, Debug)]
struct Token {
    value: Secret,
    until: Instant,
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: String,
        scope: String,
    },
}

/// What a token service answers.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl AuthState {
    /// The `Authorization` header for a request of these scopes, as far as it is known.
    pub(crate) fn header(&self, scope: &str, credential: Option<&Credential>) -> Option<Secret> {
        let state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.basic {
            return credential.and_then(basic);
        }
        let token = state
            .tokens
            .get(scope)
            .filter(|token| token.until > Instant::now())?;
        Some(Secret::new(format!("Bearer {}", token.value.expose())))
    }

    /// From now on, the host is shown user and password.
    pub(crate) fn use_basic(&self) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .basic = true;
    }

    /// Keeps a token until a little before it expires; at least a minute is what every service means.
    pub(crate) fn keep(&self, scope: &str, answer: TokenAnswer) -> Result<(), Problem> {
        let value = if answer.token.is_empty() {
            answer.access_token
        } else {
            answer.token
        };
        if value.is_empty() || !value.bytes().all(|c| (0x21..0x7f).contains(&c)) {
            return Err(Problem::Protocol(
                "the token service gave no token".to_owned(),
            ));
        }
        let seconds = u64::try_from(answer.expires_in.unwrap_or(60))
            .unwrap_or(60)
            .clamp(60, 86_400);
        let until = Instant::now() + Duration::from_secs(seconds * 9 / 10);
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.tokens.insert(
            scope.to_owned(),
            Token {
                value: Secret::new(value),
                until,
            },
        );
        Ok(())
    }

    /// Forgets a token that was refused.
    pub(crate) fn forget(&self, scope: &str) {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.tokens.remove(scope);
    }
}

/// The header of the Basic scheme (RFC 7617); none for a credential that is no password.
pub(crate) fn basic(credential: &Credential) -> Option<Secret> {
    match credential {
        Credential::Password { username, password } => {
            let text = format!("{username}:{}", password.expose());
            Some(Secret::new(format!("Basic {}", STANDARD.encode(text))))
        }
        Credential::IdentityToken(_) => None,
    }
}

/// The challenge to answer: Bearer where it is offered, else Basic (RFC 9110, section 11.6.1).
pub(crate) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = headers.flat_map(parse).collect();
    let bearer = challenges
        .iter()
        .find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

fn parse(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, HashMap<String, String>)> = Vec::new();
    for piece in split_outside_quotes(header) {
        let piece = piece.trim();
        // `Scheme name=value` begins a challenge; `name=value` goes on with it.
        let (scheme, parameter) = match piece.split_once(' ') {
            Some((scheme, rest)) if !scheme.contains('=') => (Some(scheme), rest.trim()),
            _ if !piece.contains('=') && !piece.is_empty() => (Some(piece), ""),
            _ => (None, piece),
        };
        if let Some(scheme) = scheme {
            found.push((scheme.to_ascii_lowercase(), HashMap::new()));
        }
        if let (Some((name, value)), Some((_, parameters))) =
            (parameter.split_once('='), found.last_mut())
        {
            parameters.insert(name.trim().to_ascii_lowercase(), unquoted(value.trim()));
        }
    }
    found
        .into_iter()
        .filter_map(|(scheme, parameters)| challenge(&scheme, parameters))
        .collect()
}

fn challenge(scheme: &str, mut parameters: HashMap<String, String>) -> Option<Challenge> {
    let mut take = |name: &str| parameters.remove(name).unwrap_or_default();
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: take("realm"),
            service: take("service"),
            scope: take("scope"),
        }),
        _ => None,
    }
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

fn unquoted(value: &str) -> String {
    match value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_challenge_keeps_commas_inside_quotes() {
        let header = r#"Bearer realm="https://a/t",service="r.io",scope="repository:x:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://a/t".to_owned(),
            service: "r.io".to_owned(),
            scope: "repository:x:pull,push".to_owned(),
        };
        assert_eq!(choose([header].into_iter()), Some(expected));
    }

    #[test]
    fn bearer_is_preferred_wherever_it_stands() {
        let headers = [r#"Basic realm="r", Bearer realm="https://a/t""#];
        assert!(matches!(
            choose(headers.into_iter()),
            Some(Challenge::Bearer { .. })
        ));
        assert_eq!(
            choose(["Negotiate", r#"basic realm="x""#].into_iter()),
            Some(Challenge::Basic)
        );
        assert_eq!(choose(["Negotiate", "garbage \"", ""].into_iter()), None);
    }

    #[test]
    fn a_token_lasts_a_minute_at_least_and_comes_under_either_name() {
        for json in [
            r#"{"token":"t","expires_in":0}"#,
            r#"{"access_token":"t","expires_in":-5}"#,
            r#"{"token":"t"}"#,
        ] {
            let state = AuthState::default();
            state
                .keep("s", serde_json::from_str(json).unwrap())
                .unwrap();
            assert_eq!(state.header("s", None), Some(Secret::new("Bearer t")));
            assert_eq!(state.header("other", None), None);
            state.forget("s");
            assert_eq!(state.header("s", None), None);
        }
        let state = AuthState::default();
        assert!(
            state
                .keep("s", serde_json::from_str(r#"{"token":"a b"}"#).unwrap())
                .is_err()
        );
    }
}
