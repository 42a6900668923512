//! What every transfer shares: cancellation, events for whoever watches, readers that hash what
//! passes, and parallel work whose results keep their order.

mod cancel;
mod copy;
mod event;
mod parallel;
mod verify;

pub use cancel::{Cancel, Cancelled};
pub use copy::{BUFFER_BYTES, CopyError, copy};
pub use event::{Event, NoObserver, Observer, Outcome};
pub use parallel::{JobError, cores, run_parallel};
pub use verify::{HashingReader, Mismatch, VerifyingReader, mismatch_of};
