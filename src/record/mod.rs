//! What an operation is: its fields, what they accept, and how many of them travel together.
//!
//! Pure: this room knows no DuckDB. A call is turned into one [`Batch`] a chunk, column by column, and the batch is
//! what the queue, the metrics and the store see.

mod batch;
pub mod codec;
mod field;
mod id;
mod json;
mod phase;
mod trace;
mod value;

pub use batch::{part, Batch, BatchBuilder, ColumnWriter, Pending, Source, Stamp, PART_BYTES_MAX};
pub use field::{Field, Kind};
pub use id::{format_id, parse_id, IdGenerator, IdRange};
pub use json::push_json;
pub use phase::Phase;
pub use trace::TraceParent;
pub use value::{accepts, Problem, Value, INTERRUPTED, LOGGED_STATUSES};

/// Text longer than this is cut, and marked as cut.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
