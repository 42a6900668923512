//! Who may do what: Basic, or Bearer with a token service of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::{Answer, Head, encode, parameters};
use super::record::Route;
use super::store::lock;

/// What a registry asks of its clients.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// User and password with every request.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token with every request, for the scopes that the request needs.
    Bearer(Bearer),
}

/// A registry with a token service at its own `/token`.
#[derive(Clone, Debug)]
pub struct Bearer {
    user: String,
    password: String,
    anonymous_pull: bool,
    uses: Option<u64>,
    expires_in: Option<u64>,
    field: &'static str,
    realm: Option<String>,
}

impl Bearer {
    /// Tokens for this user alone.
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            anonymous_pull: false,
            uses: None,
            expires_in: Some(300),
            field: "token",
            realm: None,
        }
    }

    /// Anybody may pull.
    pub fn anonymous_pull(mut self) -> Self {
        self.anonymous_pull = true;
        self
    }

    /// A token is good for so many requests.
    pub fn uses(mut self, count: u64) -> Self {
        self.uses = Some(count);
        self
    }

    /// What `expires_in` says, in seconds; it is not what ends a token (see [`Bearer::uses`] and
    /// [`crate::Registry::expire_tokens`]).
    pub fn expires_in(mut self, seconds: Option<u64>) -> Self {
        self.expires_in = seconds;
        self
    }

    /// The field that the token comes in: `token` or `access_token`.
    pub fn field(mut self, name: &'static str) -> Self {
        self.field = name;
        self
    }

    /// Another realm than the registry's own token service.
    pub fn realm(mut self, url: &str) -> Self {
        self.realm = Some(url.to_owned());
        self
    }
}

#[derive(Debug)]
struct Token {
    scopes: BTreeSet<String>,
    left: Option<u64>,
}

/// The tokens that were given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: Mutex<(u64, BTreeMap<String, Token>)>,
}

impl Tokens {
    pub(crate) fn expire(&self) {
        lock(&self.issued).1.clear();
    }

    fn issue(&self, scopes: BTreeSet<String>, uses: Option<u64>) -> String {
        let mut issued = lock(&self.issued);
        issued.0 += 1;
        let name = format!("testkit-token-{}", issued.0);
        issued.1.insert(name.clone(), Token { scopes, left: uses });
        name
    }

    /// The scopes of a token that is still good; using it counts.
    fn scopes(&self, name: &str) -> Option<BTreeSet<String>> {
        let mut issued = lock(&self.issued);
        let token = issued.1.get_mut(name)?;
        if let Some(left) = &mut token.left {
            *left = left.checked_sub(1)?;
        }
        Some(token.scopes.clone())
    }
}

/// Refuses a request that may not do what it asks for.
pub(crate) fn check(
    auth: &Auth,
    tokens: &Tokens,
    origin: &str,
    head: &Head,
    route: (Route, &str),
) -> Result<Granted, Answer> {
    match auth {
        Auth::None => Ok(Granted::All),
        _ if route.0 == Route::Token => Ok(Granted::All),
        Auth::Basic { user, password } => match basic(head) {
            Some(pair) if pair == (user.clone(), password.clone()) => Ok(Granted::All),
            _ => Err(unauthorized().header("WWW-Authenticate", "Basic realm=\"testkit\"")),
        },
        Auth::Bearer(bearer) => {
            let needed = needed(head, route);
            let presented = head.header("authorization").unwrap_or_default();
            let scopes = presented
                .strip_prefix("Bearer ")
                .and_then(|token| tokens.scopes(token));
            let challenge = |error: &str| {
                let realm = bearer.realm.clone();
                let realm = realm.unwrap_or_else(|| format!("{origin}/token"));
                let scope = needed.as_deref().unwrap_or_default();
                let scope = match scope {
                    "" => String::new(),
                    scope => format!(",scope=\"{scope}\""),
                };
                let value = format!("Bearer realm=\"{realm}\",service=\"testkit\"{scope}{error}");
                unauthorized().header("WWW-Authenticate", value)
            };
            let Some(scopes) = scopes else {
                return Err(challenge(""));
            };
            let atoms = needed.as_deref().map(atoms).unwrap_or_default();
            if atoms.is_subset(&scopes) {
                Ok(Granted::Scopes(scopes))
            } else {
                Err(challenge(",error=\"insufficient_scope\""))
            }
        }
    }
}

/// What a request may do besides what was checked.
pub(crate) enum Granted {
    All,
    Scopes(BTreeSet<String>),
}

impl Granted {
    /// Whether it may read a repository: what a mount needs of its source.
    pub(crate) fn may_pull(&self, repository: &str) -> bool {
        match self {
            Self::All => true,
            Self::Scopes(scopes) => scopes.contains(&format!("repository:{repository}:pull")),
        }
    }
}

fn unauthorized() -> Answer {
    Answer::error(401, "UNAUTHORIZED", "authentication required")
}

/// The scope that a request needs, as a challenge names it.
fn needed(head: &Head, (route, repository): (Route, &str)) -> Option<String> {
    let actions = match head.method.as_str() {
        "GET" | "HEAD" => "pull",
        "DELETE" if route != Route::Session => "delete",
        _ => "pull,push",
    };
    match route {
        Route::Ping | Route::Token | Route::Other => None,
        Route::Catalog => Some("registry:catalog:*".to_owned()),
        Route::Session | Route::Uploads => Some(format!("repository:{repository}:pull,push")),
        _ => Some(format!("repository:{repository}:{actions}")),
    }
}

/// Splits `repository:a/b:pull,push` into one scope an action.
fn atoms(scope: &str) -> BTreeSet<String> {
    scope
        .split(' ')
        .filter_map(|scope| scope.rsplit_once(':'))
        .flat_map(|(resource, actions)| {
            actions
                .split(',')
                .map(move |action| format!("{resource}:{action}"))
        })
        .collect()
}

fn basic(head: &Head) -> Option<(String, String)> {
    let text = head.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Answers a request for a token: GET with Basic or without, or POST with a form.
pub(crate) fn token(auth: &Auth, tokens: &Tokens, head: &Head, form: &[u8]) -> Answer {
    let Auth::Bearer(bearer) = auth else {
        return Answer::error(404, "UNSUPPORTED", "there is no token service");
    };
    let form = String::from_utf8_lossy(form);
    let (query, who) = if head.method == "POST" {
        let field = |name| parameters(&form, name).into_iter().next();
        (form.as_ref(), field("username").zip(field("password")))
    } else {
        (head.query.as_str(), basic(head))
    };
    let asked: BTreeSet<String> = parameters(query, "scope")
        .iter()
        .flat_map(|scope| atoms(scope))
        .collect();
    let granted = match who {
        Some(pair) if pair == (bearer.user.clone(), bearer.password.clone()) => asked,
        None if bearer.anonymous_pull => asked
            .into_iter()
            .filter(|scope| scope.ends_with(":pull"))
            .collect(),
        _ => return unauthorized(),
    };
    let mut answer = serde_json::json!({ bearer.field: tokens.issue(granted, bearer.uses) });
    if let Some(seconds) = bearer.expires_in {
        answer["expires_in"] = seconds.into();
    }
    Answer::new(200).json(&answer)
}

/// A link to the next page.
pub(crate) fn next_link(path: &str, query: &[(&str, String)]) -> String {
    let query: Vec<String> = query
        .iter()
        .map(|(key, value)| format!("{key}={}", encode(value)))
        .collect();
    format!("<{path}?{}>; rel=\"next\"", query.join("&"))
}
