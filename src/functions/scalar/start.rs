//! `oplog_start`: spans begin, one or a column of them.

use super::operation_argument::{Operations, Plan, Reader, Row};
use super::ScalarFunction;
use crate::duckdb::{Chunk, ColumnMut, Context, LogicalType, Overload, Scalar, TypeId};
use crate::functions::Session;
use crate::record::Phase;

pub const START: ScalarFunction = ScalarFunction {
    name: Start::NAME,
    signatures: &[
        ("operation STRUCT", "UUID"),
        ("operation JSON", "UUID"),
    ],
    summary: "Starts a span, an operation that oplog times, and returns its id for `oplog_finish`. It takes the fields of an \
              operation but `status`, `duration_ms` and `timestamp`. A span gets a `span_id`, and a `trace_id` if it has no \
              parent; `parent_span_id` may be the id of a span that is running, which then gives its own ids. A span that \
              nobody finishes, because its process ends or dies, is recorded with the status `interrupted`, at the time of \
              its start. A NULL operation gives NULL and starts nothing.",
    example: "SELECT oplog_start({command: 'import', table_name: 'orders'});",
    register: |host, session| host.register_scalar(Start::new(session)),
};

pub struct Start {
    session: Session,
}

impl Start {
    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

/// The state of one executing thread.
pub struct Call {
    connection_id: u64,
}

impl Scalar for Start {
    /// None if the argument can't be read, and we are not strict.
    type Plan = Option<Plan>;
    type Local = Call;

    const NAME: &'static str = "oplog_start";
    const OVERLOADS: &'static [Overload] = &[Overload {
        parameters: &[TypeId::Any],
        returns: TypeId::Uuid,
    }];

    fn start(&self, context: &Context) -> Result<Call, String> {
        self.session.apply_settings(context)?;
        Ok(Call {
            connection_id: context.connection_id(),
        })
    }

    fn plan(&self, arguments: &[LogicalType]) -> Result<Option<Plan>, String> {
        let [operation] = arguments else {
            return Ok(None);
        };
        let plan = Plan::of(operation, Phase::SpanStart);
        self.session.accept(Self::NAME, plan)
    }

    fn call(
        &self,
        plan: &Option<Plan>,
        call: &mut Call,
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let Some(plan) = plan else {
            self.session.reject_all(arguments.rows(), output);
            return Ok(());
        };
        let engine = self.session.engine();
        let strict = engine.strict();
        let mut reader = Reader::new(Self::NAME, Phase::SpanStart, arguments.rows(), None, strict);
        reader.read(plan, &arguments.column(0))?;
        let Operations {
            batch,
            rows,
            rejected,
        } = reader.finish()?;
        engine.count_rejected(rejected);
        let mut ids = Vec::new();
        if let Some(mut batch) = batch {
            batch.connection_id = call.connection_id;
            match engine.start_spans(&batch) {
                Ok(started) => ids = started,
                Err(error) if strict => return Err(format!("{}: {error}", Self::NAME)),
                Err(error) => {
                    engine.note(error.to_string());
                    engine.count_rejected(batch.rows() as u64);
                }
            }
        }
        for (row, what) in rows.iter().enumerate() {
            match what {
                Row::At(at) if !ids.is_empty() => output.set_uuid(row, ids[*at as usize]),
                _ => output.set_null(row),
            }
        }
        Ok(())
    }
}
