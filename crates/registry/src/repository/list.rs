//! Lists that come in pages.

use serde::Deserialize;

use super::Repository;
use crate::error::{ErrorKind, RegistryError};
use crate::request::Request;
use crate::response::Response;

/// No page of a list is larger.
const MAX_PAGE_BYTES: u64 = 4 << 20;
/// No list has more bytes, all pages together.
const MAX_LIST_BYTES: u64 = 64 << 20;
/// No list has more pages.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct TagPage {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    /// Every tag, all pages.
    ///
    /// # Errors
    /// If the list cannot be had, or is longer than any real one.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let what = || format!("tags of {}", self.name);
        let mut tags = Vec::new();
        self.pages(self.path("tags/list?n=1000"), &what, |bytes| {
            let page: TagPage = serde_json::from_slice(bytes)
                .map_err(|error| ErrorKind::Protocol(error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
            Ok(())
        })?;
        Ok(tags)
    }

    /// Reads a list page by page, following `Link` only on the same origin.
    pub(super) fn pages(
        &self,
        first: String,
        what: &dyn Fn() -> String,
        mut page: impl FnMut(&[u8]) -> Result<(), ErrorKind>,
    ) -> Result<(), RegistryError> {
        let mut next = Some(first);
        let mut left = MAX_LIST_BYTES;
        for _ in 0..MAX_PAGES {
            let Some(path) = next.take() else {
                return Ok(());
            };
            let request = Request::get(path, self.pull_scope());
            let (link, bytes) = self.transport.retrying(&self.host, what, || {
                let response = self.transport.attempt(&self.host, &request)?;
                let link = self.next_page(&response)?;
                Ok((link, response.bytes(MAX_PAGE_BYTES.min(left))?))
            })?;
            next = link;
            left -= bytes.len() as u64;
            page(&bytes).map_err(|kind| self.fail(what(), kind))?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(self.fail(
                what(),
                ErrorKind::Protocol(format!("more than {MAX_PAGES} pages")),
            )),
        }
    }

    fn next_page(&self, response: &Response) -> Result<Option<String>, ErrorKind> {
        let links = response.headers.get_all("link");
        let mut links = links.iter().filter_map(|value| value.to_str().ok());
        let Some(target) = links.find_map(next_target) else {
            return Ok(None);
        };
        match response.origin.resolve(&response.path, target) {
            Some((origin, path)) if origin == self.host.origin => Ok(Some(path)),
            Some((origin, _)) => Err(ErrorKind::Refused(format!(
                "the next page is on another host, {origin}"
            ))),
            None => Err(ErrorKind::Protocol(
                "the link to the next page is malformed".to_owned(),
            )),
        }
    }
}

/// The target of a `Link` with the relation `next` (RFC 8288).
fn next_target(mut header: &str) -> Option<&str> {
    let is_next = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    };
    while let Some((target, after)) = header
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
    {
        let (parameters, _) = after.split_once('<').unwrap_or((after, ""));
        if parameters
            .trim_end_matches([',', ' '])
            .split(';')
            .any(is_next)
        {
            return Some(target);
        }
        header = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let next = "</v2/a/tags/list?last=b&n=1>; rel=\"next\"";
        assert_eq!(next_target(next), Some("/v2/a/tags/list?last=b&n=1"));
        let two = "<x,z>; rel=prev, <y>; title=\"next\"; rel=next";
        assert_eq!(next_target(two), Some("y"));
        for none in ["", "<x", "<x>; rel=\"prev\"", "</next>; rel=first"] {
            assert_eq!(next_target(none), None, "{none}");
        }
    }
}
