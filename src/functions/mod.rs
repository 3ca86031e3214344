//! The SQL surface: what each function is called, takes and gives, declared once. `LOAD`, the reference in docs/,
//! `oplog_functions()` and the surface test come from these declarations.

mod http;
#[cfg(test)]
mod reference;
pub mod relations;
pub mod scalar;
mod session;
pub mod surface;
pub mod table;

pub use session::{option, Session};
