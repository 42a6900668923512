//! Cuts the content of a layer into files and what is between them.
//!
//! Nothing depends on the cut being right: the pieces are the content, whatever it is. A wrong cut
//! only costs bytes. So the grammar is lenient, and damage ends the walk instead of failing it.

const BLOCK: usize = 512;
/// Longer names and metadata are not remembered.
const MAX_NAME: usize = 4096;

/// A part of the content, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Bytes between files.
    Structure(&'a [u8]),
    /// A file begins; its bytes follow.
    File {
        /// Its name in the tar; empty if the content is not a tar.
        name: String,
    },
    /// Bytes of the file.
    Data(&'a [u8]),
}

/// Where in the grammar the next byte is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// In a header block.
    Header,
    /// In bytes of a file, so many more.
    Data(u64),
    /// In the content of a metadata entry, so many more.
    Metadata(u64),
    /// In padding, so many more.
    Padding(u64),
    /// After the end, or after something that is not a tar.
    Rest,
    /// In content that is not a tar at all.
    Other,
}

/// Takes content piece by piece and reports its parts.
pub(crate) struct Splitter {
    state: State,
    /// The part of the header that has come.
    header: Vec<u8>,
    /// Content of a metadata entry that may name the next file.
    metadata: Vec<u8>,
    kind: u8,
    name: Option<String>,
    started: bool,
    /// Padding after the data or metadata that is being read.
    padding: u64,
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Header,
            header: Vec::with_capacity(BLOCK),
            metadata: Vec::new(),
            kind: 0,
            name: None,
            started: false,
            padding: 0,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8], visit: &mut dyn FnMut(Part<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Header => self.header(bytes, visit),
                State::Rest => {
                    visit(Part::Structure(bytes));
                    &[]
                }
                State::Other => {
                    visit(Part::Data(bytes));
                    &[]
                }
                State::Data(left) => {
                    let (now, rest) = split(bytes, left);
                    visit(Part::Data(now));
                    self.advance(left - now.len() as u64, State::Data);
                    rest
                }
                State::Metadata(left) => {
                    let (now, rest) = split(bytes, left);
                    visit(Part::Structure(now));
                    self.remember(now);
                    self.advance(left - now.len() as u64, State::Metadata);
                    rest
                }
                State::Padding(left) => {
                    let (now, rest) = split(bytes, left);
                    visit(Part::Structure(now));
                    self.advance(left - now.len() as u64, State::Padding);
                    rest
                }
            };
        }
    }

    /// Reports what is left in the buffer at the end of the content.
    pub(crate) fn finish(mut self, visit: &mut dyn FnMut(Part<'_>)) {
        let rest = std::mem::take(&mut self.header);
        if rest.is_empty() {
            return;
        }
        if self.started {
            visit(Part::Structure(&rest));
        } else {
            visit(Part::File {
                name: String::new(),
            });
            visit(Part::Data(&rest));
        }
    }

    fn advance(&mut self, left: u64, state: fn(u64) -> State) {
        self.state = match (left, self.padding) {
            (0, 0) => self.next_entry(),
            (0, padding) => {
                self.padding = 0;
                State::Padding(padding)
            }
            (left, _) => state(left),
        };
    }

    fn next_entry(&mut self) -> State {
        if !self.metadata.is_empty() {
            let metadata = std::mem::take(&mut self.metadata);
            self.name = long_name(self.kind, &metadata).or(self.name.take());
        }
        State::Header
    }

    fn remember(&mut self, bytes: &[u8]) {
        let left = MAX_NAME - self.metadata.len();
        self.metadata.extend(&bytes[..bytes.len().min(left)]);
    }

    fn header<'a>(&mut self, bytes: &'a [u8], visit: &mut dyn FnMut(Part<'_>)) -> &'a [u8] {
        let (now, rest) = split(bytes, (BLOCK - self.header.len()) as u64);
        self.header.extend(now);
        if self.header.len() < BLOCK {
            return rest;
        }
        let block = std::mem::take(&mut self.header);
        match Entry::read(&block) {
            Some(entry) => {
                self.started = true;
                visit(Part::Structure(&block));
                self.enter(&entry, visit);
            }
            None if self.started => {
                visit(Part::Structure(&block));
                self.state = State::Rest;
            }
            None => {
                visit(Part::File {
                    name: String::new(),
                });
                visit(Part::Data(&block));
                self.state = State::Other;
            }
        }
        self.header.clear();
        rest
    }

    fn enter(&mut self, entry: &Entry, visit: &mut dyn FnMut(Part<'_>)) {
        self.kind = entry.kind;
        self.padding = entry.size.wrapping_neg() % BLOCK as u64;
        self.state = match entry.kind {
            _ if entry.size == 0 => State::Header,
            b'0' | 0 | b'7' => {
                let name = self.name.take().unwrap_or_else(|| entry.name.clone());
                visit(Part::File { name });
                State::Data(entry.size)
            }
            b'x' | b'g' | b'L' | b'K' => State::Metadata(entry.size),
            // Links and directories have no content whatever size they state; what else there is
            // stays with the structure.
            b'1'..=b'6' => State::Header,
            _ => State::Rest,
        };
        if matches!(self.state, State::Header) {
            self.name = None;
        }
    }
}

/// The fields of a header that matter here.
struct Entry {
    kind: u8,
    size: u64,
    name: String,
}

impl Entry {
    /// `None` if the block is not a header: its checksum is wrong.
    fn read(block: &[u8]) -> Option<Self> {
        let stated = octal(&block[148..156])?;
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        let field: u64 = block[148..156].iter().map(|&byte| u64::from(byte)).sum();
        if sum - field + 8 * u64::from(b' ') != stated {
            return None;
        }
        let name = text(&block[..100]);
        let prefix = text(&block[345..500]);
        let ustar = &block[257..263] == b"ustar\0";
        Some(Self {
            kind: block[156],
            size: size(&block[124..136])?,
            name: if ustar && !prefix.is_empty() {
                format!("{prefix}/{name}")
            } else {
                name
            },
        })
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    bytes.split_at(bytes.len().min(at))
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
}

fn size(field: &[u8]) -> Option<u64> {
    if field[0] == 0x80 {
        let number: [u8; 8] = field[4..12].try_into().ok()?;
        return Some(u64::from_be_bytes(number)).filter(|&size| size < 1 << 62);
    }
    octal(field)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c| c == ' ' || c == '\0');
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok()
}

/// The name that a GNU or PAX metadata entry gives to the next file.
fn long_name(kind: u8, metadata: &[u8]) -> Option<String> {
    match kind {
        b'L' => Some(text(metadata)),
        b'x' => String::from_utf8_lossy(metadata)
            .lines()
            .find_map(|line| line.split_once(" path=").map(|(_, path)| path.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut header = ::tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_entry_type(::tar::EntryType::new(kind));
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn padded(bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        out.resize(bytes.len().next_multiple_of(BLOCK), 0);
        out
    }

    /// The files by name and content, and whether all parts together are the content.
    fn split(content: &[u8], piece: usize) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut all: Vec<u8> = Vec::new();
        let mut visit = |part: Part<'_>| match part {
            Part::Structure(bytes) => all.extend(bytes),
            Part::File { name } => files.push((name, Vec::new())),
            Part::Data(bytes) => {
                all.extend(bytes);
                files.last_mut().unwrap().1.extend(bytes);
            }
        };
        let mut splitter = Splitter::new();
        for bytes in content.chunks(piece) {
            splitter.push(bytes, &mut visit);
        }
        splitter.finish(&mut visit);
        assert!(all == content, "in pieces of {piece}");
        files
    }

    fn file(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), bytes.to_vec())
    }

    #[test]
    fn files_are_found_wherever_the_content_is_cut() {
        let long = format!("{}/end", "long".repeat(40));
        let pax = format!("{} path={long}\n", long.len() + 10);
        let content = [
            header("folder/", b'5', 0),
            header("a", b'0', 3),
            padded(b"abc"),
            header("PaxHeaders/x", b'x', pax.len() as u64),
            padded(pax.as_bytes()),
            header("cut", b'0', 512),
            vec![7; 512],
            header("link", b'2', 0),
            vec![0; 1024],
        ]
        .concat();
        for piece in [1, 7, 511, 512, 513, 10_000] {
            let files = split(&content, piece);
            assert_eq!(files, [file("a", b"abc"), file(&long, &[7; 512])]);
        }
    }

    #[test]
    fn what_is_not_a_tar_is_one_file() {
        for content in [&b"short"[..], &[9; 512], &[9; 1300]] {
            assert_eq!(split(content, 100), [file("", content)]);
        }
        assert_eq!(split(b"", 1), []);
    }

    #[test]
    fn a_tar_that_breaks_off_or_goes_wrong_loses_nothing() {
        let content = [header("a", b'0', 2000), vec![1; 700]].concat();
        assert_eq!(split(&content, 300), [file("a", &[1; 700])]);
        let content = [header("a", b'0', 3), padded(b"abc"), vec![5; 900]].concat();
        assert_eq!(split(&content, 300), [file("a", b"abc")]);
    }
}
