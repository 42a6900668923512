//! Kinds of fields: references whose values are predicted.

/// A reference inside code or data. Its number identifies its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Field {
    /// 32-bit displacement from the end of the field (amd64).
    Relative = 1,
    /// The same, followed by an immediate of one byte, from whose end it counts.
    RelativeImm8 = 2,
    /// The same with an immediate of two bytes.
    RelativeImm16 = 3,
    /// The same with an immediate of four bytes.
    RelativeImm32 = 4,
    /// 64-bit address.
    Address = 5,
    /// 32-bit offset from the start of the text.
    TextOffset = 6,
    /// 32-bit offset from the start of Go's types.
    TypeOffset = 7,
    /// 32-bit offset into the table of function names.
    NameOffset = 8,
    /// 32-bit offset into the table of program counter values.
    PcOffset = 9,
    /// 32-bit index into the table of compilation units' files.
    UnitIndex = 10,
    /// 32-bit offset into the table of files.
    FileOffset = 11,
    /// 32-bit offset into the functions' data.
    FuncDataOffset = 12,
    /// 32-bit offset of a string of the symbol table.
    StringOffset = 13,
    /// 64-bit value of a symbol.
    SymbolValue = 14,
    /// 32-bit reference to an entry of `.debug_info`.
    InfoOffset = 15,
    /// 32-bit offset into `.debug_line`.
    LineOffset = 16,
    /// 32-bit offset into `.debug_rnglists`.
    RangesOffset = 17,
    /// 32-bit offset into `.debug_loclists`.
    LocationsOffset = 18,
    /// Index of an address in `.debug_addr`, as LEB128.
    AddressIndex = 19,
    /// Branch of 26 bits (arm64).
    Branch = 20,
    /// Page address and offset in two instructions (arm64).
    Page = 21,
    /// Entry of the table of functions: start and offset of its description.
    FunctionEntry = 22,
    /// 32-bit displacement from the field itself.
    SelfRelative = 23,
    /// 32-bit distance back from the field within the file.
    BackReference = 24,
    /// 32-bit displacement from the start of a table of such displacements.
    TableEntry = 25,
    /// 32-bit offset of a string of the dynamic symbol table.
    DynamicStringOffset = 26,
    /// 64-bit address that is also at the address before it (a relocation and its addend).
    Addend = 27,
    /// 32-bit index of a dynamic symbol.
    SymbolIndex = 28,
    /// 32-bit offset from the start of Go's read-only data.
    DataOffset = 29,
    /// Page address in one instruction (arm64); the offset is in a later one.
    PageStart = 30,
    /// Offset in the page that an earlier instruction gives (arm64).
    PageOffset = 31,
}

impl Field {
    /// How many bytes it has; for LEB128 this is not fixed, and 1 is the least.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Address | Self::SymbolValue | Self::Page | Self::FunctionEntry | Self::Addend => {
                8
            }
            Self::AddressIndex => 1,
            _ => 4,
        }
    }

    /// Whether its width is known without its value.
    pub(crate) fn is_fixed(self) -> bool {
        self != Self::AddressIndex
    }

    /// Whether it is part of instructions of arm64 that form an address, whose bits are not those of a number.
    pub(crate) fn is_page(self) -> bool {
        matches!(self, Self::Page | Self::PageStart | Self::PageOffset)
    }

    /// How far behind the start of the field its displacement counts from.
    pub(crate) fn origin(self) -> u64 {
        match self {
            Self::Relative => 4,
            Self::RelativeImm8 => 5,
            Self::RelativeImm16 => 6,
            Self::RelativeImm32 => 8,
            _ => 0,
        }
    }
}
