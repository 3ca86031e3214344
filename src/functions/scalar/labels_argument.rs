//! Labels as arguments: a MAP or a STRUCT of names and values.

use crate::duckdb::{Cell, Column, LogicalType, TypeId};
use crate::excerpt::excerpt;
use crate::metrics::pack;
use std::borrow::Cow;

/// How labels are read, worked out from their type.
pub enum Labels {
    None,
    /// The fields of a STRUCT in the order of their names, with their positions.
    Struct(Vec<(String, usize)>),
    Map,
}

impl Labels {
    pub fn of(labels: &LogicalType) -> Result<Self, String> {
        match labels.id() {
            TypeId::Struct => {
                let fields = labels.struct_fields();
                let mut sorted = Vec::with_capacity(fields.len());
                for (index, (name, logical)) in fields.into_iter().enumerate() {
                    check_value(&format!("label '{}'", excerpt(&name)), &logical)?;
                    sorted.push((name, index));
                }
                sorted.sort();
                Ok(Self::Struct(sorted))
            }
            TypeId::Map => {
                let (key, value) = labels.map_parts();
                check_value("the name of a label", &key)?;
                check_value("the value of a label", &value)?;
                Ok(Self::Map)
            }
            TypeId::SqlNull => Ok(Self::None),
            other => Err(format!(
                "labels are a MAP such as MAP {{'method': 'GET'}} or a STRUCT such as {{method: 'GET'}}; this is {}",
                other.sql_name()
            )),
        }
    }

    /// The labels of a chunk.
    pub fn read<'a>(&'a self, column: Option<Column<'a>>) -> LabelColumn<'a> {
        let fields = match (self, &column) {
            (Self::Struct(fields), Some(column)) => fields
                .iter()
                .filter_map(|(name, index)| Some((name.as_str(), column.field(*index)?)))
                .collect(),
            _ => Vec::new(),
        };
        LabelColumn {
            map: column.filter(|_| matches!(self, Self::Map)),
            fields,
            pairs: Vec::new(),
        }
    }
}

/// Refuses what is no label's value, whatever it is.
fn check_value(what: &str, logical: &LogicalType) -> Result<(), String> {
    if let Some(unreadable) = logical.unreadable() {
        return Err(format!("{what}{unreadable}"));
    }
    match logical.id() {
        TypeId::Struct | TypeId::List | TypeId::Array | TypeId::Map | TypeId::Union => {
            Err(format!(
                "{what} is a {}: a label's value is a text, a number or a boolean",
                logical.id().sql_name()
            ))
        }
        _ => Ok(()),
    }
}

/// The labels of a chunk, read a row at a time.
pub struct LabelColumn<'a> {
    map: Option<Column<'a>>,
    fields: Vec<(&'a str, Column<'a>)>,
    /// The last row of a MAP, in the order of the names.
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> LabelColumn<'a> {
    /// Appends what tells the row's label set from another one to `key`. The label values alone stand from the returned
    /// position on, packed in the order of their names.
    pub fn pack(&mut self, row: usize, key: &mut Vec<u8>) -> Result<usize, String> {
        let Some(map) = &self.map else {
            let start = key.len();
            for (name, column) in &self.fields {
                match text(column, row) {
                    Some(value) => pack(key, std::iter::once(value)),
                    None => pack(key, std::iter::once(&*named(name, column, row)?)),
                }
            }
            return Ok(start);
        };
        self.pairs.clear();
        if let Some((names, values, range)) = map.map_entries(row) {
            for at in range {
                let name = value(&names, at)
                    .map_err(|problem| format!("the name of a label is {problem}"))?;
                let value = named(&name, &values, at)?;
                self.pairs.push((name, value));
            }
        }
        self.pairs.sort();
        if let Some(pair) = self.pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!(
                "label '{}' is given twice: give it once",
                excerpt(&pair[0].0)
            ));
        }
        pack(key, self.pairs.iter().map(|(name, _)| &**name));
        // What follows cannot be mistaken for one more name.
        key.extend_from_slice(&u32::MAX.to_le_bytes());
        let start = key.len();
        pack(key, self.pairs.iter().map(|(_, value)| &**value));
        Ok(start)
    }

    /// The names of the row that was packed last, in their order.
    pub fn names(&self) -> Vec<&str> {
        match self.map {
            Some(_) => self.pairs.iter().map(|(name, _)| &**name).collect(),
            None => self.fields.iter().map(|(name, _)| *name).collect(),
        }
    }

    /// The names and values of a row.
    pub fn pairs(&mut self, row: usize) -> Result<Vec<(String, String)>, String> {
        if self.map.is_none() {
            let pair = |(name, column): &(&str, Column<'a>)| {
                Ok(((*name).to_owned(), named(name, column, row)?.into_owned()))
            };
            return self.fields.iter().map(pair).collect();
        }
        self.pack(row, &mut Vec::new())?;
        let pair = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| {
            (name.clone().into_owned(), value.clone().into_owned())
        };
        Ok(self.pairs.iter().map(pair).collect())
    }
}

/// The quick way to a value, which most are: a text, or NULL where one would be.
#[inline]
fn text<'a>(column: &Column<'a>, row: usize) -> Option<&'a str> {
    (column.plain_type() == Some(TypeId::Varchar))
        .then(|| column.text(row).ok())
        .flatten()
        .map(Option::unwrap_or_default)
}

/// The value of the label of this name.
fn named<'a>(name: &str, column: &Column<'a>, row: usize) -> Result<Cow<'a, str>, String> {
    value(column, row).map_err(|problem| format!("label '{}' is {problem}", excerpt(name)))
}

/// A label's value as text. NULL is the empty text, which Prometheus takes for a label that is not there. The error is
/// what to say of the value, behind "… is".
fn value<'a>(column: &Column<'a>, row: usize) -> Result<Cow<'a, str>, String> {
    match column.cell(row) {
        Cell::Null => Ok(Cow::Borrowed("")),
        Cell::Text(text) => Ok(text),
        Cell::NotUtf8(bytes) => Err(bytes.to_string()),
        _ => column.rendered(row).map(Cow::Owned),
    }
}
