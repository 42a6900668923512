//! `rpmdb.sqlite`: the table `Packages` of a database in the format of `SQLite`, whose second column is a header.
//!
//! Only what that takes is read: the schema on the first page, the pages of one table, and overflow pages.

use std::borrow::Cow;

use super::{Headers, report};
use crate::bytes::{Order, slice};
use crate::limits::MAX_PACKAGES;

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER: usize = 100;
const TABLE: &[u8] = b"Packages";
/// Types of pages: an inner page and a leaf of a table.
const INNER: u8 = 0x05;
const LEAF: u8 = 0x0d;
/// No honest table is deeper: four levels have millions of leaves.
const MAX_DEPTH: usize = 20;

struct File<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// What of a page is used: the rest is reserved for extensions.
    usable: usize,
}

/// The headers in the table of packages.
///
/// # Errors
/// If this is not such a database.
pub(super) fn read(bytes: &[u8]) -> Result<Headers<'_>, String> {
    let file = File::open(bytes).ok_or("this is not a database of SQLite")?;
    let mut walk = Walk::new(&file);
    let mut root = None;
    walk.table(1, &mut |payload| {
        root = root.or_else(|| root_of_packages(payload));
        Ok(())
    });
    let Some(root) = root else {
        return Err("a database of SQLite without a table of packages".to_owned());
    };
    let mut headers = Headers::default();
    let mut packages = Walk::new(&file);
    packages.table(root, &mut |payload| {
        if headers.headers.len() == MAX_PACKAGES {
            return Err(format!("only the first {MAX_PACKAGES} packages were read"));
        }
        let header = match payload {
            Cow::Borrowed(bytes) => column(bytes, 1).map(Cow::Borrowed),
            Cow::Owned(bytes) => column(&bytes, 1).map(|header| header.to_vec().into()),
        };
        headers
            .headers
            .push(header.ok_or("a row of the table of packages is malformed")?);
        Ok(())
    });
    headers.problems = walk.problems;
    headers.problems.append(&mut packages.problems);
    Ok(headers)
}

/// The first page of the table of packages, if a row of the schema describes it.
fn root_of_packages(row: Cow<'_, [u8]>) -> Option<u64> {
    if column(&row, 0)? != b"table" || column(&row, 1)? != TABLE {
        return None;
    }
    let number = column(&row, 3)?;
    let number = number
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte));
    (number > 0).then_some(number)
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) || bytes.len() < FILE_HEADER {
            return None;
        }
        let page_size = match Order::Big.u16(bytes, 16)? {
            1 => 65_536,
            size => usize::from(size),
        };
        let reserved = usize::from(bytes[20]);
        let right = page_size.is_power_of_two() && page_size >= 512 && page_size - reserved >= 480;
        right.then_some(Self {
            bytes,
            page_size,
            usable: page_size - reserved,
        })
    }

    fn page(&self, number: u64) -> Option<&'a [u8]> {
        let size = self.page_size as u64;
        slice(self.bytes, number.checked_sub(1)?.checked_mul(size)?, size)
    }

    /// The payload of the cell of a leaf at `at`. Its first bytes are on the page, the others on a chain of
    /// overflow pages, of which `left` may be read.
    fn payload(&self, page: &'a [u8], at: usize, left: &mut u64) -> Option<Cow<'a, [u8]>> {
        let (length, at) = varint(page, at)?;
        let (_row, at) = varint(page, at)?;
        let length = usize::try_from(length).ok()?;
        let inline = self.inline(length);
        let start = page.get(at..at.checked_add(inline)?)?;
        if inline == length {
            return Some(Cow::Borrowed(start));
        }
        if length > self.bytes.len() {
            return None;
        }
        let mut payload = start.to_vec();
        let mut next = u64::from(Order::Big.u32(page, at + inline)?);
        while payload.len() < length {
            *left = left.checked_sub(1)?;
            let page = self.page(next)?;
            let here = (length - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(page.get(4..4 + here)?);
            next = u64::from(Order::Big.u32(page, 0)?);
        }
        Some(Cow::Owned(payload))
    }

    /// How many bytes of a payload are on the page itself.
    fn inline(&self, length: usize) -> usize {
        let most = self.usable - 35;
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let rest = least + (length - least) % (self.usable - 4);
        if rest <= most { rest } else { least }
    }
}

/// A walk over the pages of one table.
struct Walk<'f, 'a> {
    file: &'f File<'a>,
    /// How many pages may still be read: an honest table has each page once.
    left: u64,
    problems: Vec<String>,
}

type Visit<'v, 'a> = &'v mut dyn FnMut(Cow<'a, [u8]>) -> Result<(), String>;

