//! The relations that exist where a user has no table of that name.
//!
//! DuckDB tells a replacement scan the last part of a name only, so `engine` stands for `oplog.engine`.

use crate::host::Answer;

const ENGINE: &str = include_str!("../../sql/engine/engine.sql");
const PROMETHEUS: &str = include_str!("../../sql/engine/prometheus.sql");

pub struct Relation {
    pub name: &'static str,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the reference reads it, and tests make it")
    )]
    pub meaning: &'static str,
    answer: fn() -> Answer,
}

pub const ALL: &[Relation] = &[
    Relation {
        name: "operation_log",
        meaning: "every operation; also as `oplog.operation_log`.",
        answer: || Answer::Function("operation_log"),
    },
    Relation {
        name: "oplog.engine",
        meaning: "what only a session knows of its DuckDB instance, as samples: memory and temporary storage by tag, the \
                  memory limit, threads, connections, and the rows and indexes of each table. It runs in the session \
                  that asks. Columns: `name`, `type`, `help`, `labels`, `value`.",
        answer: || Answer::Query(ENGINE.to_owned()),
    },
    Relation {
        name: "oplog.prometheus",
        meaning: "one row, `text`: `prometheus_text()` together with `oplog.engine`.",
        answer: || Answer::Query(PROMETHEUS.replace("{engine}", ENGINE)),
    },
];

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
