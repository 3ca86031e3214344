//! Operations as arguments: a STRUCT or JSON, read into a batch, for every function that takes one.

use crate::calendar::Zone;
use crate::duckdb::{write_json, Cell, Column, LogicalType, NotUtf8, TypeId};
use crate::record::{
    accepts, push_json, Batch, BatchBuilder, ColumnWriter, Field, Kind, Phase, Problem, Source,
    Value,
};

/// How an operation is read, worked out from its type once a query.
pub enum Plan {
    /// For each field of the struct, the field of an operation.
    Struct(Vec<Field>),
    /// JSON, or JSON text.
    Json,
    /// NULL.
    Null,
}

impl Plan {
    /// Decides how to read it, and refuses names and types that can never be right: no row is recorded.
    pub fn of(operation: &LogicalType, phase: Phase) -> Result<Self, String> {
        match operation.id() {
            TypeId::Struct => {
                let fields = operation.struct_fields();
                let mut plan = Vec::with_capacity(fields.len());
                for (name, logical) in &fields {
                    let field = Field::by_name(name).ok_or_else(|| Field::unknown(name))?;
                    check_type(field, logical)?;
                    plan.push(field);
                }
                if phase.needs_command() && !plan.contains(&Field::Command) {
                    return Err(
                        "command is missing: name what ran, such as {command: 'import'}".into(),
                    );
                }
                Ok(Self::Struct(plan))
            }
            TypeId::Varchar => Ok(Self::Json),
            TypeId::SqlNull => Ok(Self::Null),
            other => Err(format!(
                "an operation is a STRUCT such as {{command: 'import', duration_ms: 12.5}}, or JSON; this is {}",
                other.sql_name()
            )),
        }
    }
}

fn check_type(field: Field, logical: &LogicalType) -> Result<(), String> {
    if let Some(unreadable) = logical.unreadable() {
        return Err(format!("{}{unreadable}", field.name()));
    }
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
        | TypeId::TimestampTzNs
        | TypeId::Date => Value::Time(0),
        TypeId::Interval => Value::Interval(0),
        TypeId::SqlNull => Value::Null,
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

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// It is this row of the batch.
    At(u32),
    /// The operation is NULL.
    Null,
    /// Something is wrong with it, and we are not strict.
    Rejected,
}

/// The operations of a chunk.
pub struct Operations {
    /// None if there is none.
    pub batch: Option<Batch>,
    pub rows: Vec<Row>,
    pub rejected: u64,
}

/// Reads a chunk into a batch. When strict, the first problem ends the call and nothing of the chunk is recorded;
/// otherwise the row is left out.
pub struct Reader {
    /// The function that reads.
    name: &'static str,
    builder: BatchBuilder,
    dropped: Vec<bool>,
    any_dropped: bool,
    strict: bool,
}

impl Reader {
    pub fn new(
        name: &'static str,
        phase: Phase,
        rows: usize,
        spare: Option<Batch>,
        strict: bool,
    ) -> Self {
        Self {
            name,
            builder: BatchBuilder::reusing(rows, spare).at(phase),
            dropped: vec![false; rows],
            any_dropped: false,
            strict,
        }
    }

    /// The same for a session whose times without a zone are of this one.
    pub fn in_zone(self, zone: &Zone) -> Self {
        Self {
            builder: self.builder.in_zone(zone.clone()),
            ..self
        }
    }

    pub fn read(&mut self, plan: &Plan, operations: &Column<'_>) -> Result<(), String> {
        match plan {
            Plan::Struct(fields) => self.read_struct(fields, operations),
            Plan::Json => self.read_json(operations),
            Plan::Null => {
                for row in 0..operations.rows() {
                    self.drop_row(row, None);
                }
                Ok(())
            }
        }
    }

