//! A small program of Go and C at once, with every kind of part that the codec knows, made for tests.

#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

pub(crate) const BASE: u64 = 0x40_0000;
const FUNC: u64 = 32;

/// The functions of a program.
pub(crate) struct Mini {
    names: Vec<String>,
    amd64: bool,
    /// Whether it has what the second version of the codec knows: links to types, an index of functions, objects on
    /// stacks.
    links: bool,
    /// Whether instructions of arm64 that form an address have another one between them.
    apart: bool,
    /// Bytes between the start of sections that are not loaded and the boundary before.
    shift: usize,
}

impl Mini {
    /// A program with `count` functions.
    pub(crate) fn new(count: usize, amd64: bool) -> Self {
        let names = (0..count).map(|index| name(index as u64));
        Self {
            names: names.collect(),
            amd64,
            links: false,
            apart: false,
            shift: 0,
        }
    }

    /// The same with links to types, an index of functions, and objects on stacks.
    pub(crate) fn with_links(self) -> Self {
        Self {
            links: true,
            ..self
        }
    }

    /// The same with another instruction between those that form an address.
    pub(crate) fn with_pages_apart(self) -> Self {
        Self {
            apart: true,
            ..self
        }
    }

    /// The same with sections that are not loaded at so many bytes behind a boundary.
    pub(crate) fn shifted(self, shift: usize) -> Self {
        Self { shift, ..self }
    }

    /// The same with functions that move all others.
    pub(crate) fn with_more(mut self, at: usize, more: usize) -> Self {
        for index in 0..more {
            self.names.insert(at, name(1 << 32 | index as u64));
        }
        self
    }

