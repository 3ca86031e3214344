//! What `oplog_status()` says of the HTTP server.

use crate::engine::Engine;
use crate::serve::limits;

/// Name, value, unit and meaning of each figure.
pub fn status(engine: &Engine) -> Vec<(&'static str, String, &'static str, &'static str)> {
    let (address, figures) = engine.serving();
    vec![
        (
            "serve",
            address.map_or(String::new(), |address| format!("http://{address}")),
            "",
            "Where oplog_serve answers HTTP",
        ),
        (
            "serve_requests",
            figures.requests.get().to_string(),
            "requests",
            "Requests that it has had since LOAD",
        ),
        (
            "serve_rejected",
            figures.rejected.get().to_string(),
            "requests",
            "Those that were refused: no HTTP, no valid token, a wrong host, path, method or parameter (4xx)",
        ),
        (
            "serve_busy",
            figures.busy.get().to_string(),
            "requests",
            "Those that were put off because a limit was reached (503)",
        ),
        (
            "serve_failed",
            figures.failed.get().to_string(),
            "requests",
            "Those that could not be answered (500)",
        ),
        (
            "serve_reads",
            figures.reads.get().to_string(),
            "questions",
            "Questions to the log that it is answering",
        ),
        (
            "serve_reads_max",
            limits::READS_MAX.to_string(),
            "questions",
            "How many may be; others wait, and are put off after 2 s",
        ),
        (
            "serve_connections",
            figures.connections.get().to_string(),
            "connections",
            "Connections that are open",
        ),
        (
            "serve_connections_max",
            limits::CONNECTIONS_MAX.to_string(),
            "connections",
            "How many may be; others are answered 503 and closed",
        ),
        (
            "serve_connections_refused",
            figures.refused.get().to_string(),
            "connections",
            "Connections beyond that since LOAD",
        ),
        (
            "serve_connections_timed_out",
            figures.timed_out.get().to_string(),
            "connections",
            "Connections that were closed since LOAD because a client took too long, or did nothing",
        ),
    ]
}