    /// Ends the chunk: what is missing in a row shows now.
    pub fn finish(self) -> Result<Operations, String> {
        let count = self.dropped.len();
        let (batch, dropped) = self.builder.finish(Source::Record, count);
        let mut rows = Vec::with_capacity(count);
        let mut rejected = 0;
        let mut dropped = dropped.into_iter().peekable();
        let mut kept = 0;
        for row in 0..count {
            let mut what = Row::At(kept);
            // A row can have been dropped for two reasons.
            while let Some((_, problem)) = dropped.next_if(|(at, _)| *at == row) {
                what = match problem {
                    Some(problem) if self.strict => {
                        return Err(format!("{}: {problem}", self.name));
                    }
                    Some(_) => Row::Rejected,
                    None => Row::Null,
                };
            }
            kept += u32::from(what == Row::At(kept));
            rejected += u64::from(what == Row::Rejected);
            rows.push(what);
        }
        Ok(Operations {
            batch,
            rows,
            rejected,
        })
    }

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
            return Err(format!("{}: {problem}", self.name));
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

    pub fn read_column(&mut self, field: Field, column: &Column<'_>) -> Result<(), String> {
        for row in self.read_plain(field, column)..column.rows() {
            if self.dropped[row] {
                continue;
            }
            let value = match column.cell(row) {
                Cell::Null => continue,
                Cell::Text(text) => Value::Text(text),
                Cell::NotUtf8(bytes) => {
                    self.refuse(row, Problem(format!("{} is {bytes}", field.name())))?;
                    continue;
                }
                // What else a text field is given, it stores as SQL's cast would.
                _ if field.kind() == Kind::Text => match column.rendered(row) {
                    Ok(text) => Value::Text(text.into()),
                    Err(problem) => {
                        self.refuse(row, Problem(format!("{} is {problem}", field.name())))?;
                        continue;
                    }
                },
                // Of a DECIMAL, whose fraction the double has lost: no count.
                Cell::Double(number)
                    if number.fract() == 0.0
                        && field.kind() == Kind::Count
                        && column.plain_type().is_none() =>
                {
                    Value::Text(column.rendered(row).unwrap_or_default().into())
                }
                // Of a DECIMAL or UHUGEINT, which a double would round.
                Cell::Double(_)
                    if field.kind() == Kind::Json
                        && !matches!(column.plain_type(), Some(TypeId::Float | TypeId::Double)) =>
                {
                    Value::Json(column.rendered(row).unwrap_or_default().into())
                }
                Cell::Double(number) => Value::Double(number),
                Cell::Integer(number) => Value::Integer(number),
                Cell::Boolean(value) => Value::Boolean(value),
                Cell::Timestamp(micros) => Value::Time(micros),
                Cell::LocalTimestamp(micros) => Value::LocalTime(micros),
                Cell::Interval(micros) => Value::Interval(micros),
                Cell::Other(_) => {
                    let mut json = String::new();
                    if let Err(problem) = write_json(column, row, &mut json) {
                        let problem = format!("{} has a value that is {problem}", field.name());
                        self.refuse(row, Problem(problem))?;
                        continue;
                    }
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
                |column, row| Ok(column.double(row)),
                ColumnWriter::push_milliseconds,
            ),
            (Kind::Count, Some(TypeId::BigInt)) => self.write_plain(
                field,
                column,
                |column, row| Ok(column.bigint(row)),
                ColumnWriter::push_count,
            ),
            _ => 0,
        }
    }

    #[inline]
    fn write_plain<'a, 'w, T: Copy>(
        &'w mut self,
        field: Field,
        column: &Column<'a>,
        get: impl Fn(&Column<'a>, usize) -> Result<Option<T>, NotUtf8<'a>>,
        push: impl Fn(&mut ColumnWriter<'w>, T) -> bool,
    ) -> usize {
        let Some(mut writer) = self.builder.column_writer(field) else {
            return 0;
        };
        for row in 0..column.rows() {
            match get(column, row) {
                Ok(None) => writer.push_null(),
                Ok(Some(value)) if push(&mut writer, value) => {}
                _ => return row,
            }
        }
        column.rows()
    }

    fn read_json(&mut self, operations: &Column<'_>) -> Result<(), String> {
        for row in 0..operations.rows() {
            let text = match operations.cell(row) {
                Cell::Text(text) => text,
                Cell::NotUtf8(bytes) => {
                    self.refuse(row, Problem(format!("the operation is {bytes}")))?;
                    continue;
                }
                _ => {
                    self.drop_row(row, None);
                    continue;
                }
            };
            self.builder.seek(row);
            if let Err(problem) = push_json(&mut self.builder, &text) {
                self.refuse(row, problem)?;
            }
        }
        Ok(())
    }
}
