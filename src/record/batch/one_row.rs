//! Batches of one row: a span that runs, from which its operation is made when it ends.

use super::{Batch, BatchColumn, Data, Source, COLUMNS};
use crate::record::{Field, Kind, Phase, Problem, Value, INTERRUPTED};

impl BatchColumn {
    fn one(&self, kind: Kind, row: usize) -> Self {
        let mut column = Self::new(kind, 1);
        match &self.data {
            Data::Text(texts) => column.push_text(texts.get(row)),
            Data::Numbers(numbers) => column.push_number(numbers[row]),
        }
        column
    }
}

impl Batch {
    /// A row as the batch of a span.
    pub fn span(&self, row: usize) -> Self {
        let mut span = Self {
            columns: [const { None }; COLUMNS],
            rows: 1,
            source: Source::Span,
            connection_id: self.connection_id,
        };
        for field in Field::stored() {
            span.take_over(*field, self, row);
        }
        span
    }

    fn take_over(&mut self, field: Field, from: &Self, row: usize) {
        if let Some(column) = from.valid_column(field, row) {
            self.columns[field as usize] = Some(column.one(field.kind(), row));
        }
    }

    /// Sets a text field of a span.
    pub fn set_text(&mut self, field: Field, text: &str) {
        let mut column = BatchColumn::new(field.kind(), 1);
        column.push_text(text);
        self.columns[field as usize] = Some(column);
    }

    fn set_number(&mut self, field: Field, number: u64) {
        let mut column = BatchColumn::new(field.kind(), 1);
        column.push_number(number);
        self.columns[field as usize] = Some(column);
    }

    /// Adds what is said of a span when it ends; that wins over what was said when it started, save what a span has for
    /// good.
    pub fn add_to_span(&mut self, given: &Self, row: usize) -> Result<(), Problem> {
        for field in Field::stored() {
            if Phase::is_final(*field) {
                let (started, given) = (self.text(*field, 0), given.text(*field, row));
                if let Some(given) = given.filter(|given| started != Some(given)) {
                    let shown = |text: &'_ str| Value::Text(text.to_owned().into());
                    return Err(Problem(format!(
                        "{} is {}, and was {} when the span started: leave it out",
                        field.name(),
                        shown(given),
                        started.map_or(Value::Null, shown),
                    )));
                }
            }
            self.take_over(*field, given, row);
        }
        Ok(())
    }

    /// Makes a span the operation that it was.
    pub fn finish_span(&mut self, duration_ms: f64) {
        self.set_number(Field::DurationMs, duration_ms.to_bits());
    }

    /// Makes a span the operation that it is if nobody finishes it: it stands at its start, and took who knows how long.
    pub fn interrupt_span(&mut self, started_at_us: i64) {
        self.set_text(Field::Status, INTERRUPTED);
        self.set_number(Field::Timestamp, started_at_us as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BatchBuilder;

    fn batch(phase: Phase, rows: &[&[(Field, &str)]]) -> Batch {
        let mut builder = BatchBuilder::new(rows.len()).at(phase);
        for (row, fields) in rows.iter().enumerate() {
            builder.seek(row);
            for (field, text) in *fields {
                builder.push(*field, &Value::Text((*text).into())).unwrap();
            }
        }
        builder.finish(Source::Record, rows.len()).0.unwrap()
    }

    fn started() -> Batch {
        let first: &[_] = &[(Field::Command, "first")];
        let second: &[_] = &[
            (Field::Command, "second"),
            (Field::ProjectId, "p"),
            (Field::RowsAffected, "7"),
            (Field::SpanId, "s"),
        ];
        batch(Phase::SpanStart, &[first, second]).span(1)
    }

    #[test]
    fn a_span_is_its_row_and_nothing_of_the_others() {
        let span = started();
        assert_eq!((span.rows(), span.source), (1, Source::Span));
        assert_eq!(span.text(Field::Command, 0), Some("second"));
        assert_eq!(span.number(Field::RowsAffected, 0), Some(7));
        assert_eq!(span.text(Field::TableName, 0), None);
    }

    #[test]
    fn what_is_said_at_the_end_wins() {
        let mut span = started();
        let other: &[_] = &[];
        let end: &[_] = &[
            (Field::ProjectId, "q"),
            (Field::Status, "error"),
            (Field::Command, "second"),
        ];
        let end = batch(Phase::SpanEnd, &[other, end]);
        span.add_to_span(&end, 1).unwrap();
        span.finish_span(1.5);
        assert_eq!(span.text(Field::ProjectId, 0), Some("q"));
        assert_eq!(span.text(Field::Status, 0), Some("error"));
        assert_eq!(span.number(Field::RowsAffected, 0), Some(7));
        assert_eq!(
            span.number(Field::DurationMs, 0).map(f64::from_bits),
            Some(1.5)
        );
    }

    #[test]
    fn what_a_span_has_for_good_stays() {
        for (field, said) in [
            (
                Field::Command,
                "command is 'x', and was 'second' when the span started: leave it out",
            ),
            (
                Field::SpanId,
                "span_id is 'x', and was 's' when the span started: leave it out",
            ),
            (
                Field::TraceId,
                "trace_id is 'x', and was NULL when the span started: leave it out",
            ),
        ] {
            let given = batch(Phase::SpanEnd, &[&[(field, "x")]]);
            assert_eq!(started().add_to_span(&given, 0).unwrap_err().0, said);
        }
    }

    #[test]
    fn an_interrupted_span_stands_at_its_start() {
        let mut span = started();
        span.interrupt_span(5);
        assert_eq!(span.text(Field::Status, 0), Some("interrupted"));
        assert_eq!(span.number(Field::Timestamp, 0), Some(5));
        assert_eq!(span.number(Field::DurationMs, 0), None);
    }

    #[test]
    fn each_phase_refuses_what_is_another_ones() {
        for (phase, field, value, said) in [
            (
                Phase::SpanStart,
                Field::Status,
                Value::Text("error".into()),
                "status is 'error': a span has its status when it ends; give it to oplog_finish",
            ),
            (
                Phase::SpanEnd,
                Field::DurationMs,
                Value::Double(2.5),
                "duration_ms is 2.5: oplog measures how long a span takes; leave it out",
            ),
            (
                Phase::SpanStart,
                Field::Timestamp,
                Value::Time(0),
                "timestamp is 1970-01-01T00:00:00Z: oplog takes the time of a span itself; leave it out",
            ),
        ] {
            let mut builder = BatchBuilder::new(1).at(phase);
            assert_eq!(builder.push(field, &value).unwrap_err().0, said);
            assert_eq!(builder.push(field, &Value::Null), Ok(()));
            assert!(builder.column_writer(field).is_none());
        }
    }
}
