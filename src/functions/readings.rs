//! The reading functions: each is a .sql file, run in the sidecar, plus its declaration here.

use super::parameters::{
    from_call, id, Arguments, Named, Parameter, Role, BUCKET, BY, FILTERS, PERIOD, SINCE, TIMEZONE,
    UNTIL,
};
use super::policy::{Effect, Effects};
use super::question::{is_out_of_memory, told, Question};
use super::Session;
use crate::caller::Watched;
use crate::duckdb::{
    Context, LogicalType, Rows, Table, TableBind, TableOutput, TypeId, Value, VECTOR_SIZE,
};
use crate::engine::Shared;
use crate::store::Parameter as Bound;

/// The columns of an answer, for the reference; the types are those of the SQL, and a test holds the two together.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub enum Columns {
    /// Those of the log.
    Log,
    /// Name, SQL type and meaning of each.
    Listed(&'static [Column]),
    /// The columns of `by`, first or behind the first of these.
    Grouped(&'static [Column]),
}

pub type Column = (&'static str, &'static str, &'static str);

/// A reading function.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub struct Reading {
    pub name: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// Parameters before the filters; positional ones must be given.
    pub positional: &'static [Parameter],
    pub named: &'static [Parameter],
    pub filters: bool,
    /// The time range where none is given; none for everything.
    pub default_period: Option<&'static str>,
    pub default_by: &'static [&'static str],
    pub columns: Columns,
    /// Values from the engine that the SQL uses.
    pub figures: Option<fn(&Shared) -> Named>,
    pub sql: &'static str,
}

impl Reading {
    pub fn parameters(&self) -> Vec<&'static Parameter> {
        let filters = if self.filters { FILTERS } else { &[] };
        self.named.iter().chain(filters).collect()
    }
}

const BASE: Reading = Reading {
    name: "",
    summary: "",
    example: "",
    positional: &[],
    named: &[],
    filters: true,
    default_period: None,
    default_by: &[],
    columns: Columns::Log,
    figures: None,
    sql: "",
};

const fn rows(name: &'static str, default: i64, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        type_id: TypeId::BigInt,
        role: Role::Rows { default },
        meaning,
    }
}

