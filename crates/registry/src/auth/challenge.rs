//! What a `WWW-Authenticate` header asks for (RFC 9110, section 11.6.1).

use std::collections::HashMap;

/// One challenge of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: String,
        scope: String,
        /// Whether a token was there and did not suffice (RFC 6750, section 3.1).
        insufficient: bool,
    },
}

/// The challenge to answer: Bearer where it is offered, else Basic (RFC 9110, section 11.6.1).
pub(crate) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = headers.flat_map(parse).collect();
    let bearer = challenges
        .iter()
        .find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

/// Whether a header says that the token was good and did not suffice.
pub(crate) fn asks_for_more(header: &str) -> bool {
    matches!(
        choose(std::iter::once(header)),
        Some(Challenge::Bearer {
            insufficient: true,
            ..
        })
    )
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
            insufficient: take("error") == "insufficient_scope",
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
            insufficient: false,
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
    fn a_token_that_does_not_suffice_is_told_apart() {
        let header = r#"Bearer realm="https://a/t", error="insufficient_scope", scope="s""#;
        assert!(matches!(
            choose([header].into_iter()),
            Some(Challenge::Bearer {
                insufficient: true,
                ..
            })
        ));
    }

    #[test]
    fn long_and_torn_headers_are_read_to_their_end() {
        let long = format!("Bearer realm=\"{}", "\\\",".repeat(10_000));
        assert!(matches!(
            choose([long.as_str()].into_iter()),
            Some(Challenge::Bearer { .. })
        ));
    }
}
