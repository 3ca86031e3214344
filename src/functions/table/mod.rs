//! The table functions: how they are declared, the declarations, and how DuckDB sees them.

pub mod active;
pub mod alerts;
mod analyses;
pub mod archive;
pub mod backup;
mod blocks;
pub mod capacity;
mod comparison;
mod division;
pub mod engine_function;
pub mod engine_functions;
pub mod history;
pub mod log_queries;
pub mod log_query;
pub mod log_query_table;
pub mod parameters;
mod placeholders;
pub mod policy;
pub mod query;
pub mod retention;
pub mod rows;
pub mod serve;
mod status;
mod windows;
