//! What the crate promises, tried on layers that are made for it.

mod hostile;
mod reseal;
mod round_trip;
mod second_reader;
mod support;
