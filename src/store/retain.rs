//! Retention: what goes when it is too old, or when the log is too large.

use super::{read, Place, Store};
use crate::host::Connection;

const PURGE_SUCCESSES: &str = include_str!("../../sql/retention/purge_successes.sql");
const PURGE_ERRORS: &str = include_str!("../../sql/retention/purge_errors.sql");
const PURGE_OLDEST: &str = include_str!("../../sql/retention/purge_oldest.sql");
const STORED_ROWS: &str = include_str!("../../sql/retention/stored_rows.sql");

/// A write-ahead log larger than this is folded into the file when retention runs anyway: what waits in it takes time at
/// the next LOAD.
const WAL_BYTES_QUIET: u64 = 16_000_000;

/// What a log in memory may take, whatever the setting says: half of the memory that its instance has.
const MEMORY_BYTES_MAX: u64 = 256_000_000;

/// A size purge leaves this share of the limit, so that the next one is not due at once.
const SIZE_TARGET: f64 = 0.9;

/// How long records are kept, and how much room they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    pub retention_us: i64,
    pub error_retention_us: i64,
    pub max_bytes: u64,
}

/// What a purge deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub by_age: u64,
    pub by_size: u64,
}

impl Store {
    /// Deletes what the policy no longer keeps, and gives the space back.
    pub fn purge(&mut self, policy: &RetentionPolicy, now_us: i64) -> Result<Purged, String> {
        let by_age = self.connection.transaction(|connection| {
            let mut by_age = 0;
            for (sql, keep_us, reason) in [
                (PURGE_SUCCESSES, policy.retention_us, "success age"),
                (PURGE_ERRORS, policy.error_retention_us, "error age"),
            ] {
                let statement = connection.prepare(sql)?;
                statement.bind_timestamp("before", now_us.saturating_sub(keep_us))?;
                let deleted = statement.execute()?.count()? as u64;
                note_run(connection, now_us, reason, deleted)?;
                by_age += deleted;
            }
            Ok(by_age)
        })?;
        if by_age > 0 {
            self.checkpoint_after_purge();
        }
        let by_size = self.purge_by_size(self.max_bytes(policy), now_us)?;
        if read::wal_bytes(&self.place) > WAL_BYTES_QUIET {
            self.checkpoint_after_purge();
        }
        Ok(Purged { by_age, by_size })
    }

    fn max_bytes(&self, policy: &RetentionPolicy) -> u64 {
        match self.place {
            Place::Memory => policy.max_bytes.min(MEMORY_BYTES_MAX),
            Place::File(_) => policy.max_bytes,
        }
    }

    /// Whether the log takes more than the policy allows.
    pub fn is_too_large(&self, policy: &RetentionPolicy) -> Result<bool, String> {
        Ok(self.used_bytes()? > self.max_bytes(policy))
    }

    fn purge_by_size(&mut self, max_bytes: u64, now_us: i64) -> Result<u64, String> {
        if self.used_bytes()? <= max_bytes {
            return Ok(0);
        }
        // What is deleted already, or waits in the write-ahead log, shows only after a checkpoint.
        self.checkpoint_after_purge();
        let used = self.used_bytes()?;
        let rows = self.count("SELECT count(*) FROM operation_log")?;
        let stored_rows = self.count(STORED_ROWS)?.max(rows);
        // Memory may be given back late: what was measured too high once is not deleted for it again and again.
        if rows == 0
            || self
                .rows_left_by_size_purge
                .is_some_and(|left| rows <= left)
        {
            return Ok(0);
        }
        // Space comes back a row group at a time. What is deleted, but shares a group with rows that are kept, is not
        // deleted once more: the live rows' share of the space is what counts.
        let live_bytes = used as f64 * rows as f64 / stored_rows as f64;
        if live_bytes <= max_bytes as f64 {
            return Ok(0);
        }
        let keep_share = max_bytes as f64 * SIZE_TARGET / live_bytes;
        let excess = rows - (rows as f64 * keep_share) as u64;
        let deleted = self.connection.transaction(|connection| {
            let statement = connection.prepare(PURGE_OLDEST)?;
            statement.bind_i64("excess", excess as i64)?;
            let deleted = statement.execute()?.count()? as u64;
            note_run(connection, now_us, "size", deleted)?;
            Ok(deleted)
        })?;
        self.rows_left_by_size_purge = Some(rows.saturating_sub(deleted));
        self.checkpoint_after_purge();
        Ok(deleted)
    }

    fn count(&self, sql: &str) -> Result<u64, String> {
        Ok(self.connection.prepare(sql)?.execute()?.count()? as u64)
    }

    /// A checkpoint is what frees the blocks of deleted rows. If a long read holds it up, the next purge does it.
    fn checkpoint_after_purge(&self) {
        let _ = self.checkpoint();
    }
}

/// Remembers a run that deleted something.
fn note_run(
    connection: &Connection,
    now_us: i64,
    reason: &str,
    deleted: u64,
) -> Result<(), String> {
    if deleted == 0 {
        return Ok(());
    }
    let statement =
        connection.prepare("INSERT INTO retention_runs VALUES ($started_at, $reason, $deleted)")?;
    statement.bind_timestamp("started_at", now_us)?;
    statement.bind_text("reason", reason)?;
    statement.bind_i64("deleted", deleted as i64)?;
    statement.execute()?;
    // A year of hourly runs.
    connection.execute(
        "DELETE FROM retention_runs WHERE started_at < (SELECT max(started_at) FROM retention_runs)
         AND (SELECT count(*) FROM retention_runs) > 8760",
    )
}
