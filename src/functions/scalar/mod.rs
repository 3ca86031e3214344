//! The scalar functions, a file each, and what several of them read their arguments with.

pub mod counter_gauge_observe;
pub mod describe;
pub mod exposition;
pub mod finish;
mod labels_argument;
mod operation_argument;
pub mod record;
mod scalar_function;
pub mod start;
pub mod statements;
pub mod version;

pub use scalar_function::ScalarFunction;
