//! The rows of a query in the private instance as JSON objects, for whoever is no DuckDB.

use super::json::write_json;
use super::resolved_type::ResolvedType;
use super::statement::Rows;
use super::{ffi, text_from, LogicalType, TypeId};
use super::{Cell, Chunk, Column, Error};
use crate::json::write_text;

/// How rows are written, and how many.
pub struct ObjectStyle {
    /// A column of VARCHAR that holds JSON.
    pub json_column: &'static str,
    /// A time from microseconds since 1970.
    pub time: fn(i64) -> String,
    pub rows_max: usize,
    /// No row is begun when there are so many bytes.
    pub bytes_max: usize,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub rows: usize,
    /// Whether there are rows that were not written.
    pub more: bool,
}

impl Rows {
    /// Appends the rows that are left as JSON objects, separated by commas.
    pub fn write_objects(
        &mut self,
        style: &ObjectStyle,
        out: &mut String,
    ) -> Result<Written, Error> {
        let types = self.types();
        let columns = self.object_columns(&types, style);
        let resolved_types: Vec<ResolvedType> = columns
            .iter()
            .map(|(_, resolved_type)| resolved_type.clone())
            .collect();
        let mut rows = 0;
        while let Some(flat) = self.next_flat(&types)? {
            // SAFETY: the chunk is flat and of the result's types.
            let chunk = unsafe { Chunk::new(flat.raw(), &resolved_types) };
            for row in 0..chunk.rows() {
                if rows == style.rows_max || out.len() >= style.bytes_max {
                    return Ok(Written { rows, more: true });
                }
                if rows > 0 {
                    out.push(',');
                }
                write_object(&columns, &chunk, row, style, out).map_err(Error::new)?;
                rows += 1;
            }
        }
        Ok(Written { rows, more: false })
    }

    /// The columns' names as JSON texts, and how they are read.
    fn object_columns(
        &mut self,
        types: &[LogicalType],
        style: &ObjectStyle,
    ) -> Vec<(String, ResolvedType)> {
        let result = self.result();
        types
            .iter()
            .enumerate()
            .map(|(index, logical)| {
                // SAFETY: the result is live and has the column; the text is borrowed from it and copied at once.
                let name = unsafe { text_from(ffi::duckdb_column_name(result, index as u64)) };
                let resolved_type = if name == style.json_column {
                    ResolvedType::Json
                } else {
                    ResolvedType::of(logical)
                };
                let mut written = String::new();
                write_text(&name, &mut written);
                (written, resolved_type)
            })
            .collect()
    }
}

fn write_object(
    columns: &[(String, ResolvedType)],
    chunk: &Chunk<'_>,
    row: usize,
    style: &ObjectStyle,
    out: &mut String,
) -> Result<(), String> {
    out.push('{');
    for (index, (name, resolved_type)) in columns.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push(':');
        let column = chunk.column(index);
        match time_of(&column, resolved_type, row) {
            Some(micros) => write_text(&(style.time)(micros), out),
            None => write_json(&column, row, out)
                .map_err(|problem| format!("{name} has a value that is {problem}"))?,
        }
    }
    out.push('}');
    Ok(())
}

fn time_of(column: &Column<'_>, resolved_type: &ResolvedType, row: usize) -> Option<i64> {
    match (resolved_type, column.cell(row)) {
        (ResolvedType::Plain(TypeId::TimestampTz), Cell::Timestamp(micros)) => Some(micros),
        _ => None,
    }
}
