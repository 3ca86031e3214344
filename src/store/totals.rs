//! The totals of metrics, stored in the transaction of the operations that they count.

use super::error::Error;
use super::rows::append;
use super::store::Store;
use crate::duckdb::{Cell, Connection, OwnedChunk, TypeId};
use crate::metrics::{part, Changes, FamilyRow, ValueRow};

/// Where updates wait to be applied in one statement.
const STAGED: &str = "staged_metric_values";
const STAGE: &str = include_str!("../../sql/metrics/stage_values.sql");
const UPDATE: &str = include_str!("../../sql/metrics/update_values.sql");

impl Store {
    /// The metrics that are stored, and their totals.
    pub fn totals(&self) -> Result<(Vec<FamilyRow>, Vec<ValueRow>), Error> {
        let text = |cell: &Cell<'static>| match cell {
            Cell::Text(text) => Some(text.to_string()),
            _ => None,
        };
        let double = |cell: &Cell<'static>| match cell {
            Cell::Double(value) => Some(*value),
            _ => None,
        };
        let families = self
            .connection
            .query("SELECT name, type, help, labels, buckets FROM metric_families ORDER BY name")?
            .iter()
            .filter_map(|row| match row.as_slice() {
                [name, kind, help, labels, buckets] => Some(FamilyRow {
                    name: text(name)?,
                    kind: text(kind)?,
                    help: text(help)?,
                    labels: text(labels),
                    buckets: text(buckets),
                }),
                _ => None,
            })
            .collect();
        let values = self
            .connection
            .query(
                "SELECT slot, family, labels, part, bound, value FROM metric_values ORDER BY slot",
            )?
            .iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Integer(slot), family, labels, name, bound, value] => Some(ValueRow {
                    slot: u64::try_from(*slot).ok()?,
                    family: text(family)?,
                    labels: text(labels)?,
                    part: part(&text(name)?)?,
                    bound: double(bound),
                    value: double(value)?,
                }),
                _ => None,
            })
            .collect();
        Ok((families, values))
    }

    /// Stores changed totals within the current transaction.
    pub(super) fn put_totals(
        &self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), Error> {
        if changes.rewrite {
            connection.execute("DELETE FROM metric_values")?;
        }
        if changes.rewrite || !changes.families.is_empty() {
            connection.execute("DELETE FROM metric_families")?;
            append(
                connection,
                &self.catalog,
                "metric_families",
                &FAMILY_TYPES,
                &changes.families,
                put_family,
            )?;
        }
        if !changes.added.is_empty() {
            append(
                connection,
                &self.catalog,
                "metric_values",
                &VALUE_TYPES,
                &changes.added,
                put_value,
            )?;
        }
        if !changes.changed.is_empty() {
            connection.execute(STAGE)?;
            append(
                connection,
                "temp",
                STAGED,
                &STAGED_TYPES,
                &changes.changed,
                |chunk, row, change| {
                    chunk.column_mut(0).set_u64(row, change.0);
                    chunk.column_mut(1).set_f64(row, change.1);
                },
            )?;
            connection.execute(UPDATE)?;
        }
        Ok(())
    }
}

const FAMILY_TYPES: [TypeId; 5] = [TypeId::Varchar; 5];
const VALUE_TYPES: [TypeId; 6] = [
    TypeId::UBigInt,
    TypeId::Varchar,
    TypeId::Varchar,
    TypeId::Varchar,
    TypeId::Double,
    TypeId::Double,
];
const STAGED_TYPES: [TypeId; 2] = [TypeId::UBigInt, TypeId::Double];

fn put_family(chunk: &mut OwnedChunk, row: usize, family: &FamilyRow) {
    let texts = [
        Some(family.name.as_str()),
        Some(&family.kind),
        Some(&family.help),
        family.labels.as_deref(),
        family.buckets.as_deref(),
    ];
    for (index, text) in texts.into_iter().enumerate() {
        match text {
            Some(text) => chunk.column_mut(index).set_text(row, text),
            None => chunk.column_mut(index).set_null(row),
        }
    }
}

fn put_value(chunk: &mut OwnedChunk, row: usize, value: &ValueRow) {
    chunk.column_mut(0).set_u64(row, value.slot);
    chunk.column_mut(1).set_text(row, &value.family);
    chunk.column_mut(2).set_text(row, &value.labels);
    chunk.column_mut(3).set_text(row, value.part);
    match value.bound {
        Some(bound) => chunk.column_mut(4).set_f64(row, bound),
        None => chunk.column_mut(4).set_null(row),
    }
    chunk.column_mut(5).set_f64(row, value.value);
}
