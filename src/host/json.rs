//! Any value of DuckDB as JSON text (RFC 8259), as `to_json` would give it, without the JSON extension.

use super::shape::Shape;
use super::vector::{Cell, Column};
use super::TypeId;
use std::fmt::Write;

/// Deeper nesting than this is written as null, so that no value can exhaust the stack.
const DEPTH_MAX: usize = 64;

/// Appends the JSON text of one value to `out`.
pub fn write_json(column: &Column<'_>, row: usize, out: &mut String) {
    write(column, row, out, 0);
}

fn write(column: &Column<'_>, row: usize, out: &mut String, depth: usize) {
    if depth == DEPTH_MAX || !column.is_valid(row) {
        out.push_str("null");
        return;
    }
    match column.shape() {
        Shape::Struct(shapes) => {
            out.push('{');
            for (index, (name, field)) in column.fields(shapes).iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(field, row, out, depth + 1);
            }
            out.push('}');
        }
        Shape::Map(shapes) => {
            let (keys, values, range) = column.entries(row, shapes);
            out.push('{');
            let first = range.start;
            for entry in range {
                if entry > first {
                    out.push(',');
                }
                // A key of JSON is a text: what is none is written as the text of its JSON.
                let mut key = String::new();
                write(&keys, entry, &mut key, depth + 1);
                if key.starts_with('"') {
                    out.push_str(&key);
                } else {
                    write_text(&key, out);
                }
                out.push(':');
                write(&values, entry, out, depth + 1);
            }
            out.push('}');
        }
        Shape::List(shape) => {
            let (elements, range) = column.elements(row, shape);
            write_elements(&elements, range, out, depth);
        }
        Shape::Array(shape, size) => {
            let (elements, range) = column.array_elements(row, shape, *size);
            write_elements(&elements, range, out, depth);
        }
        Shape::Union(shapes) => match column.union_member(row, shapes) {
            Some((name, member)) => {
                out.push('{');
                write_text(name, out);
                out.push(':');
                write(&member, row, out, depth + 1);
                out.push('}');
            }
            None => out.push_str("null"),
        },
        Shape::Json => {
            let text = column.rendered(row);
            // DuckDB checks JSON when it casts to it, but a reinterpreted text is not checked.
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                out.push_str(&text);
            } else {
                write_text(&text, out);
            }
        }
        Shape::Plain(_) | Shape::Decimal { .. } | Shape::Enum { .. } => {
            write_scalar(column, row, out);
        }
    }
}

fn write_elements(
    elements: &Column<'_>,
    range: std::ops::Range<usize>,
    out: &mut String,
    depth: usize,
) {
    out.push('[');
    let first = range.start;
    for element in range {
        if element > first {
            out.push(',');
        }
        write(elements, element, out, depth + 1);
    }
    out.push(']');
}

fn write_scalar(column: &Column<'_>, row: usize, out: &mut String) {
    match column.cell(row) {
        Cell::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
        Cell::Text(text) => write_text(&text, out),
        // JSON has no NaN and no infinity.
        Cell::Double(value) if !value.is_finite() => out.push_str("null"),
        _ if is_number(column.shape()) => out.push_str(&column.rendered(row)),
        _ => write_text(&column.rendered(row), out),
    }
}

fn is_number(shape: &Shape) -> bool {
    match shape {
        Shape::Decimal { .. } => true,
        Shape::Plain(id) => id.is_integer() || matches!(id, TypeId::Float | TypeId::Double),
        _ => false,
    }
}

pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
