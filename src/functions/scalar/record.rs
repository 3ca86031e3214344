//! `oplog_record`: an operation, or a column of them, into the log.

use super::operation_argument::{Operations, Plan, Reader, Row};
use super::ScalarFunction;
use crate::calendar::Zone;
use crate::duckdb::{Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};
use crate::functions::Session;
use crate::record::{Field, Phase};

pub const RECORD: ScalarFunction = ScalarFunction {
    name: Record::NAME,
    signatures: &[
        ("operation STRUCT", "UUID"),
        ("operation JSON", "UUID"),
        ("command VARCHAR, status VARCHAR, duration_ms DOUBLE", "UUID"),
    ],
    summary: "Records an operation and returns its id. A NULL operation gives NULL and records nothing. The record \
              stands outside the transaction that makes it: other sessions see it at once, and a ROLLBACK keeps it.",
    example: "SELECT oplog_record({command: 'import', duration_ms: 12.5, table_name: 'orders', rows_affected: 1000});",
    register: |host, session| host.register_scalar(Record::new(session)),
};

pub struct Record {
    session: Session,
}

/// How the arguments are read, worked out from their types.
pub enum Arguments {
    /// `oplog_record(op STRUCT)`, `oplog_record(op JSON)`.
    Operation(Plan),
    /// `oplog_record(command, status, duration_ms)`.
    Positional,
    /// They can't be read; when not strict, every row is counted as rejected.
    Rejected,
}

const POSITIONAL: [Field; 3] = [Field::Command, Field::Status, Field::DurationMs];

impl Record {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

/// The state of one executing thread.
pub struct Call {
    connection_id: u64,
    zone: Zone,
}

impl Scalar for Record {
    type Plan = Arguments;
    type Local = Call;

    const NAME: &'static str = "oplog_record";
    const OVERLOADS: &'static [Overload] = &[
        Overload {
            parameters: &[TypeId::Any],
            returns: TypeId::Uuid,
        },
        Overload {
            parameters: &[TypeId::Varchar, TypeId::Varchar, TypeId::Double],
            returns: TypeId::Uuid,
        },
    ];

    fn start(&self, context: &Context) -> Result<Call, String> {
        self.session.apply_settings(context)?;
        Ok(Call {
            connection_id: context.connection_id(),
            zone: self.session.zone(context),
        })
    }

    fn plan(&self, arguments: &[LogicalType]) -> Result<Arguments, String> {
        let [operation] = arguments else {
            return Ok(Arguments::Positional);
        };
        let plan = Plan::of(operation, Phase::Complete);
        let accepted = self.session.accept(Self::NAME, plan)?;
        Ok(accepted.map_or(Arguments::Rejected, Arguments::Operation))
    }

    fn call(
        &self,
        read: &Arguments,
        call: &mut Call,
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let rows = arguments.rows();
        let engine = self.session.engine();
        let strict = engine.strict();
        let spare = engine.spare_batch(rows);
        let mut reader =
            Reader::new(Self::NAME, Phase::Complete, rows, spare, strict).in_zone(&call.zone);
        match read {
            Arguments::Operation(plan) => reader.read(plan, &arguments.column(0))?,
            Arguments::Positional => {
                for (index, field) in POSITIONAL.iter().enumerate() {
                    reader.read_column(*field, &arguments.column(index))?;
                }
            }
            Arguments::Rejected => {
                self.session.reject_all(rows, output);
                return Ok(());
            }
        }
        let Operations {
            batch,
            rows,
            rejected,
        } = reader.finish()?;
        engine.count_rejected(rejected);
        let recorded = batch.map(|mut batch| {
            batch.connection_id = call.connection_id;
            (batch.rows(), engine.record(batch))
        });
        let refused = recorded.as_ref().and_then(|(count, recorded)| {
            Some((count - recorded.rows(), recorded.refused.as_ref()?))
        });
        match refused {
            Some((_, error)) if strict => return Err(format!("{}: {error}", Self::NAME)),
            Some((count, error)) => {
                engine.note(error.to_string());
                engine.count_rejected(count as u64);
            }
            None => {}
        }
        for (row, what) in rows.iter().enumerate() {
            let id = match (&recorded, what) {
                (Some((_, recorded)), Row::At(at)) => recorded.id(*at as usize),
                _ => None,
            };
            match id {
                Some(id) => output.set_uuid(row, id),
                None => output.set_null(row),
            }
        }
        Ok(())
    }
}
