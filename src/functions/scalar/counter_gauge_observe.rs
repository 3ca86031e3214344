//! `oplog_counter`, `oplog_gauge` and `oplog_observe`: a service's own metrics, from SQL.

use super::labels_argument::{LabelColumn, Labels};
use super::ScalarFunction;
use crate::duckdb::{
    Cell, Chunk, Column, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId,
};
use crate::functions::Session;
use crate::metrics::{Family, Kind, Stage};
use std::marker::PhantomData;
use std::sync::Arc;

/// What one of the functions does.
pub trait Update: Send + Sync + 'static {
    const NAME: &'static str;
    const KIND: Kind;
    const OVERLOADS: &'static [Overload];
    /// What is wrong with a value that the metric cannot take.
    fn problem(value: f64) -> Option<&'static str>;
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

    fn problem(value: f64) -> Option<&'static str> {
        if !value.is_finite() {
            Some("a counter is raised by a finite number")
        } else if value < 0.0 {
            Some("a counter only rises; use oplog_gauge for what falls")
        } else {
            None
        }
    }
}

impl Update for Gauge {
    const NAME: &'static str = "oplog_gauge";
    const KIND: Kind = Kind::Gauge;
    const OVERLOADS: &'static [Overload] = &[EITHER, LABELED];

    fn problem(_: f64) -> Option<&'static str> {
        None
    }
}

impl Update for Observe {
    const NAME: &'static str = "oplog_observe";
    const KIND: Kind = Kind::Histogram;
    const OVERLOADS: &'static [Overload] = &[EITHER, LABELED];

    fn problem(value: f64) -> Option<&'static str> {
        (!value.is_finite())
            .then_some("an observation is a finite number, or its sum is lost for good")
    }
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

/// The rows of a chunk that go to one series.
struct Target {
    family: Arc<Family>,
    /// The label values, packed.
    labels: Vec<u8>,
    values: Vec<f64>,
    /// What the series is, as the rows are answered.
    running: f64,
}

/// What became of a row.
#[derive(Clone, Copy)]
enum Row {
    To(u32, f64),
    Null,
    Rejected,
}

/// The rows of a chunk by series, which is looked up once for all rows of the same name and labels.
struct Gathering<'a> {
    names: Column<'a>,
    labels: LabelColumn<'a>,
    values: Option<Column<'a>>,
    targets: Vec<Target>,
    index: foldhash::HashMap<Vec<u8>, u32>,
    key: Vec<u8>,
    last_key: Vec<u8>,
    last: u32,
}

impl Gathering<'_> {
    fn row<U: Update>(&mut self, session: &Session, row: usize) -> Result<Row, String> {
        let value = match &self.values {
            None => 1.0,
            Some(column) => match number(column, row) {
                Some(value) => value,
                None => return Ok(Row::Null),
            },
        };
        if let Some(problem) = U::problem(value) {
            return Err(format!("value is {value}: {problem}"));
        }
        let name = self
            .names
            .text(row)
            .map_err(|bytes| format!("metric name is {bytes}"))?
            .ok_or("metric name is NULL: name the metric")?;
        self.key.clear();
        crate::metrics::pack(&mut self.key, std::iter::once(name));
        let labels = self.labels.pack(row, &mut self.key)?;
        // Neighbours are often alike.
        if self.key != self.last_key {
            self.last = match self.index.get(&self.key) {
                Some(target) => *target,
                None => self.target::<U>(session, name, labels)?,
            };
            self.last_key.clone_from(&self.key);
        }
        self.targets[self.last as usize].values.push(value);
        Ok(Row::To(self.last, value))
    }

    fn target<U: Update>(
        &mut self,
        session: &Session,
        name: &str,
        labels: usize,
    ) -> Result<u32, String> {
        let registry = session.engine().registry();
        let family = registry.used(name, U::KIND, &self.labels.names())?;
        let target = self.targets.len() as u32;
        self.targets.push(Target {
            family,
            labels: self.key[labels..].to_vec(),
            values: Vec::new(),
            running: 0.0,
        });
        self.index.insert(self.key.clone(), target);
        Ok(target)
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

/// Puts the values of a chunk in their series, none of them if anything was wrong with one; returns how many found no
/// room and count under `other`.
fn apply(kind: Kind, targets: &mut [Target], max_series: usize) -> u64 {
    let mut folded = 0;
    for target in targets {
        let found = target.family.find_packed(&target.labels, max_series);
        folded += u64::from(found.folded) * target.values.len() as u64;
        match kind {
            Kind::Counter => {
                let sum = target.values.iter().sum();
                target.running = found.series.add(Stage::Live, sum);
            }
            Kind::Gauge => {
                if let Some(value) = target.values.last() {
                    found.series.set(*value);
                }
            }
            Kind::Histogram => {
                let bounds = &target.family.bounds;
                found
                    .series
                    .observe(Stage::Live, bounds, &target.values, None);
            }
        }
    }
    folded
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
        let mut gathering = Gathering {
            names: arguments.column(0),
            labels: labels.read(labels_at.map(|at| arguments.column(at))),
            values: value.map(|at| arguments.column(at)),
            targets: Vec::new(),
            index: foldhash::HashMap::default(),
            key: Vec::new(),
            last_key: Vec::new(),
            last: 0,
        };
        let mut rows = Vec::with_capacity(count);
        for row in 0..count {
            rows.push(match gathering.row::<U>(&self.session, row) {
                Ok(row) => row,
                Err(problem) if strict => return Err(format!("{}: {problem}", Self::NAME)),
                Err(_) => Row::Rejected,
            });
        }
        let mut targets = gathering.targets;
        engine.publish(|max_series| {
            let folded = apply(U::KIND, &mut targets, max_series);
            (folded, targets.iter().map(|target| &*target.family))
        });
        let mut rejected = 0;
        for (row, what) in rows.into_iter().enumerate() {
            match what {
                Row::To(target, value) if U::KIND == Kind::Counter => {
                    let target = &mut targets[target as usize];
                    target.running += value;
                    output.set_f64(row, target.running);
                }
                Row::To(_, value) => output.set_f64(row, value),
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
