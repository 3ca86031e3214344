//! The way between the record path and the store: where an operation is accepted, gets its `seq` and waits.
//!
//! What is accepted here lives in memory until the writer has committed it; a durable form of the same queue is what
//! this room is for.

mod queue;

pub use queue::{Queue, QueueFigures, QUEUE_BYTES_MAX};
