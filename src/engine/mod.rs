//! One log's life: it is opened and wired here, answers, moves, and is shut down.

mod alerts;
mod backup;
mod capacity;
mod check;
mod close;
mod command;
#[allow(clippy::module_inception)]
mod engine;
mod error;
pub mod health;
mod held_back;
mod journals;
mod log;
mod metrics;
mod moving;
mod notes;
mod open;
mod pulse;
mod recorded;
mod registry;
mod relocate;
mod restore;
mod retention;
mod rules;
mod sampler;
mod server;
mod serving;
mod shared;
mod spans;
mod writer;

pub use engine::Engine;
pub use error::Error;
pub use log::Status;
pub use shared::Shared;
