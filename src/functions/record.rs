//! `oplog_record`: an operation, or a column of them, into the log.

use super::{Documentation, Session};
use crate::host::{
    write_json, Cell, Chunk, Column, ColumnMut, Context, LogicalType, Overload, Scalar, ScalarBind,
    TypeId,
};
use crate::record::{
    accepts, push_json, BatchBuilder, ColumnWriter, Field, Kind, Problem, Source, Value,
};

/// What the reference says of it.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub const DOCUMENTATION: Documentation = Documentation {
    signatures: &[
        "oplog_record(operation STRUCT) -> UUID",
        "oplog_record(operation JSON) -> UUID",
        "oplog_record(command VARCHAR, status VARCHAR, duration_ms DOUBLE) -> UUID",
    ],
    summary: "Records an operation and returns its id. A NULL operation gives NULL and records nothing. The record \
              stands outside the transaction that makes it: other sessions see it at once, and a ROLLBACK keeps it.",
    example: "SELECT oplog_record({command: 'import', duration_ms: 12.5, table_name: 'orders', rows_affected: 1000});",
};

pub struct Record {
    session: Session,
}

/// How the arguments are read, worked out from their types once a query.
pub enum Plan {
    /// `oplog_record(op STRUCT)`: for each field of the struct, the field of an operation.
    Struct(Vec<Field>),
    /// `oplog_record(op JSON)`, or JSON text.
    Json,
    /// `oplog_record(command, status, duration_ms)`.
    Positional,
    /// `oplog_record(NULL)`, or a parameter that is not bound yet.
    Null,
    /// Arguments that can't be read; when not strict, every row is counted as rejected.
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
}

impl Scalar for Record {
    type Bound = Plan;
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

    fn bind(&self, arguments: &ScalarBind<'_>) -> Result<Plan, String> {
        match plan(arguments.types()) {
            Ok(plan) => Ok(plan),
            Err(problem) => {
                self.session.apply_settings(arguments.context())?;
                if self.session.engine().strict() {
                    return Err(format!("{}: {problem}", Self::NAME));
                }
                Ok(Plan::Rejected)
            }
        }
    }

    fn start(&self, _: &Plan, context: &Context) -> Result<Call, String> {
        self.session.apply_settings(context)?;
        Ok(Call {
            connection_id: context.connection_id(),
        })
    }

    fn call(
        &self,
        plan: &Plan,
        call: &mut Call,
        arguments: &Chunk<'_>,
        output: &mut ColumnMut<'_>,
    ) -> Result<(), String> {
        let rows = arguments.rows();
        let engine = self.session.engine();
        let strict = engine.strict();
        let mut builder = Reader {
            builder: BatchBuilder::reusing(rows, engine.spare_batch(rows)),
            dropped: vec![false; rows],
            any_dropped: false,
            strict,
        };
        match plan {
            Plan::Struct(fields) => builder.read_struct(fields, &arguments.column(0))?,
            Plan::Json => builder.read_json(&arguments.column(0))?,
            Plan::Positional => {
                for (index, field) in POSITIONAL.iter().enumerate() {
                    builder.read_column(*field, &arguments.column(index))?;
                }
            }
            Plan::Null => {
                for row in 0..rows {
                    builder.drop_row(row, None);
                }
            }
            Plan::Rejected => {
                engine.count_rejected(rows as u64);
                for row in 0..rows {
                    output.set_null(row);
                }
                return Ok(());
            }
        }
        let (batch, dropped) = builder.builder.finish(Source::Record, rows);
        let mut problems = dropped.iter().filter_map(|(_, problem)| problem.as_ref());
        if strict {
            if let Some(problem) = problems.next() {
                return Err(format!("{}: {problem}", Self::NAME));
            }
        } else {
            engine.count_rejected(problems.count() as u64);
        }
        let mut is_dropped = vec![false; rows];
        for (row, _) in &dropped {
            is_dropped[*row] = true;
        }
        let stamp = match batch {
            None => None,
            Some(mut batch) => {
                batch.connection_id = call.connection_id;
                let count = batch.rows() as u64;
                match engine.record(batch) {
                    Ok(stamp) => Some(stamp),
                    Err(error) if strict => return Err(format!("{}: {error}", Self::NAME)),
                    Err(error) => {
                        engine.note(error);
                        engine.count_rejected(count);
                        None
                    }
                }
            }
        };
        let mut recorded = 0;
        for (row, dropped) in is_dropped.iter().enumerate() {
            match stamp {
                Some(stamp) if !dropped => {
                    output.set_uuid(row, stamp.ids.id(recorded));
                    recorded += 1;
                }
                _ => output.set_null(row),
            }
        }
        Ok(())
    }
}

