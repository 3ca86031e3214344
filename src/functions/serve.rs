//! `oplog_serve` and `oplog_serve_stop`: the HTTP endpoint, which is off until it is called for.

use super::answers::Answers;
use super::figures::{Answer, Figure, Scan, Value};
use super::policy::{Effect, Effects};
use super::Session;
use crate::duckdb::{Context, LogicalType, Table, TableBind, TableOutput, TypeId};
use crate::engine::Engine;
use crate::serve::limits;
use crate::serve::Options;
use std::sync::Arc;

/// A named parameter, as the reference shows it: its name, type, default and meaning.
pub type Named = (&'static str, TypeId, &'static str, &'static str);

pub const NAME: &str = "oplog_serve";

#[cfg(test)]
pub const SUMMARY: &str = "Serves metrics, health and operations over HTTP, until `oplog_serve_stop()` or the end of the \
    database: [what it answers](http.md). With the same parameters it can be called again.";

#[cfg(test)]
pub const EXAMPLE: &str = "CALL oplog_serve(port := 0);";

pub const PARAMETERS: [Named; 3] = [
    (
        "address",
        TypeId::Varchar,
        "'127.0.0.1'",
        "the IP address to listen on; other machines reach it at '0.0.0.0' or '::'",
    ),
    (
        "port",
        TypeId::BigInt,
        "9464",
        "the port to listen on; 0 for any free one",
    ),
    (
        "token",
        TypeId::Varchar,
        "",
        "what requests must bring along as `Authorization: Bearer …`; required where other machines can reach the address",
    ),
];

pub const COLUMNS: [(&str, TypeId, &str); 3] = [
    ("address", TypeId::Varchar, "where it listens"),
    ("port", TypeId::BigInt, "its port"),
    ("url", TypeId::Varchar, "both, to put a path behind"),
];

pub const STOP: Figure = Figure {
    name: "oplog_serve_stop",
    summary: "Stops the server of `oplog_serve`; what it is answering gets half a second.",
    example: "CALL oplog_serve_stop();",
    positional: &[],
    columns: &[
        ("stopped", TypeId::Boolean, "whether one was running"),
        ("url", TypeId::Varchar, "where it listened"),
    ],
    effects: &[Effect::Configures],
    answer: |engine, _| {
        let address = engine.stop_serving();
        Ok(vec![vec![
            Value::Boolean(address.is_some()),
            address.map_or(Value::Null, |address| {
                Value::text(format!("http://{address}"))
            }),
        ]])
    },
};

/// `oplog_serve` as DuckDB sees it.
pub struct Serve {
    session: Session,
}

impl Serve {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }

    fn serve(&self, options: &Options) -> Answer {
        let source = |shared| Arc::new(Answers::new(shared)) as Arc<_>;
        let address = self.session.engine().serve(options.clone(), source)?;
        Ok(vec![vec![
            Value::text(address.ip().to_string()),
            Value::Integer(address.port().into()),
            Value::text(format!("http://{address}")),
        ]])
    }
}

fn failed(error: String) -> String {
    format!("{NAME}: {error}")
}

impl Table for Serve {
    type Bound = Options;
    type Scan = Scan;

    fn name(&self) -> &'static str {
        NAME
    }

    fn positional(&self) -> Vec<TypeId> {
        Vec::new()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        PARAMETERS
            .iter()
            .map(|(name, type_id, ..)| (*name, *type_id))
            .collect()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<Options, String> {
        for (name, type_id, _) in COLUMNS {
            bind.add_column(name, &LogicalType::new(type_id));
        }
        let text = |name| bind.named_text(name).map_err(failed);
        let address = text("address")?.unwrap_or_else(|| Options::ADDRESS_DEFAULT.into());
        let port = bind
            .named("port")
            .map_or(Options::PORT_DEFAULT, |value| value.int64());
        Options::parse(&address, port, text("token")?).map_err(failed)
    }

    fn start(&self, options: &Options, columns: &[usize], _: &Context) -> Result<Scan, String> {
        let rows = self.serve(options).map_err(failed)?;
        Ok(Scan::new(rows, columns))
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        Ok(scan.next_into(output))
    }
}

impl Effects for Serve {
    fn effects(&self) -> &'static [Effect] {
        &[Effect::Configures, Effect::Listens]
    }
}

/// What `oplog_status()` says of the server: name, value, unit and meaning of each figure.
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