    /// The bytes of the program.
    pub(crate) fn build(&self) -> Vec<u8> {
        // Twice: the first time to learn where everything is.
        let mut places = Places::default();
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes = self.link(&mut places);
        }
        bytes
    }

    fn link(&self, places: &mut Places) -> Vec<u8> {
        let mut file = vec![0; 64 + 56];
        let mut sections: Vec<(&str, u32, u64, u64, u64)> = vec![("", 0, 0, 0, 0)];
        let mut loaded = 0;
        let links = LINKS.into_iter().filter(|_| self.links);
        for (name, kind, flags, make) in PARTS.into_iter().chain(links) {
            let shift = if flags == 0 { self.shift } else { 0 };
            file.resize(file.len().next_multiple_of(16) + shift, 0);
            let start = file.len() as u64;
            let bytes = make(self, places);
            places.set(name, start, bytes.len() as u64);
            let address = if flags == 0 { 0 } else { BASE + start };
            sections.push((name, kind, flags, address, start));
            file.extend(bytes);
            if flags != 0 {
                loaded = file.len() as u64;
            }
        }
        let names_at = file.len() as u64;
        let mut names = vec![0];
        let mut headers = Vec::new();
        sections.push((".shstrtab", 3, 0, 0, names_at));
        for (name, kind, flags, address, start) in &sections {
            let name_at = names.len() as u32;
            names.extend(name.bytes());
            names.push(0);
            let len = places.get(name).1;
            headers.extend(name_at.to_le_bytes());
            headers.extend(kind.to_le_bytes());
            headers.extend(
                [*flags, *address, *start, len, 0, 1, 0]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
        }
        places.set(".shstrtab", names_at, names.len() as u64);
        file.extend(names);
        file.resize(file.len().next_multiple_of(8), 0);
        let headers_at = file.len() as u64;
        file.extend(headers);
        self.header(&mut file, headers_at, sections.len() as u16, loaded);
        file
    }

    /// The ELF header and one program header.
    fn header(&self, file: &mut [u8], headers_at: u64, sections: u16, loaded: u64) {
        let machine = if self.amd64 { 62u16 } else { 183 };
        file[..20].copy_from_slice(
            &[
                b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".as_slice(),
                &machine.to_le_bytes(),
            ]
            .concat(),
        );
        put(file, 0x20, 64);
        put(file, 0x28, headers_at);
        let counts = [64u16, 56, 1, 64, sections, sections - 1];
        file[0x34..0x40].copy_from_slice(&counts.map(u16::to_le_bytes).concat());
        file[64..72].copy_from_slice(&[1u32.to_le_bytes(), 7u32.to_le_bytes()].concat());
        for (index, value) in [0, BASE, BASE, loaded, loaded + 0x1000, 0x1000]
            .into_iter()
            .enumerate()
        {
            put(file, 72 + 8 * index, value);
        }
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    /// Functions that refer to data, memory and each other.
    fn text(&self, places: &Places) -> Vec<u8> {
        let mut text = Vec::new();
        for index in 0..self.len() {
            let here = places.address(".text") + FUNC * index as u64;
            let data = places.address(".data") + 8 * (index as u64 % 16);
            let callee = places.address(".text") + FUNC * ((index + 1) % self.len()) as u64;
            let mut code = Vec::new();
            if self.amd64 {
                let relative = |code: &Vec<u8>, to: u64, more: u64| {
                    (to.wrapping_sub(here + code.len() as u64 + 4 + more) as u32).to_le_bytes()
                };
                code.extend([0x48, 0x8b, 0x05]);
                code.extend(relative(&code, data, 0));
                code.push(0xe8);
                code.extend(relative(&code, callee, 0));
                code.extend([0x83, 0x3d]);
                code.extend(relative(&code, data + 64, 1));
                code.extend([0, 0xb8, index as u8 & 15, 1, 0, 0, 0xc3]);
            } else {
                let pages = ((data >> 12).wrapping_sub(here >> 12)) as u32 & 0x1f_ffff;
                code.extend((0x9000_0000 | (pages & 3) << 29 | (pages >> 2) << 5).to_le_bytes());
                if self.apart {
                    code.extend(0x5280_0021u32.to_le_bytes());
                }
                code.extend((0x9100_0000 | (data as u32 & 0xfff) << 10).to_le_bytes());
                let distance =
                    (callee.wrapping_sub(here + code.len() as u64) as i64 / 4) as u32 & 0x03ff_ffff;
                code.extend((0x9400_0000 | distance).to_le_bytes());
                code.extend((0x5280_0000u32 | (index as u32 & 15) << 5).to_le_bytes());
            }
            code.resize(FUNC as usize, 0xcc);
            text.extend(code);
        }
        text
    }

    /// Strings, and addresses of functions.
    fn rodata(&self, places: &Places) -> Vec<u8> {
        let mut bytes: Vec<u8> = b"a message that is printed when nothing else is known ".repeat(3);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        for index in 0..self.len() as u64 {
            bytes.extend((places.address(".text") + FUNC * index).to_le_bytes());
        }
        if self.links {
            bytes.extend(self.function_index());
            bytes.resize(bytes.len().next_multiple_of(16), 0);
            bytes.extend(self.stack_objects());
        }
        bytes
    }

    /// The index of functions by address, which follows the addresses of functions.
    fn function_index(&self) -> Vec<u8> {
        let each = 256 / FUNC as u32;
        let mut bytes = Vec::new();
        for piece in 0..(self.len() as u32).div_ceil(each) {
            if piece % 16 == 0 {
                bytes.extend((piece * each).to_le_bytes());
            }
            bytes.push((piece % 16 * each) as u8);
        }
        bytes
    }

    /// For each function a list of one object, which refers to the strings.
    fn stack_objects(&self) -> Vec<u8> {
        let object = |index: u32| [1, 0, index, 16, 8, 8 * (index % 7)].map(u32::to_le_bytes);
        (0..self.len() as u32)
            .flat_map(|index| object(index).concat())
            .collect()
    }

    /// Where in the read-only data the index and the objects are.
    fn index_and_objects(&self) -> (u64, u64) {
        let index = 160 + 8 * self.len();
        let objects = (index + self.function_index().len()).next_multiple_of(16);
        (index as u64, objects as u64)
    }

    /// Offsets of addresses in the read-only data, as if they were types.
    fn type_links(&self, _: &Places) -> Vec<u8> {
        let link = |index: usize| 160 + 8 * (index * 7 % self.len()) as u32;
        (0..self.len())
            .flat_map(|index| link(index).to_le_bytes())
            .collect()
    }

    fn data(_: &Self, places: &Places) -> Vec<u8> {
        let address = |index: u64| places.address(".rodata") + 8 * (index * 5 % 20);
        (0..24)
            .flat_map(|index| address(index).to_le_bytes())
            .collect()
    }

    fn pclntab(&self, _: &Places) -> Vec<u8> {
        let (mut names, mut values) = (vec![0], vec![0]);
        let count = self.len();
        let mut funcs = Vec::new();
        let table = count * 8 + 4;
        let mut entries = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let at = (table + funcs.len()).next_multiple_of(8);
            funcs.resize(at - table, 0);
            let value = values.len() as u32;
            values.extend([2, (index % 5) as u8 + 1, 30, 0]);
            let entry = (FUNC as usize * index) as u32;
            entries.extend([entry, at as u32].map(u32::to_le_bytes).concat());
            let fields = [
                entry,
                names.len() as u32,
                8,
                0,
                value,
                value,
                value,
                1,
                0,
                10 + index as u32 % 9,
            ];
            funcs.extend(fields.map(u32::to_le_bytes).concat());
            funcs.extend([0, 0, 0, if self.links { 3 } else { 1 }]);
            funcs.extend(value.to_le_bytes());
            funcs.extend(u32::MAX.to_le_bytes());
            if self.links {
                funcs.extend(u32::MAX.to_le_bytes());
                funcs.extend((24 * index as u32).to_le_bytes());
            }
            names.extend(name.bytes());
            names.push(0);
        }
        entries.extend((count as u32 * FUNC as u32).to_le_bytes());
        let parts = [names, vec![0; 8], b"\0main.go\0".to_vec(), values];
        let mut at = 72;
        let mut bytes = [&0xffff_fff1u32.to_le_bytes()[..], &[0, 0, 1, 8]].concat();
        bytes.extend([count as u64, 1, 0].map(u64::to_le_bytes).concat());
        let mut body = Vec::new();
        for part in parts {
            bytes.extend((at as u64).to_le_bytes());
            body.extend(part);
            body.resize(body.len().next_multiple_of(8), 0);
            at = 72 + body.len();
        }
        bytes.extend((at as u64).to_le_bytes());
        [bytes, body, entries, funcs].concat()
    }

    /// The description of the module.
    fn module(&self, places: &Places) -> Vec<u8> {
        let mut words = [0u64; 48];
        words[0] = places.address(".gopclntab");
        words[1] = words[0] + 72;
        words[22] = places.address(".text");
        words[37] = places.address(".rodata");
        words[38] = words[37] + places.get(".rodata").1;
        words[40] = words[38];
        if self.links {
            let (index, objects) = self.index_and_objects();
            words[19] = words[37] + index;
            words[20] = words[22];
            words[21] = words[22] + FUNC * self.len() as u64;
            words[39] = words[37];
            words[40] = words[37] + objects;
        }
        words.map(u64::to_le_bytes).concat()
    }

    fn eh_frame(&self, places: &Places) -> Vec<u8> {
        let mut bytes = [20u32, 0].map(u32::to_le_bytes).concat();
        bytes.extend(b"\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01\0\0");
        for index in 0..self.len() as u64 {
            let at = bytes.len() as u64;
            let field = places.address(".eh_frame") + at + 8;
            let code = places.address(".text") + FUNC * index;
            bytes.extend(
                [
                    20,
                    at as u32 + 4,
                    code.wrapping_sub(field) as u32,
                    FUNC as u32,
                ]
                .map(u32::to_le_bytes)
                .concat(),
            );
            bytes.extend([0, 0x44, 0x0e, 0x10, index as u8 & 7, 0, 0, 0]);
        }
        bytes.extend([0; 4]);
        bytes
    }

    fn eh_frame_hdr(&self, places: &Places) -> Vec<u8> {
        let (here, frames) = (places.address(".eh_frame_hdr"), places.address(".eh_frame"));
        let mut bytes = vec![1, 0x1b, 3, 0x3b];
        bytes.extend((frames.wrapping_sub(here + 4) as u32).to_le_bytes());
        bytes.extend((self.len() as u32).to_le_bytes());
        for index in 0..self.len() as u64 {
            let code = places.address(".text") + FUNC * index;
            let frame = frames + 24 + 24 * index;
            bytes.extend(
                [code, frame]
                    .map(|to| (to.wrapping_sub(here) as u32).to_le_bytes())
                    .concat(),
            );
        }
        bytes
    }

    /// One for each word of the data.
    fn relocations(&self, places: &Places) -> Vec<u8> {
        let data = Self::data(self, places);
        let mut bytes = Vec::new();
        for (index, word) in data.chunks(8).enumerate() {
            bytes.extend((places.address(".data") + 8 * index as u64).to_le_bytes());
            bytes.extend(8u64.to_le_bytes());
            bytes.extend(word);
        }
        bytes
    }

    fn symbols(&self, places: &Places) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        let mut name = 1u32;
        for (index, text) in self.names.iter().enumerate() {
            bytes.extend(name.to_le_bytes());
            bytes.extend([2, 0, 1, 0]);
            bytes.extend(
                [places.address(".text") + FUNC * index as u64, FUNC]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            name += text.len() as u32 + 1;
        }
        bytes
    }

    fn strings(&self, _: &Places) -> Vec<u8> {
        let mut bytes = vec![0];
        for name in &self.names {
            bytes.extend(name.bytes());
            bytes.push(0);
        }
        bytes
    }

    fn debug_info(&self, places: &Places) -> Vec<u8> {
        let mut body = vec![5, 0, 1, 8, 0, 0, 0, 0, 1];
        body.extend(b"unit\0\0\0\0\0");
        for (index, name) in self.names.iter().enumerate() {
            body.push(2);
            body.extend(name.bytes());
            body.push(0);
            body.extend((places.address(".text") + FUNC * index as u64).to_le_bytes());
            body.extend(
                [12 + 6 * index as u32, 12 + 5 * index as u32]
                    .map(u32::to_le_bytes)
                    .concat(),
            );
        }
        body.push(0);
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    }

    fn debug_line(&self, places: &Places) -> Vec<u8> {
        let line = |index: usize| {
            let address = places.address(".text") + FUNC * index as u64;
            [
                &[0, 9, 2][..],
                &address.to_le_bytes(),
                &[3, index as u8 & 31, 1, 0, 1, 1],
            ]
            .concat()
        };
        (0..self.len()).flat_map(line).collect()
    }

    fn debug_frame(&self, places: &Places) -> Vec<u8> {
        let mut bytes = [12u32, u32::MAX, 0x0107_7801, 0]
            .map(u32::to_le_bytes)
            .concat();
        for index in 0..self.len() as u64 {
            bytes.extend([20u32, 0].map(u32::to_le_bytes).concat());
            bytes.extend(
                [places.address(".text") + FUNC * index, FUNC]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
        }
        bytes
    }

    fn debug_addr(&self, places: &Places) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, 5, 0, 8, 0];
        for index in 0..self.len() as u64 {
            bytes.extend((places.address(".text") + FUNC * index).to_le_bytes());
        }
        bytes
    }

    fn abbreviations(_: &Self, _: &Places) -> Vec<u8> {
        let unit = [1, 0x11, 1, 3, 8, 0x10, 0x17, 0, 0];
        let function = [2, 0x2e, 0, 3, 8, 0x11, 1, 0x55, 0x17, 2, 0x17, 0, 0, 0];
        [&unit[..], &function].concat()
    }

    fn locations(&self, _: &Places) -> Vec<u8> {
        self.lists(true)
    }

    fn ranges(&self, _: &Places) -> Vec<u8> {
        self.lists(false)
    }

    /// A list for each function: of ranges, or of locations, which have one byte more.
    fn lists(&self, locations: bool) -> Vec<u8> {
        let mut body = vec![5, 0, 8, 0, 0, 0, 0, 0];
        for index in 0..self.len() {
            if locations {
                body.extend([1, index as u8 & 127, 5, 0, 0]);
            } else {
                body.extend([3, index as u8 & 127, 4 + (index as u8 & 7), 1, 0, 0]);
            }
        }
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    }
}

