//! The operations that run: which they are, and the file that outlives their process.

mod error;
mod file;
mod frame;
mod table;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use file::{Orphans, SpanFile};
pub use frame::{started, Started};
pub use table::{age_ms, Claimed, Running, SpanFigures, Spans, SPANS_BYTES_MAX, SPANS_MAX};
