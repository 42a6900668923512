//! Files of settings: `NAME=value`, one a line, as shells and compose files read them.

use std::ops::Range;

use crate::check::{check, fully_qualified, has_selector, short_reference};
use crate::error::Reason;
use crate::list::entry;
use crate::occurrence::{Findings, InputKind, Kind, NotUnderstood};
use crate::text::Text;
use crate::walk::image_key;

/// Whether a text is settings: its first line that says something is one.
pub(crate) fn is_settings(text: &Text<'_>) -> bool {
    let mut lines = text.body.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| setting(line).is_some())
}

/// Reads settings. A name that says image has one as its value; other values are searched.
pub(crate) fn scan(text: &Text<'_>) -> Findings {
    let mut found = Findings::new(InputKind::Settings);
    let mut at = 0;
    for line in text.body.split_inclusive('\n') {
        if let Some((name, value)) = setting(line) {
            read(text, &mut found, name, at + value.start..at + value.end);
        }
        at += line.len();
    }
    found
}

/// The name in a line, and where its value is, without quotes.
fn setting(line: &str) -> Option<(&str, Range<usize>)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim_start();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(word);
    let start = line.len() - value.len();
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let (inner, _) = value.strip_prefix(quote)?.split_once(quote)?;
        Some(start + 1..start + 1 + inner.len())
    });
    let plain = || {
        let value = value.split(" #").next().unwrap_or_default().trim_end();
        let blanks = value.len() - value.trim_start().len();
        start + blanks..start + value.len()
    };
    is_name.then(|| (name, quoted.unwrap_or_else(plain)))
}

fn read(text: &Text<'_>, found: &mut Findings, name: &str, at: Range<usize>) {
    let value = &text.body[at.clone()];
    let named = image_key(name);
    let reason = match check(value) {
        Ok(reference) if named && has_selector(value) || fully_qualified(value).is_some() => {
            let occurrence = entry(text, at, reference, Kind::Environment);
            found.occurrences.push(occurrence);
            return;
        }
        Ok(reference) if named && value.contains('/') => {
            let occurrence = entry(text, at, reference, Kind::Environment);
            found.incomplete.push(occurrence);
            return;
        }
        Ok(_) if named => Reason::BareName,
        Err(reason) if named && !value.is_empty() => reason,
        _ if short_reference(value) && value.contains('/') => Reason::MayBeImage,
        _ => return,
    };
    let (line, column) = text.position(at.start);
    found.not_understood.push(NotUnderstood {
        line,
        column,
        document: 1,
        object: None,
        path: name.to_owned(),
        text: reason.excerpt(value),
        reason,
    });
}
