//! The way between the record path and the store: where an operation is accepted, gets its `seq` and waits.
//!
//! What is accepted here lives in memory until the writer has committed it; a durable form of the same queue is what
//! this room is for.

mod aside;
mod durable;
mod error;
mod file;
mod frame;
mod owner;
mod queue;
mod reader;
mod recover;
mod segment;
mod spans;
mod spool;
mod sync;
#[cfg(test)]
pub mod tests;

pub use queue::{Durability, Origin, Queue, QueueFigures, QueueHealth, QUEUE_BYTES_MAX};
pub use {
    aside::write_aside,
    durable::{Journal, Limits, JOURNAL_BYTES_MAX},
    error::OpenError,
    recover::Recovery,
    spans::{ended, read_started, started, Found, SpanFile, Started},
    spool::{spool_beside, Spools, SPOOL_LIMITS},
};
use {error::AppendError, frame::Frame, reader::Reader};
