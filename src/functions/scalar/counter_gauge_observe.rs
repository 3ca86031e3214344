//! `oplog_counter`, `oplog_gauge` and `oplog_observe`: a service's own metrics, from SQL.

use super::labels_argument::{LabelColumn, Labels};
use super::ScalarFunction;
use crate::duckdb::{
    Cell, Chunk, Column, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId,
};
use crate::functions::Session;
use crate::metrics::{pack, Kind, Registry, Updates};
use std::marker::PhantomData;

/// What one of the functions does.
pub trait Update: Send + Sync + 'static {
    const NAME: &'static str;
    const KIND: Kind;
    const OVERLOADS: &'static [Overload];
}

const LABELED: Overload = Overload {
    parameters: &[TypeId::Varchar, TypeId::Any, TypeId::Double],
    returns: TypeId::Double,
};

/// Labels, or a value without labels.
const EITHER: Overload = Overload {
    parameters: &[TypeId::Varchar, TypeId::Any],
    returns: TypeId::Double,
};

pub struct Counter;
pub struct Gauge;
pub struct Observe;

impl Update for Counter {
    const NAME: &'static str = "oplog_counter";
    const KIND: Kind = Kind::Counter;
    const OVERLOADS: &'static [Overload] = &[
        Overload {
            parameters: &[TypeId::Varchar],
            returns: TypeId::Double,
        },
        EITHER,
        LABELED,
    ];
}

impl Update for Gauge {
    const NAME: &'static str = "oplog_gauge";
    const KIND: Kind = Kind::Gauge;
    const OVERLOADS: &'static [Overload] = &[EITHER, LABELED];
}

impl Update for Observe {
    const NAME: &'static str = "oplog_observe";
    const KIND: Kind = Kind::Histogram;
    const OVERLOADS: &'static [Overload] = &[EITHER, LABELED];
}

pub const COUNTER: ScalarFunction = ScalarFunction {
    name: Counter::NAME,
    signatures: &[
        ("name VARCHAR", "DOUBLE"),
        ("name VARCHAR, labels MAP or STRUCT", "DOUBLE"),
        ("name VARCHAR, labels MAP or STRUCT, delta DOUBLE", "DOUBLE"),
    ],
    summary: "Raises a counter by `delta` (1 by default) and returns what it is now. The name ends in `_total`; the first use \
    fixes the names of the labels. Totals survive a restart. A NULL delta counts nothing and returns NULL. Like \
    `oplog_record`, it stands outside the transaction that calls it.",
    example: "SELECT oplog_counter('http_requests_total', {method: 'GET', status: 200});",
    register: |host, session| host.register_scalar(Publish::<Counter>::new(session)),
};

pub const GAUGE: ScalarFunction = ScalarFunction {
    name: Gauge::NAME,
    signatures: &[
        ("name VARCHAR, value DOUBLE", "DOUBLE"),
        ("name VARCHAR, labels MAP or STRUCT, value DOUBLE", "DOUBLE"),
    ],
    summary: "Sets a gauge and returns the value. A NULL value sets nothing and returns NULL. Gauges end with the process.",
    example: "SELECT oplog_gauge('pool_connections', MAP {'state': 'idle'}, 7);",
    register: |host, session| host.register_scalar(Publish::<Gauge>::new(session)),
};

pub const OBSERVE: ScalarFunction = ScalarFunction {
    name: Observe::NAME,
    signatures: &[
        ("name VARCHAR, value DOUBLE", "DOUBLE"),
        ("name VARCHAR, labels MAP or STRUCT, value DOUBLE", "DOUBLE"),
    ],
    summary: "Counts a value in a histogram and returns it. Buckets come from `oplog_describe`, else they are those that \
    Prometheus clients use: 0.005 to 10, made for seconds. A NULL value counts nothing and returns NULL.",
    example: "SELECT oplog_observe('import_duration_seconds', {incremental: true}, 0.25);",
    register: |host, session| host.register_scalar(Publish::<Observe>::new(session)),
};

/// How the arguments are read, worked out from their types.
pub enum Arguments {
    Read {
        labels: Labels,
        /// The position of the value; none for 1.
        value: Option<usize>,
        /// The position of the labels.
        labels_at: Option<usize>,
    },
    /// They can't be read; when not strict, every row is counted as rejected.
    Rejected,
}

