//! A service that takes orders, on the `duckdb` crate as its users have it: it loads oplog into its database, and records
//! each order in the transaction that stores it.

use duckdb::{params, Config, Connection, Result};
use std::path::Path;
use std::time::Instant;

pub struct OrderService {
    connection: Connection,
}

/// What `oplog_stats` says of a command.
#[derive(Debug, PartialEq)]
pub struct Stats {
    pub operations: i64,
    pub errors: i64,
}

impl OrderService {
    /// Opens the service's database, with oplog in it.
    pub fn open(database: &Path, oplog: &str) -> Result<Self> {
        let config = Config::default().allow_unsigned_extensions()?;
        let connection = Connection::open_with_flags(database, config)?;
        connection.execute_batch(&format!(
            "LOAD '{oplog}'; CREATE TABLE IF NOT EXISTS orders (id BIGINT, amount DOUBLE)"
        ))?;
        Ok(Self { connection })
    }

    /// Another session of the same database, for another thread.
    pub fn session(&self) -> Result<Self> {
        let connection = self.connection.try_clone()?;
        Ok(Self { connection })
    }

    /// Stores an order and records it, in one transaction; an amount that is none is rolled back, and recorded as an error.
    /// Returns the id of the operation.
    pub fn place(&mut self, id: i64, amount: f64) -> Result<String> {
        let begun = Instant::now();
        let transaction = self.connection.transaction()?;
        transaction.execute("INSERT INTO orders VALUES (?, ?)", params![id, amount])?;
        let (status, code) = match amount > 0.0 {
            true => ("success", None),
            false => ("error", Some("bad_amount")),
        };
        let operation = transaction.query_row(
            "SELECT oplog_record({
                 command: 'orders.place', status: ?::VARCHAR, error_code: ?::VARCHAR, table_name: 'orders',
                 duration_ms: ?::DOUBLE, rows_affected: 1, metadata: {order_id: ?::BIGINT}
             })::VARCHAR",
            params![status, code, begun.elapsed().as_secs_f64() * 1e3, id],
            |row| row.get(0),
        )?;
        match code {
            None => transaction.commit()?,
            Some(_) => transaction.rollback()?,
        }
        Ok(operation)
    }

    pub fn orders(&self) -> Result<i64> {
        self.connection
            .query_row("SELECT count(*) FROM orders", [], |row| row.get(0))
    }

    pub fn stats(&self) -> Result<Stats> {
        self.connection.query_row(
            "SELECT operations, errors FROM oplog_stats(command := 'orders.place', period := '1h')",
            [],
            |row| {
                Ok(Stats {
                    operations: row.get(0)?,
                    errors: row.get(1)?,
                })
            },
        )
    }

    pub fn metrics(&self) -> Result<String> {
        self.connection
            .query_row("SELECT prometheus_text()", [], |row| row.get(0))
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}
