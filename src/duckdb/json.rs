//! Any value of DuckDB as JSON text (RFC 8259), as `to_json` would give it, without the JSON extension.
//!
//! What JSON has no way to say is null where it is a number (NaN, infinity), and an error where it is a text.

use super::resolved_type::ResolvedType;
use super::{Cell, Column};
use super::{TypeId, DEPTH_MAX};
use crate::json::{self, write_text};

/// Appends the JSON text of one value to `out`. The error is what to say of the value, behind "… has a value that is".
pub fn write_json(column: &Column<'_>, row: usize, out: &mut String) -> Result<(), String> {
    write(column, row, out, 0)
}

fn write(column: &Column<'_>, row: usize, out: &mut String, depth: usize) -> Result<(), String> {
    if !column.is_valid(row) {
        out.push_str("null");
        return Ok(());
    }
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX} levels: flatten it"));
    }
    match column.resolved_type() {
        // Unnamed fields: an object would have one key several times.
        ResolvedType::Struct(resolved_types)
            if resolved_types.iter().all(|(name, _)| name.is_empty()) =>
        {
            let fields = column.fields(resolved_types);
            write_list(fields.iter().map(|(_, field)| (field, row)), out, depth)?;
        }
        ResolvedType::Struct(resolved_types) => {
            out.push('{');
            for (index, (name, field)) in column.fields(resolved_types).iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(field, row, out, depth + 1)?;
            }
            out.push('}');
        }
        ResolvedType::Map(resolved_types) => {
            let (keys, values, range) = column.entries(row, resolved_types);
            out.push('{');
            let first = range.start;
            for entry in range {
                if entry > first {
                    out.push(',');
                }
                // A key of JSON is a text: what is none is written as the text of its JSON.
                let mut key = String::new();
                write(&keys, entry, &mut key, depth + 1)?;
                if key.starts_with('"') {
                    out.push_str(&key);
                } else {
                    write_text(&key, out);
                }
                out.push(':');
                write(&values, entry, out, depth + 1)?;
            }
            out.push('}');
        }
        ResolvedType::List(resolved_type) => {
            let (elements, range) = column.elements(row, resolved_type);
            write_list(range.map(|at| (&elements, at)), out, depth)?;
        }
        ResolvedType::Array(resolved_type, size) => {
            let (elements, range) = column.array_elements(row, resolved_type, *size);
            write_list(range.map(|at| (&elements, at)), out, depth)?;
        }
        ResolvedType::Union(resolved_types) => match column.union_member(row, resolved_types) {
            Some((name, member)) => {
                out.push('{');
                write_text(name, out);
                out.push(':');
                write(&member, row, out, depth + 1)?;
                out.push('}');
            }
            None => out.push_str("null"),
        },
        ResolvedType::Json => write_given(&column.rendered(row)?, out),
        ResolvedType::Plain(_) | ResolvedType::Decimal { .. } | ResolvedType::Enum { .. } => {
            write_scalar(column, row, out)?;
        }
    }
    Ok(())
}

/// Writes what is JSON already. DuckDB checks JSON when it casts to it, but not what is only called so.
fn write_given(text: &str, out: &mut String) {
    match json::strict(text) {
        Ok(strict) => out.push_str(&strict),
        Err(_) => write_text(text, out),
    }
}

fn write_list<'a, 'c: 'a>(
    elements: impl Iterator<Item = (&'a Column<'c>, usize)>,
    out: &mut String,
    depth: usize,
) -> Result<(), String> {
    out.push('[');
    for (index, (column, row)) in elements.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(column, row, out, depth + 1)?;
    }
    out.push(']');
    Ok(())
}

fn write_scalar(column: &Column<'_>, row: usize, out: &mut String) -> Result<(), String> {
    match column.cell(row) {
        Cell::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
        Cell::Text(text) => write_text(&text, out),
        // JSON has no NaN and no infinity.
        Cell::Double(value) if !value.is_finite() => out.push_str("null"),
        _ if is_number(column.resolved_type()) => out.push_str(&column.rendered(row)?),
        _ => write_text(&column.rendered(row)?, out),
    }
    Ok(())
}

fn is_number(resolved_type: &ResolvedType) -> bool {
    match resolved_type {
        ResolvedType::Decimal { .. } => true,
        ResolvedType::Plain(id) => id.is_integer() || matches!(id, TypeId::Float | TypeId::Double),
        _ => false,
    }
}
