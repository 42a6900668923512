//! What every transfer shares: cancellation, events for observers, readers that hash what passes through
//! them, and parallel work within one budget.

mod budget;
mod cancel;
mod copy;
mod event;
pub mod order;
mod parallel;
mod rate;
mod verify;

pub use budget::Budget;
pub use cancel::{Cancel, Cancelled};
pub use copy::{BUFFER_BYTES, CopyError, copy};
pub use event::{Event, NoObserver, Observer, Outcome};
pub use parallel::{JobError, cores, run_fail_fast, run_on_threads, run_parallel};
pub use rate::RateLimit;
pub use verify::{HashingReader, Mismatch, VerifyingReader, mismatch_of};
