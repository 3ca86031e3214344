//! The relations that exist where a user has no table of that name.
//!
//! DuckDB tells a replacement scan the last part of a name only, so `engine` stands for `oplog.engine`.

use super::table::log_queries;
use super::table::log_query::Columns;
use super::table::query::Query;
use super::Session;
use crate::duckdb::{Answer, OptionDeclaration, TypeId};

const ENGINE: &str = include_str!("../../sql/engine/engine.sql");
const MEMORY_LIMIT: &str = include_str!("../../sql/engine/memory_limit.sql");
const PROMETHEUS: &str = include_str!("../../sql/engine/prometheus.sql");

pub struct Relation {
    pub name: &'static str,
    pub meaning: &'static str,
    pub columns: Columns,
    answer: fn() -> Answer,
}

impl Relation {
    /// The function that answers for it, where one does.
    pub fn function(&self) -> Option<&'static str> {
        match (self.answer)() {
            Answer::Function(name) => Some(name),
            Answer::Query(_) => None,
        }
    }
}

pub const ALL: &[Relation] = &[
    Relation {
        name: "operation_log",
        meaning: "every operation; also as `oplog.operation_log`. A table, a view or a Python variable of that name comes first; \
                  the function `operation_log()` has no rival.",
        columns: Columns::Log,
        answer: || Answer::Function("operation_log"),
    },
    Relation {
        name: "oplog.archive",
        meaning: "every operation of log and archive, each once: `operation_log` with what `oplog_archive_set` has had written to files.",
        columns: Columns::Log,
        answer: || Answer::Function("operation_archive"),
    },
    Relation {
        name: "oplog.engine",
        meaning: "what only a session knows of its DuckDB instance, as samples: memory and temporary storage by tag, the \
                  memory limit, threads, connections, and the rows and indexes of each table. It runs in the session \
                  that asks. Columns: `name`, `type`, `help`, `labels`, `value`.",
        columns: Columns::Listed(&[
            ("name", "VARCHAR", "the sample"),
            ("type", "VARCHAR", "gauge or counter"),
            ("help", "VARCHAR", "what the metric says"),
            ("labels", "MAP(VARCHAR, VARCHAR)", "names and values"),
            ("value", "DOUBLE", "what it is now"),
        ]),
        answer: || Answer::Query(engine()),
    },
    Relation {
        name: "oplog.prometheus",
        meaning: "one row, `text`: `prometheus_text()` together with `oplog.engine`.",
        columns: Columns::Listed(&[("text", "VARCHAR", "Prometheus text format 0.0.4")]),
        answer: || Answer::Query(PROMETHEUS.replace("{engine}", &engine())),
    },
];

fn engine() -> String {
    ENGINE.replace("{memory_limit}", MEMORY_LIMIT)
}

/// What makes `SHOW operation_log` work in DuckDB 2: there SHOW asks for tables and settings only, and no longer for what
/// stands in for a table.
pub fn shown(session: &Session) -> OptionDeclaration {
    OptionDeclaration {
        name: "operation_log",
        type_id: TypeId::Varchar,
        description: "The columns of the relation operation_log, for SHOW; DESCRIBE lists them",
        default: columns(session),
    }
}

/// The columns of the relation and their types; none where the log cannot be read.
fn columns(session: &Session) -> Option<String> {
    let query = Query::default_of(log_queries::named("operation_log")?).ok()?;
    let columns = query.columns(session.engine().answering()).ok()?;
    let columns: Vec<String> = columns
        .into_iter()
        .map(|(name, type_name)| format!("{name} {type_name}"))
        .collect();
    Some(columns.join(", "))
}

/// What answers for a name.
pub fn answer(name: &str) -> Option<Answer> {
    ALL.iter()
        .find(|relation| {
            let short = relation
                .name
                .strip_prefix("oplog.")
                .unwrap_or(relation.name);
            let given = name
                .get(.."oplog.".len())
                .filter(|schema| schema.eq_ignore_ascii_case("oplog."));
            name[given.map_or(0, str::len)..].eq_ignore_ascii_case(short)
        })
        .map(|relation| (relation.answer)())
}
