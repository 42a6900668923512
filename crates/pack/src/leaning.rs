//! The base objects of a pack: collected while it is built, numbered when it is known which ones are used.

use std::collections::BTreeMap;
use std::sync::Arc;

use regzip::nested::Outline;

use crate::bases::Base;
use crate::decode::base_blob;
use crate::format::{BaseBlob, BaseObject, Object, Range};
use crate::relating::{Difference, Lean};
use crate::storage::Region;

/// Parts of bases that a pack may need.
#[derive(Default)]
pub(crate) struct Leaning {
    items: Vec<Item>,
}

/// Part of a base, to become a base object.
#[derive(Clone)]
struct Item {
    /// The base, by its position in the plan.
    base: usize,
    ranges: Vec<Range>,
    outline: Option<Arc<Outline>>,
    /// Where the same bytes are in a new blob.
    stand_in: Option<Region>,
}

/// Base objects with their numbers.
pub(crate) struct Numbered {
    pub(crate) blobs: Vec<BaseBlob>,
    /// The base of each of these blobs, by its position in the plan.
    pub(crate) bases: Vec<usize>,
    pub(crate) objects: Vec<Object>,
    /// The number of each item that is used.
    numbers: Vec<Option<usize>>,
    /// Where the content of each object is in a new blob.
    pub(crate) stand_ins: Vec<Option<Region>>,
}

impl Leaning {
    /// Remembers a part of a base; returns its name here.
    pub(crate) fn add(
        &mut self,
        base: usize,
        ranges: Vec<Range>,
        outline: Option<Arc<Outline>>,
        stand_in: Option<Region>,
    ) -> usize {
        self.items.push(Item {
            base,
            ranges,
            outline,
            stand_in,
        });
        self.items.len() - 1
    }

    /// Which items are used: the first ones, so many, and those that differences lean on.
    pub(crate) fn used<'a>(
        &self,
        first: usize,
        differences: impl Iterator<Item = &'a Option<Difference>>,
    ) -> Vec<bool> {
        let mut used: Vec<bool> = (0..self.items.len()).map(|item| item < first).collect();
        for lean in differences
            .flatten()
            .flat_map(|difference| &difference.bases)
        {
            if let Lean::Base(item) = lean {
                used[*item] = true;
            }
        }
        used
    }

    /// Numbers the items that are used, in the order of their blobs and of where they begin there. The bases are
    /// sorted by digest, as base blobs have to be.
    pub(crate) fn number(&self, bases: &[Base], used: &[bool]) -> Numbered {
        let mut order: Vec<usize> = (0..self.items.len()).filter(|&item| used[item]).collect();
        order.sort_by_key(|&item| (self.items[item].base, &self.items[item].ranges, item));
        let mut numbered = Numbered {
            blobs: Vec::new(),
            bases: Vec::new(),
            objects: Vec::with_capacity(order.len()),
            numbers: vec![None; self.items.len()],
            stand_ins: Vec::with_capacity(order.len()),
        };
        let mut positions: BTreeMap<usize, usize> = BTreeMap::new();
        for number in order {
            let item = &self.items[number];
            let blob = *positions.entry(item.base).or_insert_with(|| {
                numbered.blobs.push(base_blob(&bases[item.base]));
                numbered.bases.push(item.base);
                numbered.blobs.len() - 1
            });
            numbered.numbers[number] = Some(numbered.objects.len());
            numbered.objects.push(Object::of_base(BaseObject {
                blob,
                ranges: item.ranges.clone(),
                outline: item.outline.clone(),
            }));
            numbered.stand_ins.push(item.stand_in.clone());
        }
        numbered
    }
}

impl Numbered {
    /// The number of an item, which has to be one that is used.
    pub(crate) fn number(&self, item: usize) -> usize {
        self.numbers[item].expect("items that are referred to are used")
    }
}
