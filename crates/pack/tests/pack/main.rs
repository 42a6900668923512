//! What the crate promises, tried on layers that are made for it.

mod round_trip;
mod support;
