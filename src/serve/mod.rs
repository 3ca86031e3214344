//! The HTTP endpoint behind `oplog_serve`: connections, limits, routes, tokens, formats. Pure HTTP: it knows no DuckDB and
//! no SQL, and asks its [`Source`].
//!
//! One thread of its own waits for sockets; what a source answers is worked out on at most [`limits::READS_MAX`] + 1
//! others. All of them have ended when [`Server::stop`] returns.

mod access;
mod body;
mod cancel;
mod connection;
mod handler;
pub mod limits;
mod negotiate;
mod options;
mod reply;
mod route;
mod server;
mod slots;
mod target;
#[cfg(test)]
mod tests;

use crate::metrics::Format;

pub use cancel::Cancel;
pub use options::Options;
#[cfg(test)]
pub use route::{Route, Shape, PROJECT, ROUTES};
pub use server::Server;

/// Parameters of a request, decoded, each name at most once.
pub type Parameters = [(String, String)];

/// How the process does.
pub struct Health {
    pub healthy: bool,
    pub json: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A parameter is wrong: which, its value and the remedy.
    Parameter(String),
    /// The answer is too large to be worked out.
    TooLarge(String),
    /// It is not the client's fault.
    Failed(String),
}

/// What the server asks. Calls come from several threads at a time, and may take long save where it says so.
pub trait Source: Send + Sync + 'static {
    /// All metrics. Takes no longer than the rendering.
    fn metrics(&self, format: Format) -> String;

    /// Waits for nothing.
    fn health(&self) -> Health;

    /// A page of a function's rows, as JSON.
    fn page(&self, query: &str, filters: &Parameters, cancel: &Cancel) -> Result<String, Problem>;

    /// The row of this id as JSON, where there is one that the filters let pass.
    fn member(
        &self,
        query: &str,
        id: &str,
        filters: &Parameters,
        cancel: &Cancel,
    ) -> Result<Option<String>, Problem>;

    /// A function's one row, as JSON.
    fn row(&self, query: &str, filters: &Parameters, cancel: &Cancel) -> Result<String, Problem>;
}
