//! Which of two versions is higher, by the rules of what installed the package.

use std::cmp::Ordering;

/// Compares two versions of a package of this kind; `None` if the rules do not apply.
pub(crate) fn compare(kind: &str, one: &str, other: &str) -> Option<Ordering> {
    match kind {
        "dpkg" => Some(dpkg(one, other)),
        "rpm" => Some(rpm(one, other)),
        "apk" => Some(apk::Version::parse(one)?.cmp(&apk::Version::parse(other)?)),
        "go" => go(one, other),
        _ => None,
    }
}

/// The epoch, which is 0 if there is none, and what follows it.
fn epoch(version: &str) -> (u64, &str) {
    version
        .split_once(':')
        .and_then(|(epoch, rest)| Some((epoch.parse().ok()?, rest)))
        .unwrap_or((0, version))
}

/// Debian Policy, 5.6.12.
fn dpkg(one: &str, other: &str) -> Ordering {
    let parts = |version| {
        let (epoch, rest): (u64, &str) = epoch(version);
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch, upstream.to_owned(), revision.to_owned())
    };
    let (one, other) = (parts(one), parts(other));
    one.0
        .cmp(&other.0)
        .then_with(|| dpkg_part(one.1.as_bytes(), other.1.as_bytes()))
        .then_with(|| dpkg_part(one.2.as_bytes(), other.2.as_bytes()))
}

/// Text and numbers take turns. `~` sorts before the end, letters before all else.
fn dpkg_part(mut one: &[u8], mut other: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        None => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let is_text = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_digit());
    while !one.is_empty() || !other.is_empty() {
        while is_text(one.first()) || is_text(other.first()) {
            let order = weight(one.first()).cmp(&weight(other.first()));
            if order != Ordering::Equal {
                return order;
            }
            (one, other) = (
                one.get(1..).unwrap_or_default(),
                other.get(1..).unwrap_or_default(),
            );
        }
        let order = number(&mut one).cmp(&number(&mut other));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the digits at the start: without leading zeros a longer number is a larger one.
fn number<'a>(text: &mut &'a [u8]) -> (usize, &'a [u8]) {
    let (digits, rest) = split_while(text, u8::is_ascii_digit);
    *text = rest;
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    (digits.len() - zeros, &digits[zeros..])
}