fn arguments(types: &[LogicalType], needs_value: bool) -> Result<Arguments, String> {
    let is_number = |id: TypeId| {
        id.is_integer() || matches!(id, TypeId::Double | TypeId::Float | TypeId::Decimal)
    };
    Ok(match types {
        [_, either]
            if is_number(either.id()) || (needs_value && either.id() == TypeId::SqlNull) =>
        {
            Arguments::Read {
                labels: Labels::None,
                value: Some(1),
                labels_at: None,
            }
        }
        [_, labels] if needs_value => {
            Labels::of(labels)?;
            return Err("value is missing: give a number behind the labels".into());
        }
        [_, labels, value @ ..] => Arguments::Read {
            labels: Labels::of(labels)?,
            value: (!value.is_empty()).then_some(2),
            labels_at: Some(1),
        },
        _ => Arguments::Read {
            labels: Labels::None,
            value: None,
            labels_at: None,
        },
    })
}

pub struct Publish<U> {
    session: Session,
    update: PhantomData<U>,
}

impl<U> Publish<U> {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
            update: PhantomData,
        }
    }
}

/// What became of a row.
#[derive(Clone, Copy)]
enum Row {
    /// To a series.
    To(usize, f64),
    Null,
    Rejected,
}

/// The columns of a chunk, and what their rows are to change.
struct Rows<'a> {
    names: Column<'a>,
    labels: LabelColumn<'a>,
    values: Option<Column<'a>>,
    key: Vec<u8>,
    updates: Updates,
}

impl Rows<'_> {
    fn read(&mut self, registry: &Registry, row: usize) -> Result<Row, String> {
        let value = match &self.values {
            None => 1.0,
            Some(column) => match number(column, row) {
                Some(value) => value,
                None => return Ok(Row::Null),
            },
        };
        if let Some(problem) = self.updates.problem(value) {
            return Err(format!("value is {value}: {problem}"));
        }
        let name = self
            .names
            .text(row)
            .map_err(|bytes| format!("metric name is {bytes}"))?
            .ok_or("metric name is NULL: name the metric")?;
        self.key.clear();
        pack(&mut self.key, std::iter::once(name));
        let labels_at = self.labels.pack(row, &mut self.key)?;
        let series = self.updates.add(
            registry,
            name,
            || self.labels.names(),
            &self.key,
            labels_at,
            value,
        )?;
        Ok(Row::To(series, value))
    }
}

fn number(column: &Column<'_>, row: usize) -> Option<f64> {
    if column.plain_type() == Some(TypeId::Double) {
        return column.double(row);
    }
    match column.cell(row) {
        Cell::Double(number) => Some(number),
        Cell::Integer(number) => Some(number as f64),
        _ => None,
    }
}

impl<U: Update> Scalar for Publish<U> {
    type Plan = Arguments;
    type Local = ();

    const NAME: &'static str = U::NAME;
    const OVERLOADS: &'static [Overload] = U::OVERLOADS;

    fn start(&self, context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)
    }

    fn plan(&self, types: &[LogicalType]) -> Result<Arguments, String> {
        let accepted = self
            .session
            .accept(Self::NAME, arguments(types, U::KIND != Kind::Counter))?;
        Ok(accepted.unwrap_or(Arguments::Rejected))
    }

    fn call(
        &self,
        read: &Arguments,
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let count = arguments.rows();
        let engine = self.session.engine();
        let Arguments::Read {
            labels,
            value,
            labels_at,
        } = read
        else {
            engine.count_rejected_updates(count as u64);
            (0..count).for_each(|row| output.set_null(row));
            return Ok(());
        };
        let strict = engine.strict();
        let mut columns = Rows {
            names: arguments.column(0),
            labels: labels.read(labels_at.map(|at| arguments.column(at))),
            values: value.map(|at| arguments.column(at)),
            key: Vec::new(),
            updates: Updates::of(U::KIND),
        };
        let mut rows = Vec::with_capacity(count);
        for row in 0..count {
            rows.push(match columns.read(engine.registry(), row) {
                Ok(row) => row,
                Err(problem) if strict => return Err(format!("{}: {problem}", Self::NAME)),
                Err(_) => Row::Rejected,
            });
        }
        let mut updates = columns.updates;
        engine.publish(&mut updates);
        let mut rejected = 0;
        for (row, what) in rows.into_iter().enumerate() {
            match what {
                Row::To(series, value) => output.set_f64(row, updates.answer(series, value)),
                Row::Null => output.set_null(row),
                Row::Rejected => {
                    rejected += 1;
                    output.set_null(row);
                }
            }
        }
        engine.count_rejected_updates(rejected);
        Ok(())
    }
}
