//! Operations that travel together: the rows of one chunk, stored by column.

mod one_row;
mod parts;

pub use parts::{part, PART_BYTES_MAX};

use super::value::{self, Problem, Value};
use super::{Field, IdRange, Kind, Phase, TraceParent};
use crate::calendar::Zone;
use crate::json;
use std::borrow::Cow;
use std::sync::Arc;

pub(super) const COLUMNS: usize = Field::ALL.len() - 1;

/// Which function wrote an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Record,
    Span,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Span => "span",
        }
    }
}

/// What the log gives a batch when it accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `seq` of the first row; the others follow without a gap.
    pub first_seq: u64,
    pub ids: IdRange,
    /// Microseconds since 1970: `timestamp` of the rows that gave none.
    pub recorded_at_us: i64,
}

/// An accepted batch on its way to the store.
pub type Pending = (Stamp, Arc<Batch>);

/// Texts one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TextColumn {
    pub(super) bytes: String,
    pub(super) ends: Vec<u32>,
}

impl TextColumn {
    #[inline]
    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        // A batch is a chunk of 2,048 rows of at most 64 KiB: far below 4 GiB.
        self.ends.push(self.bytes.len() as u32);
    }

    /// Replaces the texts that `repair` gives another one for.
    fn repair(&mut self, repair: fn(&str) -> Option<String>) {
        let mut repaired = Self::default();
        for row in 0..self.ends.len() {
            let text = self.get(row);
            repaired.push(repair(text).as_deref().unwrap_or(text));
        }
        *self = repaired;
    }

    fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Text(TextColumn),
    /// Doubles as their bits, everything else as it is.
    Numbers(Vec<u64>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct BatchColumn {
    pub(super) data: Data,
    /// A bit for each row, set where there is a value.
    pub(super) valid: Vec<u64>,
    pub(super) rows: usize,
}

impl BatchColumn {
    fn new(kind: Kind, rows: usize) -> Self {
        let data = match kind {
            Kind::Text | Kind::Status | Kind::Json | Kind::TraceParent => Data::Text(TextColumn {
                bytes: String::new(),
                ends: Vec::with_capacity(rows),
            }),
            Kind::Milliseconds | Kind::Count | Kind::Time => {
                Data::Numbers(Vec::with_capacity(rows))
            }
        };
        Self {
            data,
            valid: Vec::with_capacity(rows.div_ceil(64)),
            rows: 0,
        }
    }

    #[inline]
    fn push_validity(&mut self, valid: bool) {
        if self.rows.is_multiple_of(64) {
            self.valid.push(0);
        }
        self.valid[self.rows / 64] |= u64::from(valid) << (self.rows % 64);
        self.rows += 1;
    }

    #[inline]
    fn push_text(&mut self, text: &str) {
        if let Data::Text(texts) = &mut self.data {
            texts.push(text);
        }
        self.push_validity(true);
    }

    #[inline]
    fn push_number(&mut self, number: u64) {
        if let Data::Numbers(numbers) = &mut self.data {
            numbers.push(number);
        }
        self.push_validity(true);
    }

    fn push_null(&mut self) {
        match &mut self.data {
            Data::Text(texts) => texts.push(""),
            Data::Numbers(numbers) => numbers.push(0),
        }
        self.push_validity(false);
    }

    fn pad_to(&mut self, rows: usize) {
        while self.rows < rows {
            self.push_null();
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        self.valid[row / 64] >> (row % 64) & 1 == 1
    }

    /// The column without its rows, its memory kept.
    fn emptied(mut self) -> Self {
        match &mut self.data {
            Data::Text(texts) => {
                texts.bytes.clear();
                texts.ends.clear();
            }
            Data::Numbers(numbers) => numbers.clear(),
        }
        self.valid.clear();
        self.rows = 0;
        self
    }

    fn keep(&self, kind: Kind, kept: &[bool]) -> Self {
        let mut column = Self::new(kind, kept.len());
        for row in (0..self.rows).filter(|row| kept[*row]) {
            match &self.data {
                _ if !self.is_valid(row) => column.push_null(),
                Data::Text(texts) => column.push_text(texts.get(row)),
                Data::Numbers(numbers) => column.push_number(numbers[row]),
            }
        }
        column
    }

    fn bytes(&self) -> usize {
        let data = match &self.data {
            Data::Text(texts) => texts.bytes.len() + 4 * texts.ends.len(),
            Data::Numbers(numbers) => 8 * numbers.len(),
        };
        data + 8 * self.valid.len()
    }
}

/// Accepted operations. Defaults are not filled in: a missing value is what the caller left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub(super) columns: [Option<BatchColumn>; COLUMNS],
    pub(super) rows: usize,
    pub source: Source,
    pub connection_id: u64,
}

impl Batch {
    /// Replaces what metadata of version 0.1.0 may have and no metadata may have now.
    pub(super) fn repair_metadata(&mut self) {
        let column = self.columns[Field::Metadata as usize].as_mut();
        if let Some(Data::Text(texts)) = column.map(|column| &mut column.data) {
            // Few have any escape of this kind.
            if texts.bytes.contains(r"\u") {
                texts.repair(json::without_lone_surrogates);
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Memory that the batch takes, roughly.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self
                .columns
                .iter()
                .flatten()
                .map(BatchColumn::bytes)
                .sum::<usize>()
    }

    fn valid_column(&self, field: Field, row: usize) -> Option<&BatchColumn> {
        self.columns[field as usize]
            .as_ref()
            .filter(|column| column.is_valid(row))
    }

    /// The value of a text field as it was given.
    pub fn text(&self, field: Field, row: usize) -> Option<&str> {
        match &self.valid_column(field, row)?.data {
            Data::Text(texts) => Some(texts.get(row)),
            Data::Numbers(_) => None,
        }
    }

    /// The value of a text field, or the field's default.
    pub fn text_or_default(&self, field: Field, row: usize) -> &str {
        self.text(field, row).unwrap_or(match field {
            Field::Status => value::STATUSES[0],
            _ => field.default(),
        })
    }

    /// The value of a numeric field: the bits of a double, or an integer.
    pub fn number(&self, field: Field, row: usize) -> Option<u64> {
        match &self.valid_column(field, row)?.data {
            Data::Numbers(numbers) => Some(numbers[row]),
            Data::Text(_) => None,
        }
    }
}

/// A column to push to from the first row on, for callers who have the values by column and have nothing to convert.
pub struct ColumnWriter<'a> {
    column: &'a mut BatchColumn,
    field: Field,
}

impl ColumnWriter<'_> {
    /// Pushes the next row's text. False, and nothing is pushed, where [`BatchBuilder::push`] has more to say about it.
    #[inline]
    pub fn push_text(&mut self, text: &str) -> bool {
        let plain = match self.field.kind() {
            Kind::Status => value::STATUSES.contains(&text),
            _ => text.len() <= super::TEXT_BYTES_MAX,
        } && (self.field != Field::Command
            || text.as_bytes().first().is_some_and(u8::is_ascii_graphic));
        if plain {
            self.column.push_text(text);
        }
        plain
    }

    /// The same for a duration.
    #[inline]
    pub fn push_milliseconds(&mut self, number: f64) -> bool {
        let plain = value::DURATION_MS_RANGE.contains(&number);
        if plain {
            // Adding zero turns -0 into 0.
            self.column.push_number((number + 0.0).to_bits());
        }
        plain
    }

    /// The same for a count.
    #[inline]
    pub fn push_count(&mut self, number: i64) -> bool {
        if number >= 0 {
            self.column.push_number(number as u64);
        }
        number >= 0
    }

    #[inline]
    pub fn push_null(&mut self) {
        self.column.push_null();
    }
}

/// Collects the rows of one chunk. Values are pushed field by field within a row, or column by column; a row's fields
/// that nobody pushes are missing.
pub struct BatchBuilder {
    phase: Phase,
    /// That of times without one.
    zone: Zone,
    columns: [Option<BatchColumn>; COLUMNS],
    /// Columns of an old batch, whose memory the new ones take over.
    spare: [Option<BatchColumn>; COLUMNS],
    capacity: usize,
    row: usize,
    /// Rows that are not recorded, with the reason; NULL operations have none.
    dropped: Vec<(usize, Option<Problem>)>,
}

impl BatchBuilder {
    #[cfg(test)]
    pub fn new(capacity: usize) -> Self {
        Self::reusing(capacity, None)
    }

    /// A builder for up to `capacity` rows, positioned at row 0. It can use the memory of a batch that is no longer needed.
    pub fn reusing(capacity: usize, spare: Option<Batch>) -> Self {
        Self {
            phase: Phase::Complete,
            zone: Zone::utc(),
            columns: [const { None }; COLUMNS],
            spare: spare.map_or([const { None }; COLUMNS], |batch| batch.columns),
            capacity,
            row: 0,
            dropped: Vec::new(),
        }
    }

    /// The same for operations that are told of in another phase than when they have ended.
    pub fn at(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// The same for callers whose times without a zone are of this one.
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Goes to a row, whose values are pushed next. Rows only rise within one field.
    pub fn seek(&mut self, row: usize) {
        self.row = row;
    }

    /// Leaves the current row out of the batch.
    pub fn drop_row(&mut self, problem: Option<Problem>) {
        self.dropped.push((self.row, problem));
    }

    fn column(&mut self, field: Field) -> &mut BatchColumn {
        let row = self.row;
        let (spare, capacity) = (&mut self.spare, self.capacity);
        let column = self.columns[field as usize].get_or_insert_with(|| {
            spare[field as usize].take().map_or_else(
                || BatchColumn::new(field.kind(), capacity),
                BatchColumn::emptied,
            )
        });
        column.pad_to(row);
        column
    }

    /// A writer for a column that nothing has been pushed to.
    pub fn column_writer(&mut self, field: Field) -> Option<ColumnWriter<'_>> {
        if self.phase.refuses(field).is_some() {
            return None;
        }
        self.row = 0;
        let column = self.column(field);
        (column.rows == 0).then_some(ColumnWriter { column, field })
    }

    /// Validates a value and pushes it as the current row's.
    pub fn push(&mut self, field: Field, value: &Value<'_>) -> Result<(), Problem> {
        if *value == Value::Null {
            return Ok(());
        }
        if let Some(remedy) = self.phase.refuses(field) {
            return Err(Problem::of(field, value, remedy));
        }
        match field.kind() {
            Kind::Text => {
                let text = value::text(field, value)?;
                if field == Field::Command && text.trim().is_empty() {
                    return Err(Problem(
                        "command is '': name what ran, such as 'import'".into(),
                    ));
                }
                self.push_text(field, &text)
            }
            Kind::Status => {
                let status = value::status(value)?;
                self.push_text(field, status)
            }
            Kind::Json => {
                let text = value::json(field, value)?;
                self.push_text(field, &text)
            }
            Kind::Milliseconds => {
                self.push_number(field, value::milliseconds(field, value)?.to_bits())
            }
            Kind::Count => self.push_number(field, value::count(field, value)? as u64),
            Kind::Time => self.push_number(field, value::time(field, value, &self.zone)? as u64),
            Kind::TraceParent => self.push_traceparent(value),
        }
    }

    fn push_text(&mut self, field: Field, text: &str) -> Result<(), Problem> {
        let row = self.row;
        let column = self.column(field);
        if column.rows > row {
            return Err(given_twice(field));
        }
        column.push_text(text);
        Ok(())
    }

    fn push_number(&mut self, field: Field, number: u64) -> Result<(), Problem> {
        let row = self.row;
        let column = self.column(field);
        if column.rows > row {
            return Err(given_twice(field));
        }
        column.push_number(number);
        Ok(())
    }

    fn push_traceparent(&mut self, value: &Value<'_>) -> Result<(), Problem> {
        let text = match value {
            Value::Text(text) => Cow::Borrowed(text.as_ref()),
            other => Cow::Owned(other.to_string()),
        };
        let Some(parent) = TraceParent::parse(text.trim()) else {
            return Err(Problem(format!(
                "traceparent is {value}: give a W3C header such as \
                 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            )));
        };
        // The operation is a span of its own below the caller's. The id is never all zeros (W3C, 3.2.2.4).
        let span_id = format!("{:016x}", fastrand::u64(1..));
        self.push_text(Field::TraceId, parent.trace_id)?;
        self.push_text(Field::ParentSpanId, parent.parent_id)?;
        self.push_text(Field::SpanId, &span_id)
    }

    /// Ends the batch after `rows` rows: checks what every operation needs, and takes the dropped rows out. Gives the
    /// batch, none if no row is left, and the rows that are not in it.
    #[allow(clippy::type_complexity)]
    pub fn finish(
        mut self,
        source: Source,
        rows: usize,
    ) -> (Option<Batch>, Vec<(usize, Option<Problem>)>) {
        for column in self.columns.iter_mut().flatten() {
            column.pad_to(rows);
        }
        let mut kept = vec![true; rows];
        for (row, _) in &self.dropped {
            kept[*row] = false;
        }
        let command = self.columns[Field::Command as usize].take();
        for (row, kept) in kept.iter_mut().enumerate() {
            let needed = *kept && self.phase.needs_command();
            if needed && !command.as_ref().is_some_and(|column| column.is_valid(row)) {
                *kept = false;
                let missing = "command is missing: name what ran, such as 'import'";
                self.dropped.push((row, Some(Problem(missing.into()))));
            }
        }
        self.columns[Field::Command as usize] = command;
        self.dropped.sort_by_key(|(row, _)| *row);
        let left = kept.iter().filter(|kept| **kept).count();
        if left == 0 {
            return (None, self.dropped);
        }
        if left < rows {
            for (column, field) in self.columns.iter_mut().zip(Field::stored()) {
                if let Some(column) = column {
                    *column = column.keep(field.kind(), &kept);
                }
            }
        }
        let batch = Batch {
            columns: self.columns,
            rows: left,
            source,
            connection_id: 0,
        };
        (Some(batch), self.dropped)
    }
}

fn given_twice(field: Field) -> Problem {
    Problem(match field {
        Field::TraceId | Field::SpanId | Field::ParentSpanId => format!(
            "{} is given twice: give traceparent or the three ids, not both",
            field.name()
        ),
        _ => format!("{} is given twice", field.name()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn values_may_come_by_column() {
        let mut builder = BatchBuilder::new(3);
        for (row, command) in ["a", "b", "c"].iter().enumerate() {
            builder.seek(row);
            builder.push(Field::Command, &said(command)).unwrap();
        }
        builder.seek(1);
        builder
            .push(Field::RowsAffected, &Value::Integer(5))
            .unwrap();
        let (batch, dropped) = builder.finish(Source::Record, 3);
        let batch = batch.unwrap();
        assert_eq!(dropped, []);
        assert_eq!(batch.text(Field::Command, 2), Some("c"));
        assert_eq!(
            [0, 1, 2].map(|row| batch.number(Field::RowsAffected, row)),
            [None, Some(5), None]
        );
        assert_eq!(batch.text(Field::Metadata, 0), None);
        assert_eq!(batch.text_or_default(Field::Status, 0), "success");
        assert_eq!(batch.text_or_default(Field::ProjectId, 0), "default");
    }

    #[test]
    fn dropped_rows_leave_no_trace_and_no_gap() {
        let mut builder = BatchBuilder::new(200);
        for row in 0..200 {
            builder.seek(row);
            builder
                .push(Field::Command, &said(&row.to_string()))
                .unwrap();
            if row % 3 == 0 {
                builder.drop_row(Some(Problem("no".into())));
            } else {
                builder
                    .push(Field::BytesIn, &Value::Integer(row as i128))
                    .unwrap();
            }
        }
        let (batch, dropped) = builder.finish(Source::Record, 200);
        let batch = batch.unwrap();
        assert_eq!(dropped.len(), 67);
        assert_eq!(batch.rows(), 133);
        for row in 0..batch.rows() {
            let command = batch.text(Field::Command, row).unwrap();
            assert_eq!(
                batch.number(Field::BytesIn, row),
                Some(command.parse().unwrap())
            );
        }
    }

    #[test]
    fn a_row_without_a_command_is_not_recorded() {
        let mut builder = BatchBuilder::new(2);
        builder.seek(1);
        builder.push(Field::Command, &said("b")).unwrap();
        let (batch, dropped) = builder.finish(Source::Record, 2);
        assert_eq!(batch.unwrap().rows(), 1);
        assert_eq!(dropped.len(), 1);
        assert_eq!(dropped[0].0, 0);
        let (batch, dropped) = BatchBuilder::new(1).finish(Source::Record, 1);
        assert!(batch.is_none());
        assert_eq!(
            dropped[0].1.as_ref().unwrap().0,
            "command is missing: name what ran, such as 'import'"
        );
    }

    #[test]
    fn a_traceparent_stands_for_the_three_ids() {
        let header = said("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let mut builder = BatchBuilder::new(1);
        builder.push(Field::Command, &said("a")).unwrap();
        builder.push(Field::TraceParent, &header).unwrap();
        assert_eq!(
            builder.push(Field::TraceId, &said("1")).unwrap_err().0,
            "trace_id is given twice: give traceparent or the three ids, not both"
        );
        let batch = builder.finish(Source::Record, 1).0.unwrap();
        assert_eq!(
            batch.text(Field::TraceId, 0),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        assert_eq!(batch.text(Field::ParentSpanId, 0), Some("00f067aa0ba902b7"));
        let span_id = batch.text(Field::SpanId, 0).unwrap();
        assert_eq!(span_id.len(), 16);
        assert_ne!(span_id, "00f067aa0ba902b7");
    }

    #[test]
    fn a_malformed_traceparent_is_shown() {
        let mut builder = BatchBuilder::new(1);
        assert!(builder
            .push(Field::TraceParent, &said("00-x"))
            .unwrap_err()
            .0
            .starts_with("traceparent is '00-x': give a W3C header"));
    }
}
