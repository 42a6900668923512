//! The deflate format (RFC 1951) as all encoders write it: bits, tokens, codes and block headers.

pub(crate) mod bits;
pub(crate) mod header;
pub(crate) mod huffman;
pub(crate) mod symbols;
pub(crate) mod token;
