//! `oplog_finish`: spans end, one or a column of them, and are recorded.

use super::operation_argument::{Plan, Reader, Row};
use super::ScalarFunction;
use crate::duckdb::{
    Cell, Chunk, Column, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId,
};
use crate::functions::Session;
use crate::record::{parse_id, Phase, Value};

pub const FINISH: ScalarFunction = ScalarFunction {
    name: Finish::NAME,
    signatures: &[
        ("id UUID", "DOUBLE"),
        ("id UUID, operation STRUCT", "DOUBLE"),
        ("id UUID, operation JSON", "DOUBLE"),
    ],
    summary: "Finishes a span: records it under the id that `oplog_start` returned, with `source` = `span`, and returns how long \
              it took in milliseconds, by a clock that nobody sets. Fields given now win over those from the start, save \
              `command` and the ids of the trace, which stay. `status` is `success` unless it is given; `duration_ms` and \
              `timestamp` are oplog's own. The id may also be its text. A NULL id gives NULL; a NULL operation adds nothing.",
    example: "SELECT oplog_finish(oplog_start({command: 'import', table_name: 'orders'}), {rows_affected: 1000});",
    register: |host, session| host.register_scalar(Finish::new(session)),
};

pub struct Finish {
    session: Session,
}

impl Finish {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

/// How the arguments are read.
pub enum Arguments {
    /// The operation, if one is given.
    Read(Option<Plan>),
    /// They can't be, and we are not strict.
    Rejected,
}

fn plan(types: &[LogicalType]) -> Result<Option<Plan>, String> {
    if let Some(id) = types.first() {
        match id.id() {
            TypeId::Uuid | TypeId::Varchar | TypeId::SqlNull => {}
            other => {
                return Err(format!(
                    "id is of type {}, and should be UUID: give what oplog_start returned",
                    other.sql_name()
                ))
            }
        }
    }
    types
        .get(1)
        .map(|operation| Plan::of(operation, Phase::SpanEnd))
        .transpose()
}

/// The id of a row; none where it is NULL.
fn id(ids: &Column<'_>, row: usize) -> Result<Option<u128>, String> {
    let text = match ids.cell(row) {
        Cell::Text(text) => text,
        Cell::NotUtf8(bytes) => return Err(format!("id is {bytes}")),
        _ => return Ok(None),
    };
    match parse_id(&text) {
        Some(id) => Ok(Some(id)),
        None => Err(format!(
            "id is {}: give the UUID that oplog_start returned",
            Value::Text(text)
        )),
    }
}

impl Scalar for Finish {
    type Plan = Arguments;
    type Local = ();

    const NAME: &'static str = "oplog_finish";
    // ANY for the id: 1.5.6 would not cast a text to a UUID.
    const OVERLOADS: &'static [Overload] = &[
        Overload {
            parameters: &[TypeId::Any],
            returns: TypeId::Double,
        },
        Overload {
            parameters: &[TypeId::Any, TypeId::Any],
            returns: TypeId::Double,
        },
    ];

    fn start(&self, context: &Context) -> Result<(), String> {
        self.session.apply_settings(context)
    }

    fn plan(&self, arguments: &[LogicalType]) -> Result<Arguments, String> {
        let accepted = self.session.accept(Self::NAME, plan(arguments))?;
        Ok(accepted.map_or(Arguments::Rejected, Arguments::Read))
    }

    fn call(
        &self,
        read: &Arguments,
        (): &mut (),
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let Arguments::Read(plan) = read else {
            self.session.reject_all(arguments.rows(), output);
            return Ok(());
        };
        let engine = self.session.engine();
        // The spans end now, however long it takes to read what is said of them.
        let mut finishing = engine.finishing();
        let strict = engine.strict();
        let rows = arguments.rows();
        let given = match plan {
            Some(plan) => {
                let mut reader = Reader::new(Self::NAME, Phase::SpanEnd, rows, None, strict);
                reader.read(plan, &arguments.column(1))?;
                Some(reader.finish()?)
            }
            None => None,
        };
        let ids = arguments.column(0);
        let mut rejected = given.as_ref().map_or(0, |given| given.rejected);
        // Rows and their durations, in the order in which they are recorded.
        let mut finished = Vec::with_capacity(rows);
        for row in 0..rows {
            let said = match given.as_ref().map(|given| (given, given.rows[row])) {
                None | Some((_, Row::Null)) => None,
                Some((given, Row::At(at))) => {
                    given.batch.as_ref().map(|batch| (batch, at as usize))
                }
                Some((_, Row::Rejected)) => continue,
            };
            let added = id(&ids, row)
                .and_then(|id| Ok(id.map(|id| finishing.add(id, said)).transpose()?));
            match added {
                Ok(None) => {}
                Ok(Some(duration_ms)) => finished.push((row, duration_ms)),
                Err(error) if strict => return Err(format!("{}: {error}", Self::NAME)),
                Err(_) => rejected += 1,
            }
        }
        let (recorded, outcome) = finishing.record();
        rejected += (finished.len() - recorded) as u64;
        engine.count_rejected(rejected);
        match outcome {
            Err(error) if strict => return Err(format!("{}: {error}", Self::NAME)),
            Err(error) => engine.note(error.to_string()),
            Ok(()) => {}
        }
        let mut durations = vec![None; rows];
        for (row, duration_ms) in &finished[..recorded] {
            durations[*row] = Some(*duration_ms);
        }
        for (row, duration_ms) in durations.into_iter().enumerate() {
            match duration_ms {
                Some(duration_ms) => output.set_f64(row, duration_ms),
                None => output.set_null(row),
            }
        }
        Ok(())
    }
}
