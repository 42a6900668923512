//! Lists of numbers that take little memory: there are many, and each is short and read in order.

use super::fields::{Fields, put};

/// Numbers in the variable-length form of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers(Box<[u8]>);

impl Numbers {
    /// The numbers in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let mut fields = Fields::new(&self.0);
        std::iter::from_fn(move || (fields.remaining() > 0).then(|| fields.number().ok())?)
    }
}

impl FromIterator<u64> for Numbers {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut bytes = Vec::new();
        for number in numbers {
            put(&mut bytes, number);
        }
        Self(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_come_back_in_order() {
        let list = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX, 5];
        let numbers: Numbers = list.into_iter().collect();
        assert!(numbers.iter().eq(list));
        assert_eq!(Numbers::default().iter().count(), 0);
    }
}
