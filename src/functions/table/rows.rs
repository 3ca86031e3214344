//! Rows that are made here, and handed out a chunk at a time.

use crate::duckdb::TableOutput;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    Count(u64),
    Double(f64),
    Boolean(bool),
    Uuid(u128),
    /// Microseconds since 1970.
    Time(i64),
    /// Of a LIST of STRUCTs of texts, or of a MAP of texts, which is one of names and values.
    Structs(Vec<Vec<String>>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text)
        }
    }
}

pub type Answer = Result<Vec<Vec<Value>>, String>;

/// The rows of an answer, handed out a chunk at a time.
pub struct Scan {
    rows: std::vec::IntoIter<Vec<Value>>,
    columns: Vec<usize>,
}

impl Scan {
    /// `columns` are the positions of those that the host wants.
    pub fn new(rows: Vec<Vec<Value>>, columns: &[usize]) -> Self {
        Self {
            rows: rows.into_iter(),
            columns: columns.to_vec(),
        }
    }

    /// Fills a chunk; zero rows are the end.
    pub fn next_into(&mut self, output: &mut TableOutput) -> usize {
        let chunk: Vec<Vec<Value>> = self
            .rows
            .by_ref()
            .take(crate::duckdb::VECTOR_SIZE)
            .collect();
        for (to, from) in self.columns.iter().enumerate() {
            // A column is of one kind throughout.
            let first = chunk.first().and_then(|row| row.get(*from));
            if matches!(first, Some(Value::Structs(_))) {
                let mut column = output.structs_mut(to);
                for (at, row) in chunk.iter().enumerate() {
                    if let Value::Structs(structs) = &row[*from] {
                        column.set(at, structs.iter());
                    }
                }
                continue;
            }
            let mut column = output.column_mut(to);
            for (count, row) in chunk.iter().enumerate() {
                // What is no column of ours is a row number that count(*) asks for and nobody reads.
                let Some(value) = row.get(*from) else {
                    continue;
                };
                match value {
                    Value::Null => column.set_null(count),
                    Value::Text(text) => column.set_text(count, text),
                    Value::Integer(number) => column.set_i64(count, *number),
                    Value::Count(number) => column.set_u64(count, *number),
                    Value::Double(number) => column.set_f64(count, *number),
                    Value::Uuid(id) => column.set_uuid(count, *id),
                    Value::Time(micros) => column.set_i64(count, *micros),
                    Value::Boolean(value) => column.set_bool(count, *value),
                    Value::Structs(_) => {}
                }
            }
        }
        chunk.len()
    }
}
