//! The queue of accepted batches. One lock hands out `seq` and ids, journals and appends, so that all these orders are
//! the same.
//!
//! Memory holds what waits, up to a limit; beyond it the journal alone does, and the writer reads it back from there.

mod drain;
mod error;
mod health;
#[allow(clippy::module_inception)]
mod queue;
mod reopened;
mod room;
#[cfg(test)]
mod tests;
mod waiting;

pub use error::Error;
pub use health::QueueHealth;
pub use queue::{Origin, Queue, QueueFigures, QUEUE_BYTES_MAX};
