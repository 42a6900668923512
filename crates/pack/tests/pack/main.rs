//! What the crate promises, tried on layers that are made for it.

mod bases;
mod hostile;
mod planning;
mod reseal;
mod round_trip;
mod second_reader;
mod support;
