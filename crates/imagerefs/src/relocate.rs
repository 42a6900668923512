//! The mapping that is wanted most: to a destination, by its naming rules, with or without digests.

use sealift_oci::{Destination, Naming, Reference};

use crate::pins::Pins;
use crate::rewrite::{Mapping, Replacement};

/// Gives every image the name that it has at a destination. What is there already is settled, so that a
/// second run changes nothing.
pub struct Relocation<'a> {
    destination: &'a Destination,
    naming: &'a Naming,
    pins: Option<&'a Pins>,
}

impl<'a> Relocation<'a> {
    /// To `destination` by `naming`; tags and digests stay what they are.
    pub fn new(destination: &'a Destination, naming: &'a Naming) -> Self {
        Self {
            destination,
            naming,
            pins: None,
        }
    }

    /// The same, and every image gets the digest that `pins` has for the reference at the destination;
    /// images without one are left alone and listed.
    #[must_use]
    pub fn with_pins(mut self, pins: &'a Pins) -> Self {
        self.pins = Some(pins);
        self
    }

    /// Whether a reference is at the destination already: its registry, and below its path.
    pub fn is_there(&self, reference: &Reference) -> bool {
        reference.registry() == self.destination.registry()
            && self.destination.path().is_none_or(|path| {
                let below = reference.repository().strip_prefix(path);
                below.is_some_and(|rest| rest.starts_with('/'))
            })
    }

    fn there(&self, reference: &Reference) -> Result<Reference, Replacement> {
        if self.is_there(reference) {
            return Ok(reference.clone());
        }
        self.naming
            .reference_at(reference, self.destination)
            .map_err(|error| Replacement::Unknown(error.to_string()))
    }
}

impl Mapping for Relocation<'_> {
    fn image(&self, reference: &Reference) -> Replacement {
        let there = match self.there(reference) {
            Ok(there) => there,
            Err(replacement) => return replacement,
        };
        let pinned = match self.pins {
            None => there,
            Some(pins) => match pins.digest_of(&there) {
                Some(digest) => there.with_digest(digest),
                None => return Replacement::Unknown(format!("no digest is known for {there}")),
            },
        };
        if pinned == *reference {
            Replacement::Keep
        } else {
            Replacement::With(pinned)
        }
    }

    fn name(&self, reference: &Reference) -> Replacement {
        match self.there(reference) {
            Ok(there) if there == *reference => Replacement::Keep,
            Ok(there) => Replacement::With(there),
            Err(replacement) => replacement,
        }
    }
}