impl<'f, 'a> Walk<'f, 'a> {
    fn new(file: &'f File<'a>) -> Self {
        Self {
            file,
            left: (file.bytes.len() / file.page_size) as u64 + 1,
            problems: Vec::new(),
        }
    }

    /// Calls `visit` with every row of the table whose first page is `root`.
    fn table(&mut self, root: u64, visit: Visit<'_, 'a>) {
        let mut open = vec![(root, 0)];
        while let Some((number, depth)) = open.pop() {
            if self.left == 0 || depth > MAX_DEPTH {
                let problem = || "the pages of a table point at each other".to_owned();
                return report(&mut self.problems, problem);
            }
            self.left -= 1;
            if self.page(number, depth, &mut open, visit).is_none() {
                report(&mut self.problems, || format!("page {number} is malformed"));
            }
        }
    }

    fn page(
        &mut self,
        number: u64,
        depth: usize,
        open: &mut Vec<(u64, usize)>,
        visit: Visit<'_, 'a>,
    ) -> Option<()> {
        let page = self.file.page(number)?;
        let start = if number == 1 { FILE_HEADER } else { 0 };
        let cells = usize::from(Order::Big.u16(page, start + 3)?);
        let cell = |index: usize, header: usize| {
            Order::Big
                .u16(page, start + header + 2 * index)
                .map(usize::from)
        };
        match page[start] {
            INNER => {
                // The last page is opened first, and so visited last.
                open.push((u64::from(Order::Big.u32(page, start + 8)?), depth + 1));
                for index in (0..cells).rev() {
                    let child = Order::Big.u32(page, cell(index, 12)?)?;
                    open.push((u64::from(child), depth + 1));
                }
            }
            LEAF => {
                for index in 0..cells {
                    let payload = self.file.payload(page, cell(index, 8)?, &mut self.left)?;
                    if let Err(problem) = visit(payload) {
                        report(&mut self.problems, || problem);
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// The bytes of a column of a row; `None` if the row is malformed.
fn column(row: &[u8], wanted: usize) -> Option<&[u8]> {
    let (header, mut at) = varint(row, 0)?;
    let header = usize::try_from(header).ok()?;
    let mut offset = header;
    for index in 0.. {
        if at >= header {
            return None;
        }
        let (serial, next) = varint(row, at)?;
        at = next;
        let size = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            serial => (serial - 12) / 2,
        };
        let end = offset.checked_add(usize::try_from(size).ok()?)?;
        if index == wanted {
            return row.get(offset..end);
        }
        offset = end;
    }
    None
}

/// A number of one to nine bytes, seven bits in each but the ninth, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0;
    for (index, &byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        if index == 8 {
            return Some((number << 8 | u64::from(byte), at + 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_to_nine_bytes() {
        assert_eq!(varint(&[0x7f], 0), Some((127, 1)));
        assert_eq!(varint(&[0, 0x81, 0x00], 1), Some((128, 3)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xff; 8], 0), None);
        assert_eq!(varint(&[], 1), None);
    }

    #[test]
    fn a_column_beyond_the_row_is_refused() {
        // Two columns: the text "ab" and a number of one byte.
        let row = [3, 17, 1, b'a', b'b', 7];
        assert_eq!(column(&row, 0), Some(&b"ab"[..]));
        assert_eq!(column(&row, 1), Some(&[7][..]));
        assert_eq!(column(&row, 2), None);
        assert_eq!(column(&row[..5], 1), None);
        assert_eq!(column(&[], 0), None);
    }
}