/// Decides how to read the arguments, and refuses names and types that can never be right before any row is read.
fn plan(types: &[LogicalType]) -> Result<Plan, String> {
    let [operation] = types else {
        return Ok(Plan::Positional);
    };
    match operation.id() {
        TypeId::Struct => {
            let fields = operation.struct_fields();
            let mut plan = Vec::with_capacity(fields.len());
            for (name, logical) in &fields {
                let field = Field::by_name(name).ok_or_else(|| Field::unknown(name))?;
                check_type(field, logical)?;
                plan.push(field);
            }
            if !plan.contains(&Field::Command) {
                return Err("command is missing: name what ran, such as {command: 'import'}".into());
            }
            Ok(Plan::Struct(plan))
        }
        TypeId::Varchar => Ok(Plan::Json),
        TypeId::SqlNull | TypeId::Invalid => Ok(Plan::Null),
        other => Err(format!(
            "an operation is a STRUCT such as {{command: 'import', duration_ms: 12.5}}, or JSON; this is {}",
            other.sql_name()
        )),
    }
}

fn check_type(field: Field, logical: &LogicalType) -> Result<(), String> {
    // A value of the kind that cells of this type have: what the field would say to it holds for all of them.
    let sample = match logical.id() {
        TypeId::Struct | TypeId::List | TypeId::Array | TypeId::Map | TypeId::Union => {
            Value::Json("{}".into())
        }
        TypeId::Varchar | TypeId::Enum | TypeId::Uuid => Value::Text("".into()),
        TypeId::Boolean => Value::Boolean(true),
        id if id.is_integer() => Value::Integer(0),
        TypeId::Float | TypeId::Double | TypeId::Decimal => Value::Double(0.0),
        TypeId::Timestamp
        | TypeId::TimestampS
        | TypeId::TimestampMs
        | TypeId::TimestampNs
        | TypeId::TimestampTz
        | TypeId::Date => Value::Time(0),
        TypeId::Interval => Value::Interval(0),
        TypeId::SqlNull | TypeId::Invalid => Value::Null,
        // Its text is what a text field stores.
        _ if field.kind() == Kind::Text => Value::Text("".into()),
        other => {
            return Err(format!(
                "{} is of type {}: cast it to VARCHAR, or to what the field takes",
                field.name(),
                other.sql_name()
            ))
        }
    };
    if accepts(field.kind(), &sample) {
        return Ok(());
    }
    let wanted = match field.kind() {
        Kind::Text | Kind::Status | Kind::TraceParent => "VARCHAR",
        Kind::Milliseconds => "DOUBLE, a number of milliseconds, or INTERVAL",
        Kind::Count => "BIGINT",
        Kind::Time => "TIMESTAMPTZ; for seconds since 1970 use to_timestamp()",
        Kind::Json => "JSON text, STRUCT, MAP or LIST",
    };
    Err(format!(
        "{} is of type {}, and should be {wanted}",
        field.name(),
        logical.id().sql_name()
    ))
}

/// Reads a chunk into a batch. When strict, the first problem ends the call and nothing of the chunk is recorded;
/// otherwise the row is left out.
struct Reader {
    builder: BatchBuilder,
    dropped: Vec<bool>,
    any_dropped: bool,
    strict: bool,
}

