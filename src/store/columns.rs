//! The columns of `operation_log`, found by their names: where they stand is the table's matter.

use super::error::Error;
use crate::duckdb::{Connection, TypeId};
use crate::record::{Field, Kind};

/// A column of `operation_log`: where its values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Field(Field),
    Source,
    HostConnectionId,
    Seq,
}

impl Column {
    fn named(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Id),
            "source" => Some(Self::Source),
            "host_connection_id" => Some(Self::HostConnectionId),
            "seq" => Some(Self::Seq),
            field => Field::stored()
                .iter()
                .copied()
                .find(|stored| stored.name() == field)
                .map(Self::Field),
        }
    }

    pub fn type_id(self) -> TypeId {
        match self {
            Self::Id => TypeId::Uuid,
            Self::Field(field) => column_type(field),
            Self::Source => TypeId::Varchar,
            Self::HostConnectionId | Self::Seq => TypeId::UBigInt,
        }
    }
}

/// The columns of a log's table, in their order there.
pub(super) struct Columns(pub Vec<Column>);

impl Columns {
    pub fn of(connection: &Connection) -> Result<Self, Error> {
        let statement = connection.prepare("FROM operation_log")?;
        let columns = statement.columns().into_iter();
        let named = columns.map(|(name, _)| Column::named(&name).ok_or(Error::UnknownColumn(name)));
        Ok(Self(named.collect::<Result<_, _>>()?))
    }
}

pub(super) fn column_type(field: Field) -> TypeId {
    match field.kind() {
        Kind::Milliseconds => TypeId::Double,
        Kind::Count => TypeId::BigInt,
        Kind::Time => TypeId::TimestampTz,
        Kind::Text | Kind::Status | Kind::Json | Kind::TraceParent => TypeId::Varchar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_schema_has_its_values_and_its_type() {
        let schema = include_str!("../../sql/schema/0001_operation_log.sql");
        let (_, table) = schema.split_once("CREATE TABLE operation_log (\n").unwrap();
        let (table, _) = table.split_once("\n);").unwrap();
        let mut columns = Vec::new();
        for line in table.lines() {
            let mut words = line.split_whitespace();
            let (name, type_name) = (words.next().unwrap(), words.next().unwrap());
            let column = Column::named(name).unwrap_or_else(|| panic!("{name}"));
            let written = match column.type_id() {
                TypeId::TimestampTz => "TIMESTAMPTZ",
                other => other.sql_name(),
            };
            assert_eq!(written, type_name.trim_end_matches(','), "{name}");
            columns.push(column);
        }
        for field in Field::stored() {
            assert!(columns.contains(&Column::Field(*field)), "{}", field.name());
        }
        assert_eq!(columns.len(), Field::stored().len() + 4);
        assert_eq!(Column::named("traceparent"), None);
    }
}
