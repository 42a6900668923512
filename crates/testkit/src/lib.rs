//! For tests: an OCI registry that can misbehave, images made from a seed, and real programs.
//!
//! Nothing of it gets into the program. Functions here panic where a test could not go on.

mod image;
pub mod layers;
pub mod real;
mod registry;

pub use image::{
    Artifact, EMPTY_LAYER, Format, Image, ImageMaker, Layer, Made, Packing, cosign, cosign_tag,
    fallback_index, filler, nested, platform,
};
pub use registry::{
    Auth, Authorization, Bearer, Behaviour, Builder, Endless, Fault, Gate, Kept, Location, Mounts,
    Profile, Recorded, Registry, Response, Route, SessionState, Snapshot, Traffic, When,
};