impl Reader {
    fn drop_row(&mut self, row: usize, problem: Option<Problem>) {
        if !self.dropped[row] {
            self.dropped[row] = true;
            self.any_dropped = true;
            self.builder.seek(row);
            self.builder.drop_row(problem);
        }
    }

    fn refuse(&mut self, row: usize, problem: Problem) -> Result<(), String> {
        if self.strict {
            return Err(format!("{}: {problem}", Record::NAME));
        }
        self.drop_row(row, Some(problem));
        Ok(())
    }

    fn read_struct(&mut self, fields: &[Field], operations: &Column<'_>) -> Result<(), String> {
        for row in 0..operations.rows() {
            if !operations.is_valid(row) {
                self.drop_row(row, None);
            }
        }
        for (index, field) in fields.iter().enumerate() {
            if let Some(column) = operations.field(index) {
                self.read_column(*field, &column)?;
            }
        }
        Ok(())
    }

    fn read_column(&mut self, field: Field, column: &Column<'_>) -> Result<(), String> {
        for row in self.read_plain(field, column)..column.rows() {
            if self.dropped[row] {
                continue;
            }
            let value = match column.cell(row) {
                Cell::Null => continue,
                Cell::Text(text) => Value::Text(text),
                // What else a text field is given, it stores as SQL's cast would.
                _ if field.kind() == Kind::Text => Value::Text(column.rendered(row).into()),
                Cell::Double(number) => Value::Double(number),
                Cell::Integer(number) => Value::Integer(number),
                Cell::Boolean(value) => Value::Boolean(value),
                Cell::Timestamp(micros) => Value::Time(micros),
                Cell::Interval(micros) => Value::Interval(micros),
                Cell::Other(_) => {
                    let mut json = String::new();
                    write_json(column, row, &mut json);
                    Value::Json(json.into())
                }
            };
            self.builder.seek(row);
            if let Err(problem) = self.builder.push(field, &value) {
                self.refuse(row, problem)?;
            }
        }
        Ok(())
    }

    /// The common case, quickly: values that need no conversion, in a chunk from which no row was left out. Returns the
    /// first row that is none of that, to go on from.
    fn read_plain(&mut self, field: Field, column: &Column<'_>) -> usize {
        if self.any_dropped {
            return 0;
        }
        match (field.kind(), column.plain_type()) {
            (Kind::Text | Kind::Status, Some(TypeId::Varchar)) => {
                self.write_plain(field, column, Column::text, ColumnWriter::push_text)
            }
            (Kind::Milliseconds, Some(TypeId::Double)) => self.write_plain(
                field,
                column,
                Column::double,
                ColumnWriter::push_milliseconds,
            ),
            (Kind::Count, Some(TypeId::BigInt)) => {
                self.write_plain(field, column, Column::bigint, ColumnWriter::push_count)
            }
            _ => 0,
        }
    }

    #[inline]
    fn write_plain<'a, 'w, T: Copy>(
        &'w mut self,
        field: Field,
        column: &Column<'a>,
        get: impl Fn(&Column<'a>, usize) -> Option<T>,
        push: impl Fn(&mut ColumnWriter<'w>, T) -> bool,
    ) -> usize {
        let Some(mut writer) = self.builder.column_writer(field) else {
            return 0;
        };
        for row in 0..column.rows() {
            match get(column, row) {
                None => writer.push_null(),
                Some(value) if push(&mut writer, value) => {}
                Some(_) => return row,
            }
        }
        column.rows()
    }

    fn read_json(&mut self, operations: &Column<'_>) -> Result<(), String> {
        for row in 0..operations.rows() {
            let Cell::Text(text) = operations.cell(row) else {
                self.drop_row(row, None);
                continue;
            };
            self.builder.seek(row);
            if let Err(problem) = push_json(&mut self.builder, &text) {
                self.refuse(row, problem)?;
            }
        }
        Ok(())
    }
}
