//! Large batches in parts: what one frame, one commit and one vector of DuckDB may take is bounded, whatever a chunk of
//! the caller's holds.

use super::{Batch, BatchColumn, Data, Pending, Stamp};
use crate::record::{Field, IdRange};
use std::ops::Range;
use std::sync::Arc;

/// A batch that takes more is divided. Far above what usual chunks take, and little enough for a commit to have room for
/// several.
pub const PART_BYTES_MAX: usize = 8 * 1024 * 1024;

impl BatchColumn {
    fn range(&self, kind: crate::record::Kind, rows: Range<usize>) -> Self {
        let mut column = Self::new(kind, rows.len());
        for row in rows {
            match &self.data {
                _ if !self.is_valid(row) => column.push_null(),
                Data::Text(texts) => column.push_text(texts.get(row)),
                Data::Numbers(numbers) => column.push_number(numbers[row]),
            }
        }
        column
    }

    fn text_bytes(&self, row: usize) -> usize {
        match &self.data {
            Data::Text(texts) => texts.get(row).len(),
            Data::Numbers(_) => 8,
        }
    }
}

impl Batch {
    /// Some of the rows, in their order.
    pub fn range(&self, rows: Range<usize>) -> Self {
        let mut columns = [const { None }; super::COLUMNS];
        for ((to, from), field) in columns.iter_mut().zip(&self.columns).zip(Field::stored()) {
            *to = from
                .as_ref()
                .map(|column| column.range(field.kind(), rows.clone()));
        }
        Self {
            columns,
            rows: rows.len(),
            source: self.source,
            connection_id: self.connection_id,
        }
    }

    /// The rows in ranges that take about [`PART_BYTES_MAX`] at most, or one row.
    pub fn parts(&self) -> Vec<Range<usize>> {
        if self.bytes() <= PART_BYTES_MAX {
            return std::iter::once(0..self.rows).collect();
        }
        let mut parts = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for row in 0..self.rows {
            let columns = self.columns.iter().flatten();
            let of_row: usize = columns.map(|column| column.text_bytes(row)).sum();
            if row > start && bytes + of_row > PART_BYTES_MAX {
                parts.push(start..row);
                (start, bytes) = (row, 0);
            }
            bytes += of_row;
        }
        parts.push(start..self.rows);
        parts
    }
}

/// Some of the rows of a batch that has its stamp.
pub fn part((stamp, batch): &Pending, rows: Range<usize>) -> Pending {
    let stamp = stamp.at_row(rows.start);
    if rows.len() == batch.rows() {
        return (stamp, Arc::clone(batch));
    }
    (stamp, Arc::new(batch.range(rows)))
}

impl Stamp {
    /// The stamp of a batch's rows from `row` on.
    pub fn at_row(&self, row: usize) -> Self {
        Self {
            first_seq: self.first_seq + row as u64,
            ids: IdRange::starting_at(self.ids.id(row)),
            recorded_at_us: self.recorded_at_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, Source, Value};
    use super::*;

    fn batch(rows: usize, text_bytes: usize) -> Batch {
        let mut builder = BatchBuilder::new(rows);
        for row in 0..rows {
            builder.seek(row);
            let text = format!("{row:0text_bytes$}");
            let command = Value::Text(text.as_str().into());
            builder.push(Field::Command, &command).unwrap();
            if row % 3 == 0 {
                let count = Value::Integer(row as i128);
                builder.push(Field::RowsAffected, &count).unwrap();
            }
        }
        builder.finish(Source::Record, rows).0.unwrap()
    }

    #[test]
    fn a_usual_batch_is_one_part() {
        let small = batch(2048, 30);
        assert_eq!((small.parts().len(), small.parts()[0].end), (1, 2048));
    }

    #[test]
    fn the_parts_of_a_large_batch_are_its_rows() {
        let large = batch(500, 60_000);
        let parts = large.parts();
        assert!(parts.len() > 3);
        assert_eq!(parts.first().unwrap().start, 0);
        assert_eq!(parts.last().unwrap().end, 500);
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        for rows in parts {
            let part = large.range(rows.clone());
            assert!(part.bytes() <= PART_BYTES_MAX + 100_000);
            for (at, row) in rows.enumerate() {
                assert_eq!(
                    part.text(Field::Command, at),
                    large.text(Field::Command, row)
                );
                assert_eq!(
                    part.number(Field::RowsAffected, at),
                    large.number(Field::RowsAffected, row)
                );
            }
        }
    }

    #[test]
    fn a_part_keeps_the_ids_and_the_order() {
        let stamp = Stamp {
            first_seq: 70,
            ids: IdRange::starting_at(0x019a_5f6e_0000_7000_8000_0000_0000_00ff),
            recorded_at_us: 5,
        };
        let part = stamp.at_row(9);
        assert_eq!(part.first_seq, 79);
        assert_eq!(part.ids.id(2), stamp.ids.id(11));
    }
}
