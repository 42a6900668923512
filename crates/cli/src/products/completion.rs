//! What shells offer for the names of products and features: those that are built in.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::OnceLock;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use sealift_products::{Catalogue, Product};

/// Reads a value from its text, and offers names that are built in. Any other text is read too: there are releases
/// that this program does not know.
pub(crate) struct Offering<T> {
    names: fn() -> &'static [String],
    value: PhantomData<fn() -> T>,
}

/// Releases as `NAME@VERSION`.
pub(crate) fn releases<T>() -> Offering<T> {
    Offering::of(|| {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let releases = |product: &Product| -> Vec<String> {
                let releases = product.releases.iter();
                releases
                    .map(|release| format!("{}@{}", product.name, release.version.as_str()))
                    .collect()
            };
            products().iter().flat_map(releases).collect()
        })
    })
}

/// Products and releases: `NAME`, `NAME@VERSION`.
pub(crate) fn products_and_releases<T>() -> Offering<T> {
    Offering::of(|| {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let names = products().iter().map(|product| product.name.clone());
            let releases = (releases::<String>().names)().iter().cloned();
            names.chain(releases).collect()
        })
    })
}

/// Features of any product.
pub(crate) fn features<T>() -> Offering<T> {
    Offering::of(|| {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let features = products().iter().flat_map(|product| &product.features);
            let mut names: Vec<String> = features.map(|feature| feature.name.clone()).collect();
            names.sort_unstable();
            names.dedup();
            names
        })
    })
}

/// The built-in products; a fault in their data is reported where they are used.
fn products() -> &'static [Product] {
    static CATALOGUE: OnceLock<Option<Catalogue>> = OnceLock::new();
    let catalogue = CATALOGUE.get_or_init(|| Catalogue::built_in().ok());
    catalogue.as_ref().map_or(&[], Catalogue::products)
}

impl<T> Offering<T> {
    fn of(names: fn() -> &'static [String]) -> Self {
        Self {
            names,
            value: PhantomData,
        }
    }
}

impl<T> Clone for Offering<T> {
    fn clone(&self) -> Self {
        Self::of(self.names)
    }
}

impl<T> TypedValueParser for Offering<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, Error> {
        let read: fn(&str) -> Result<T, T::Err> = str::parse;
        read.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = (self.names)().iter();
        Some(Box::new(
            names.map(|name| PossibleValue::new(name.as_str())),
        ))
    }
}
