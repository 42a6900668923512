//! `Packages`, a hash of Berkeley DB, as rpm wrote it before 2020: headers are on chains of overflow pages.

use std::borrow::Cow;

use super::{Headers, report};
use crate::bytes::{Order, slice};
use crate::limits::MAX_PACKAGES;

const MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER: u64 = 26;
/// Types of pages.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH: u8 = 13;
/// The types of an item that is on the page, and of one that points at a chain of overflow pages.
const ON_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;
/// The size of the counter of packages, which has the key 0.
const COUNTER: usize = 4;

/// Whether a file that begins with `head` is such a database.
pub(super) fn is_hash(head: &[u8]) -> bool {
    order(head).is_some()
}

fn order(head: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big]
        .into_iter()
        .find(|order| order.u32(head, 12) == Some(MAGIC))
}

struct Pages<'a> {
    bytes: &'a [u8],
    order: Order,
    size: u64,
}

/// The headers of the database.
///
/// # Errors
/// If it is not one.
pub(super) fn read(bytes: &[u8]) -> Result<Headers<'_>, String> {
    let order = order(bytes).ok_or("this is not a database of packages")?;
    let size = order.u32(bytes, 20).unwrap_or(0);
    if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
        return Err(format!(
            "a database with pages of {size} bytes, expected 512 to 65536"
        ));
    }
    let encrypted = bytes.get(24).is_none_or(|&algorithm| algorithm != 0);
    if encrypted {
        return Err("an encrypted database".to_owned());
    }
    let pages = Pages {
        bytes,
        order,
        size: u64::from(size),
    };
    let mut headers = Headers::default();
    // A page is in one chain only, so all chains together are no longer than the file.
    let mut left = bytes.len() as u64 / pages.size + 1;
    for number in 1..bytes.len() as u64 / pages.size {
        pages.headers_of(number, &mut left, &mut headers);
    }
    Ok(headers)
}

impl<'a> Pages<'a> {
    fn page(&self, number: u64) -> Option<&'a [u8]> {
        slice(self.bytes, number.checked_mul(self.size)?, self.size)
    }

    /// Adds the headers on a page of the hash and those that it points at; other pages have none.
    fn headers_of(&self, number: u64, left: &mut u64, headers: &mut Headers<'a>) {
        let Some(page) = self.page(number) else {
            return;
        };
        if !matches!(page[25], HASH | HASH_UNSORTED) {
            return;
        }
        let items = usize::from(self.order.u16(page, 20).unwrap_or(0));
        // Keys and values alternate.
        for item in (1..items).step_by(2) {
            if headers.headers.len() == MAX_PACKAGES {
                report(&mut headers.problems, || {
                    format!("only the first {MAX_PACKAGES} packages were read")
                });
                return;
            }
            match self.header(page, item, left) {
                Some(Some(header)) => headers.headers.push(header),
                Some(None) => {}
                None => report(&mut headers.problems, || {
                    format!("item {item} of page {number} is malformed")
                }),
            }
        }
    }

    /// The header that an item of a page is or points at; `Some(None)` if it is something else.
    #[allow(clippy::option_option)] // malformed, something else, a header
    fn header(&self, page: &'a [u8], item: usize, left: &mut u64) -> Option<Option<Cow<'a, [u8]>>> {
        // Items fill the page from its end: each ends where the one before it begins.
        let start = |item: usize| self.order.u16(page, 26 + 2 * item).map(usize::from);
        let bytes = page.get(start(item)?..start(item - 1)?)?;
        match *bytes.first()? {
            OFF_PAGE => Some(Some(self.chain(bytes, left)?.into())),
            // A counter is stored too.
            ON_PAGE if bytes.len() > 1 + COUNTER => Some(Some(bytes[1..].into())),
            _ => Some(None),
        }
    }

    /// The bytes on the overflow pages that an item points at.
    fn chain(&self, item: &[u8], left: &mut u64) -> Option<Vec<u8>> {
        let mut next = u64::from(self.order.u32(item, 4)?);
        let length = usize::try_from(self.order.u32(item, 8)?).ok()?;
        let mut bytes = Vec::new();
        while next != 0 {
            *left = left.checked_sub(1)?;
            let page = self.page(next)?;
            if page[25] != OVERFLOW {
                return None;
            }
            let used = self.order.u16(page, 22)?;
            bytes.extend_from_slice(slice(page, PAGE_HEADER, u64::from(used))?);
            next = u64::from(self.order.u32(page, 16)?);
        }
        (bytes.len() == length).then_some(bytes)
    }
}