fn split_while(text: &[u8], matches: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !matches(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn rpm(one: &str, other: &str) -> Ordering {
    let parts = |version| {
        let (epoch, rest): (u64, &str) = epoch(version);
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch, version.to_owned(), release.to_owned())
    };
    let (one, other) = (parts(one), parts(other));
    one.0
        .cmp(&other.0)
        .then_with(|| rpm_part(one.1.as_bytes(), other.1.as_bytes()))
        .then_with(|| rpm_part(one.2.as_bytes(), other.2.as_bytes()))
}

/// rpm's rules (`rpm-version(7)`): runs of digits and of letters are compared, the rest only separates them. `~` sorts before the
/// end, `^` after it and before all else.
fn rpm_part(mut one: &[u8], mut other: &[u8]) -> Ordering {
    let separates = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^');
    loop {
        one = split_while(one, separates).1;
        other = split_while(other, separates).1;
        match (one.first(), other.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (one, other) = (&one[1..], &other[1..]);
            }
            (None, None) => return Ordering::Equal,
            (_, Some(b'~')) | (Some(b'^'), None) => return Ordering::Greater,
            (Some(b'~' | b'^') | None, _) => return Ordering::Less,
            (_, Some(b'^') | None) => return Ordering::Greater,
            (Some(first), Some(second)) => {
                let digits = first.is_ascii_digit();
                if digits != second.is_ascii_digit() {
                    // A number is higher than letters.
                    return digits.cmp(&!digits);
                }
                let order = if digits {
                    number(&mut one).cmp(&number(&mut other))
                } else {
                    let (letters, rest) = split_while(one, u8::is_ascii_alphabetic);
                    let (others, other_rest) = split_while(other, u8::is_ascii_alphabetic);
                    (one, other) = (rest, other_rest);
                    letters.cmp(others)
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// Semantic versions as Go has them, `v1.2.3-rc.1`, and versions of Go, `go1.22.1`.
fn go(one: &str, other: &str) -> Option<Ordering> {
    let parts = |version: &str| -> Option<([u64; 3], String)> {
        let text = version
            .strip_prefix("go")
            .or_else(|| version.strip_prefix('v'))?;
        // A release candidate of Go: go1.22rc1.
        let candidate = text.find("rc").filter(|_| version.starts_with("go"));
        let (numbers, rest) = match candidate {
            Some(at) => (&text[..at], &text[at..]),
            None => text.split_once('-').unwrap_or((text, "")),
        };
        let numbers = numbers.split('+').next().unwrap_or_default();
        let mut parsed = [0; 3];
        let mut given = numbers.split('.');
        for number in &mut parsed {
            match given.next() {
                Some(text) => *number = text.parse().ok()?,
                None => break,
            }
        }
        given.next().is_none().then(|| {
            (
                parsed,
                rest.split('+').next().unwrap_or_default().to_owned(),
            )
        })
    };
    let ((one, pre), (other, other_pre)) = (parts(one)?, parts(other)?);
    let before_release = match (pre.is_empty(), other_pre.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => prerelease(&pre, &other_pre),
    };
    Some(one.cmp(&other).then(before_release))
}

/// semver.org, 11.4: identifiers between dots; numbers are compared as numbers and are lower than text.
fn prerelease(one: &str, other: &str) -> Ordering {
    let key = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    one.split('.').map(key).cmp(other.split('.').map(key))
}

/// apk's versions (`apk-package(5)`): numbers, a letter, suffixes, a revision.
mod apk {
    /// A version; fields are in the order in which they are compared.
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(super) struct Version {
        numbers: Vec<u64>,
        letter: u8,
        suffixes: Vec<(i8, u64)>,
        revision: u64,
    }

    /// Suffixes before a release are negative, those after it positive; none is 0.
    const SUFFIXES: [(&str, i8); 9] = [
        ("alpha", -4),
        ("beta", -3),
        ("pre", -2),
        ("rc", -1),
        ("cvs", 1),
        ("svn", 2),
        ("git", 3),
        ("hg", 4),
        ("p", 5),
    ];

    impl Version {
        pub(super) fn parse(version: &str) -> Option<Self> {
            let (version, revision) = version.rsplit_once("-r").unwrap_or((version, "0"));
            let mut parts = version.split('_');
            let numbers = parts.next()?;
            let letter = numbers.bytes().last().filter(u8::is_ascii_lowercase);
            let numbers = &numbers[..numbers.len() - usize::from(letter.is_some())];
            let numbers = numbers.split('.').map(|number| number.parse().ok());
            let mut suffixes: Vec<(i8, u64)> = parts.map(suffix).collect::<Option<_>>()?;
            // "1.0_rc1" is lower than "1.0", which is lower than "1.0_p1".
            suffixes.push((0, 0));
            Some(Self {
                numbers: numbers.collect::<Option<_>>()?,
                letter: letter.unwrap_or(0),
                suffixes,
                revision: revision.parse().ok()?,
            })
        }
    }

    fn suffix(text: &str) -> Option<(i8, u64)> {
        let (name, number) = text.split_at(
            text.find(|c: char| c.is_ascii_digit())
                .unwrap_or(text.len()),
        );
        let (_, order) = SUFFIXES.iter().find(|(suffix, _)| *suffix == name)?;
        let number = if number.is_empty() {
            0
        } else {
            number.parse().ok()?
        };
        Some((*order, number))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn assert_increasing(kind: &str, versions: &[&str]) {
        for (at, one) in versions.iter().enumerate() {
            for (other_at, other) in versions.iter().enumerate() {
                let order = compare(kind, one, other);
                assert_eq!(order, Some(at.cmp(&other_at)), "{kind}: {one}, {other}");
            }
        }
    }

    #[test]
    fn each_kind_has_its_own_order() {
        assert_increasing(
            "dpkg",
            &[
                "1.0~rc1-1",
                "1.0-1",
                "1.0-1+deb12u1",
                "1.0-2",
                "1.0a-1",
                "1.0.1-1",
                "1.9-1",
                "1.10-1",
                "1:0.1-1",
            ],
        );
        assert_increasing(
            "rpm",
            &[
                "1.0~rc1-1",
                "1.0-1.el8",
                "1.0-1.el9",
                "1.0-2.el8",
                "1.0^git1-1",
                "1.0.1-1",
                "1.9-1",
                "1.10-1",
                "2:0.1-1",
            ],
        );
        assert_increasing(
            "apk",
            &[
                "1.0_alpha2-r9",
                "1.0_rc1-r0",
                "1.0-r0",
                "1.0-r10",
                "1.0_p1-r0",
                "1.0a-r0",
                "1.0.1-r0",
                "1.10-r0",
            ],
        );
        assert_increasing(
            "go",
            &[
                "v0.0.0-20210101000000-abcdefabcdef",
                "v0.9.0",
                "v1.0.0-rc.2",
                "v1.0.0-rc.10",
                "v1.0.0",
                "v1.2.0",
                "v1.10.0",
            ],
        );
        assert_increasing(
            "go",
            &["go1.21", "go1.22rc1", "go1.22", "go1.22.1", "go1.100.0"],
        );
    }

    #[test]
    fn what_is_not_a_version_has_no_order() {
        assert_eq!(compare("go", "(devel)", "v1.0.0"), None);
        assert_eq!(compare("apk", "x", "1.0-r0"), None);
        assert_eq!(compare("pip", "1", "2"), None);
    }

    #[test]
    fn equal_versions_may_be_written_differently() {
        assert_eq!(compare("dpkg", "1.0", "0:1.0-0"), Some(Ordering::Equal));
        assert_eq!(compare("rpm", "1.0-1", "1_0-01"), Some(Ordering::Equal));
    }
}