/// A name that resembles no other.
fn name(number: u64) -> String {
    let hash = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("mini.{hash:x}")
}

/// Makes the bytes of a section.
type Maker = fn(&Mini, &Places) -> Vec<u8>;

/// Name, type and flags of each section, and what makes its bytes.
const PARTS: [(&str, u32, u64, Maker); 19] = [
    (".text", 1, 6, Mini::text),
    (".rodata", 1, 2, Mini::rodata),
    (".gopclntab", 1, 2, Mini::pclntab),
    (".eh_frame", 1, 2, Mini::eh_frame),
    (".eh_frame_hdr", 1, 2, Mini::eh_frame_hdr),
    (".dynsym", 11, 2, Mini::symbols),
    (".dynstr", 3, 2, Mini::strings),
    (".rela.dyn", 4, 2, Mini::relocations),
    (".noptrdata", 1, 3, Mini::module),
    (".data", 1, 3, Mini::data),
    (".debug_abbrev", 1, 0, Mini::abbreviations),
    (".debug_info", 1, 0, Mini::debug_info),
    (".debug_line", 1, 0, Mini::debug_line),
    (".debug_frame", 1, 0, Mini::debug_frame),
    (".debug_addr", 1, 0, Mini::debug_addr),
    (".debug_loclists", 1, 0, Mini::locations),
    (".debug_rnglists", 1, 0, Mini::ranges),
    (".symtab", 2, 0, Mini::symbols),
    (".strtab", 3, 0, Mini::strings),
];

/// What is in the program besides if it has links.
const LINKS: [(&str, u32, u64, Maker); 1] = [(".typelink", 1, 2, Mini::type_links)];

/// Where sections start, and their lengths.
#[derive(Default)]
struct Places(std::collections::BTreeMap<&'static str, (u64, u64)>);

impl Places {
    fn set(&mut self, name: &'static str, start: u64, len: u64) {
        self.0.insert(name, (start, len));
    }

    fn get(&self, name: &str) -> (u64, u64) {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn address(&self, name: &str) -> u64 {
        BASE + self.get(name).0
    }
}

fn put(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
