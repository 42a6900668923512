//! Commands for those who work on sealift itself.

fn main() {}