pub const ALL: &[Reading] = &[
    Reading {
        name: "operation_log",
        summary: "Every operation, in no particular order: what the relations `operation_log` and `oplog.operation_log` stand for.",
        example: "SELECT count(*) FROM operation_log;",
        filters: false,
        sql: include_str!("../../sql/functions/operation_log.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_operations",
        summary: "Operations, newest first.",
        example: "FROM oplog_operations(command := 'import', period := '24h', max_rows := 20);",
        named: &[
            SINCE,
            UNTIL,
            PERIOD,
            rows("max_rows", i64::MAX, "rows to give at most"),
            rows("skip_rows", 0, "rows to skip first"),
        ],
        sql: include_str!("../../sql/functions/oplog_operations.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_operation",
        summary: "The one operation with this id; no row if there is none.",
        example: "FROM oplog_operation('019a5f6e-0000-7000-8000-000000000000');",
        positional: &[Parameter {
            name: "id",
            type_id: TypeId::Any,
            role: Role::Id,
            meaning: "what `oplog_record` returned",
        }],
        filters: false,
        sql: include_str!("../../sql/functions/oplog_operation.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_stats",
        summary: "Counts, errors, durations and volumes, one row a group.",
        example: "FROM oplog_stats(period := '24h', by := 'project_id,command');",
        named: &[PERIOD, SINCE, UNTIL, BY],
        default_period: Some("1h"),
        default_by: &["command"],
        columns: Columns::Grouped(&[
            ("operations", "BIGINT", "how many"),
            ("errors", "BIGINT", "those that were no `success`"),
            ("success_rate", "DOUBLE", "share of successes, 0 to 1"),
            ("avg_ms", "DOUBLE", "mean duration; operations without one are left out of all durations"),
            ("p50_ms", "DOUBLE", "median duration (`quantile_cont`)"),
            ("p95_ms", "DOUBLE", "95th percentile"),
            ("p99_ms", "DOUBLE", "99th percentile"),
            ("max_ms", "DOUBLE", "longest duration"),
            ("total_ms", "DOUBLE", "sum of the durations"),
            ("rows_affected", "BIGINT", "sum, 9223372036854775807 at most, which is BIGINT's limit; the same holds for the other sums"),
            ("bytes_in", "BIGINT", "sum"),
            ("bytes_out", "BIGINT", "sum"),
            ("first_at", "TIMESTAMP WITH TIME ZONE", "when the first ended"),
            ("last_at", "TIMESTAMP WITH TIME ZONE", "when the last ended"),
        ]),
        sql: include_str!("../../sql/functions/oplog_stats.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_summary",
        summary: "The whole period in one row.",
        example: "FROM oplog_summary(period := '24h');",
        named: &[PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        columns: Columns::Listed(&[
            ("period", "VARCHAR", "the length of the period; NULL where it has no beginning"),
            ("total_operations", "BIGINT", "how many"),
            ("success_rate", "DOUBLE", "share of successes, 0 to 1; NULL where nothing ran"),
            ("avg_duration_ms", "DOUBLE", "mean duration"),
            ("p50_duration_ms", "DOUBLE", "median duration (`quantile_cont`)"),
            ("p95_duration_ms", "DOUBLE", "95th percentile"),
            ("p99_duration_ms", "DOUBLE", "99th percentile"),
            (
                "by_command",
                "MAP(VARCHAR, STRUCT(count BIGINT, avg_ms DOUBLE))",
                "each command, the most frequent first",
            ),
            (
                "errors",
                "STRUCT(code VARCHAR, count BIGINT)[]",
                "each error code, the most frequent first",
            ),
        ]),
        sql: include_str!("../../sql/functions/oplog_summary.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_slowest",
        summary: "The operations that took longest, slowest first.",
        example: "FROM oplog_slowest(n := 5, command := 'import');",
        named: &[rows("n", 10, "rows to give"), PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        sql: include_str!("../../sql/functions/oplog_slowest.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_errors",
        summary: "What failed and how often, by error code and command.",
        example: "FROM oplog_errors(period := '7d');",
        named: &[PERIOD, SINCE, UNTIL],
        default_period: Some("1h"),
        columns: Columns::Listed(&[
            ("error_code", "VARCHAR", "as recorded; NULL where none was given"),
            ("command", "VARCHAR", "what failed"),
            ("count", "BIGINT", "how often"),
            ("first_at", "TIMESTAMP WITH TIME ZONE", "first time in the period"),
            ("last_at", "TIMESTAMP WITH TIME ZONE", "last time"),
            ("last_message", "VARCHAR", "the newest message that was given"),
        ]),
        sql: include_str!("../../sql/functions/oplog_errors.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_timeline",
        summary: "Operations, errors and durations over time, one row a bucket; empty buckets are rows too.",
        example: "FROM oplog_timeline(period := '24h', bucket := '1h');",
        named: &[PERIOD, SINCE, UNTIL, BUCKET, TIMEZONE, BY],
        default_period: Some("1h"),
        columns: Columns::Grouped(&[
            ("bucket", "TIMESTAMP WITH TIME ZONE", "start of the bucket; the columns of `by` follow it"),
            ("operations", "BIGINT", "how many"),
            ("errors", "BIGINT", "those that were no `success`"),
            ("p50_ms", "DOUBLE", "median duration"),
            ("p95_ms", "DOUBLE", "95th percentile"),
            ("max_ms", "DOUBLE", "longest duration"),
        ]),
        sql: include_str!("../../sql/functions/oplog_timeline.sql"),
        ..BASE
    },
    Reading {
        name: "oplog_retention",
        summary: "The retention policy, what it would delete now, and what it deleted.",
        example: "FROM oplog_retention();",
        filters: false,
        figures: Some(retention_figures),
        columns: Columns::Listed(&[
            ("setting", "VARCHAR", "the rule"),
            ("applies_to", "VARCHAR", "the statuses that it is about"),
            ("keep", "VARCHAR", "its value in force"),
            ("expires_before", "TIMESTAMP WITH TIME ZONE", "what ended before this goes; NULL where age expires nothing"),
            ("operations", "BIGINT", "operations in the log that it is about"),
            ("expired_operations", "BIGINT", "those that a purge would delete now"),
            ("last_deleted_at", "TIMESTAMP WITH TIME ZONE", "when it last deleted any"),
            ("last_deleted_operations", "BIGINT", "how many those were"),
            ("deleted_operations", "BIGINT", "how many it has deleted so far"),
        ]),
        sql: include_str!("../../sql/functions/oplog_retention.sql"),
        ..BASE
    },
];

fn retention_figures(shared: &Shared) -> Named {
    use crate::settings::Setting;
    let settings = shared.settings();
    let now_us = crate::system::clock::now_us();
    let keep = |setting| Bound::Text(settings.get(setting).to_string());
    let before =
        |keep_us: Option<i64>| keep_us.map_or(Bound::Null, |keep_us| Bound::Time(now_us - keep_us));
    vec![
        ("retention", keep(Setting::Retention)),
        ("error_retention", keep(Setting::ErrorRetention)),
        ("max_size", keep(Setting::MaxSize)),
        ("success_before", before(settings.retention_us(now_us))),
        ("error_before", before(settings.error_retention_us(now_us))),
    ]
}

/// The reading function of this name, which has to be one of [`ALL`].
pub fn named(name: &str) -> Option<&'static Reading> {
    ALL.iter().find(|reading| reading.name == name)
}

/// A reading function as DuckDB sees it.
pub struct ReadingFunction {
    session: Session,
    reading: &'static Reading,
}

impl ReadingFunction {
    pub fn new(session: &Session, reading: &'static Reading) -> Self {
        Self {
            session: session.clone(),
            reading,
        }
    }

    /// Has the log mended if it is its damage that a question has met; says whether it was.
    fn may_mend(&self, error: &str) -> bool {
        !is_out_of_memory(error) && self.shared().mend()
    }

    fn shared(&self) -> &Shared {
        self.session.engine().answering()
    }
}

/// A bound call: the rest is worked out when it runs, since a prepared statement runs at another time than it is bound.
pub struct BoundReading {
    question: Question,
    columns: Vec<String>,
}

/// A running call.
pub enum Scan {
    /// The rows of the sidecar's query, and the positions of the columns that the host wants.
    Rows {
        watched: Watched,
        rows: Rows,
        columns: Vec<usize>,
    },
    /// The host wants no column, as for count(*): so many rows are left to give.
    Count(usize),
}

/// The text of an id, which is given as a UUID or as text.
fn given_id(name: &str, value: &Value) -> Result<String, String> {
    match value.type_id() {
        TypeId::Varchar | TypeId::Uuid => {
            let text = value
                .text()
                .map_err(|problem| format!("{name} is {problem}"))?;
            id(name, text)
        }
        other => Err(format!(
            "{name} is of type {}: give the UUID that oplog_record returned",
            other.sql_name()
        )),
    }
}

impl Table for ReadingFunction {
    type Bound = BoundReading;
    type Scan = Scan;

    fn name(&self) -> &'static str {
        self.reading.name
    }

    fn positional(&self) -> Vec<TypeId> {
        self.reading
            .positional
            .iter()
            .map(|parameter| parameter.type_id)
            .collect()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        self.reading
            .parameters()
            .iter()
            .map(|parameter| (parameter.name, parameter.type_id))
            .collect()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<BoundReading, String> {
        let reading = self.reading;
        let failed = |error| format!("{}: {error}", reading.name);
        let zone = self.session.zone(bind.context());
        let mut arguments = Arguments::read(
            |parameter| from_call(bind, parameter, &zone),
            &reading.parameters(),
            reading.default_period,
            reading.default_by,
            zone.clone(),
        )
        .map_err(failed)?;
        for (index, parameter) in reading.positional.iter().enumerate() {
            let text = match bind.positional(index) {
                Some(value) => given_id(parameter.name, &value).map_err(failed)?,
                // NULL equals no id, and no id is all zeros.
                None => "0".repeat(32),
            };
            arguments.bound.push((parameter.name, Bound::Text(text)));
        }
        let question = Question { reading, arguments };
        let shared = self.shared();
        let statement = shared.begin(|| question.prepare(shared)).map_err(failed)?;
        let mut columns = Vec::new();
        for (name, logical) in statement.columns() {
            if name == "metadata" {
                bind.add_column(&name, &LogicalType::json());
            } else {
                bind.add_column(&name, &logical);
            }
            columns.push(name);
        }
        Ok(BoundReading { question, columns })
    }

    fn start(&self, bound: &BoundReading, columns: &[usize], _: &Context) -> Result<Scan, String> {
        let failed = |error| format!("{}: {error}", self.reading.name);
        // Only what the host asks for is computed. For count(*) it asks for a row number, which is no column of ours.
        let mut wanted: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|column| *column < bound.columns.len())
            .collect();
        wanted.dedup();
        let listed = if wanted.is_empty() {
            "count(*)".to_owned()
        } else {
            wanted
                .iter()
                .map(|column| format!("\"{}\"", bound.columns[*column]))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let begin = || {
            let statement = bound.question.ask(self.shared(), &listed)?;
            let interrupter = statement.interrupter();
            let watched = self.shared().callers.watch(move || interrupter.interrupt());
            let mut rows = watched.run(|| statement.execute())?;
            if wanted.is_empty() {
                return watched.run(|| rows.count()).map(Scan::Count);
            }
            Ok(Scan::Rows {
                watched,
                rows,
                columns: (0..wanted.len()).collect(),
            })
        };
        let ask = || self.shared().begin(begin);
        // It may be the log that is damaged, and not the question.
        ask().or_else(|error| match self.may_mend(&error) {
            true => ask().map_err(|error| failed(told(error))),
            false => Err(failed(told(error))),
        })
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        match scan {
            Scan::Rows {
                watched,
                rows,
                columns,
            } => watched
                .run(|| rows.next_into(output, columns))
                .map_err(|error| {
                    // Rows have been given out: whoever asks again has what can be saved.
                    self.may_mend(&error);
                    format!("{}: {}", self.reading.name, told(error))
                }),
            Scan::Count(left) => {
                let rows = (*left).min(VECTOR_SIZE);
                *left -= rows;
                Ok(rows)
            }
        }
    }
}

impl Effects for ReadingFunction {
    fn effects(&self) -> &'static [Effect] {
        &[]
    }
}
