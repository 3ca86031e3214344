//! Retention: what goes when it is too old (see `expire`), or when the log is too large.

use super::deciders::RetentionPolicy;
use super::error::Error;
use super::place::Place;
use super::read::count;
use super::rollup::note_missing_rows;
use super::runs::{note_run, BY_SIZE};
use super::space::{row_bytes, wal_bytes};
use super::store::Store;
use crate::duckdb::{Cell, Connection};

const OLDEST: &str = include_str!("../../sql/retention/oldest.sql");
const ROW_BYTES: &str = include_str!("../../sql/retention/row_bytes.sql");
const NEWEST_ROWS: &str = include_str!("../../sql/retention/newest_rows.sql");
const STORED_ROWS: &str = include_str!("../../sql/retention/stored_rows.sql");

/// A write-ahead log larger than this is folded into the file when retention runs anyway: what waits in it takes time at
/// the next LOAD.
const WAL_BYTES_QUIET: u64 = 16_000_000;

/// What a log in memory may take, whatever the setting says: half of the memory that its instance has.
const MEMORY_BYTES_MAX: u64 = 256_000_000;

/// A size purge leaves this share of the limit, so that the next one is not due at once.
const SIZE_TARGET: f64 = 0.9;

/// Where deleting gives nothing back, the rows are written anew: a log that takes this many times its limit,
const REWRITE_FROM: f64 = 1.25;

/// and so few of them that it is worth the trouble.
const REWRITE_TARGET: f64 = 0.5;

/// What a purge deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub by_age: u64,
    pub by_size: u64,
}

impl Store {
    /// Deletes what the policy no longer keeps at a time, and gives the space back. `believed_us` is what the time is believed to
    /// be, where the clock may be wrong.
    pub fn purge(
        &mut self,
        policy: &RetentionPolicy,
        now_us: i64,
        believed_us: i64,
    ) -> Result<Purged, Error> {
        let expired = self.expire(policy, now_us, believed_us);
        if matches!(expired, Ok(1..)) {
            self.checkpoint_after_purge();
        }
        // The limit holds also while nothing can be archived.
        let by_size = self.purge_by_size(self.max_bytes(policy), now_us)?;
        if wal_bytes(&self.place) > WAL_BYTES_QUIET {
            self.checkpoint_after_purge();
        }
        Ok(Purged {
            by_age: expired?,
            by_size,
        })
    }

    pub(super) fn max_bytes(&self, policy: &RetentionPolicy) -> u64 {
        match self.place {
            Place::Memory => policy.max_bytes.min(MEMORY_BYTES_MAX),
            Place::File(_) => policy.max_bytes,
        }
    }

    pub(super) fn purge_by_size(&mut self, max_bytes: u64, now_us: i64) -> Result<u64, Error> {
        let used = self.used_bytes()?;
        if used <= max_bytes {
            return Ok(0);
        }
        if self.place == Place::Memory {
            let deleted = self.drop_oldest_tables(used, used.saturating_sub(max_bytes))?;
            note_run(&self.connection, now_us, (BY_SIZE, None), deleted)?;
            return Ok(deleted);
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
        let mut deleted = 0;
        if live_bytes > max_bytes as f64 {
            let keep_share = max_bytes as f64 * SIZE_TARGET / live_bytes;
            let excess = rows - (rows as f64 * keep_share) as u64;
            let border = self.count(&OLDEST.replace("{excess}", &excess.to_string()))?;
            self.roll_before_purge(i64::MIN, border)?;
            let is_urgent = is_urgent(used, max_bytes);
            deleted = self.archived(border, is_urgent, now_us, |connection| {
                note_missing(connection, "operation_log", &format!("seq <= {border}"))?;
                let purge = format!("DELETE FROM operation_log WHERE seq <= {border}");
                let deleted = count(connection, &purge)?;
                note_run(connection, now_us, (BY_SIZE, None), deleted)?;
                Ok(deleted)
            })?;
            self.rows_left_by_size_purge = Some(rows.saturating_sub(deleted));
            self.checkpoint_after_purge();
        }
        // Large rows fill a file long before they fill a row group.
        let used = self.used_bytes()?;
        if is_urgent(used, max_bytes) {
            let left = rows.saturating_sub(deleted);
            deleted += self.keep_newest(max_bytes, used, left, now_us)?;
            self.checkpoint_after_purge();
        }
        Ok(deleted)
    }

    /// Makes room in a log in memory whose instance has none left; returns how many rows had to go for it.
    pub fn make_room(&mut self, now_us: i64) -> Result<u64, Error> {
        let deleted = self.drop_oldest_table()?.unwrap_or(0);
        note_run(&self.connection, now_us, (BY_SIZE, None), deleted)?;
        Ok(deleted)
    }

    /// Writes the newest rows anew, as many as fit, and lets go of all others with the space that they share.
    fn keep_newest(
        &mut self,
        max_bytes: u64,
        used: u64,
        rows: u64,
        now_us: i64,
    ) -> Result<u64, Error> {
        let row_bytes = row_bytes();
        let filled = |sql: &str| sql.replace("{row_bytes}", &row_bytes);
        let all_bytes = self.count(&filled(ROW_BYTES))?;
        // What is written compresses as what is there has.
        let target = all_bytes as f64 * (max_bytes as f64 * REWRITE_TARGET / used as f64).min(1.0);
        let statement = self.connection.prepare(&filled(NEWEST_ROWS))?;
        statement.bind_i64("bytes", target as i64)?;
        let border = statement.execute()?.count()?;
        self.roll_before_purge(i64::MIN, border as u64)?;
        let made = self.connection.query(
            "SELECT sql FROM duckdb_tables()
             WHERE database_name = current_database() AND table_name = 'operation_log'",
        )?;
        let Some([Cell::Text(made)]) = made.first().map(Vec::as_slice) else {
            return Err(Error::NoTable);
        };
        let make = made.replacen("operation_log", KEPT, 1);
        let kept = self.archived(border as u64, true, now_us, |connection| {
            note_missing(connection, "operation_log", &format!("seq <= {border}"))?;
            connection.execute(&make)?;
            let kept = count(
                connection,
                &format!("INSERT INTO {KEPT} SELECT * FROM operation_log WHERE seq > {border}"),
            )?;
            connection.execute(&format!(
                "DROP TABLE operation_log; ALTER TABLE {KEPT} RENAME TO operation_log"
            ))?;
            note_run(
                connection,
                now_us,
                (BY_SIZE, None),
                rows.saturating_sub(kept),
            )?;
            Ok(kept)
        })?;
        self.rows_left_by_size_purge = None;
        Ok(rows.saturating_sub(kept))
    }

    /// Deletes the operations up to a `seq`, in a transaction that archives them before, if they are archived. Where that cannot be
    /// and it is urgent, they go all the same: a log that grows without end would fill the disk of its service.
    fn archived(
        &mut self,
        border: u64,
        is_urgent: bool,
        now_us: i64,
        delete: impl Fn(&Connection) -> Result<u64, Error>,
    ) -> Result<u64, Error> {
        if self.archive()?.is_none() {
            return self.connection.transaction(delete);
        }
        let rows = format!("FROM operation_log AS operation WHERE seq <= {border}");
        let archived = match self.begin_archiving() {
            Ok(archiving) => self.connection.transaction(|connection| {
                if let Some(archiving) = &archiving {
                    archiving.write(connection, &rows, now_us)?;
                }
                delete(connection)
            }),
            Err(error) => Err(error),
        };
        let Err(error) = archived else {
            return archived;
        };
        let _ = self.end_unfinished();
        if !is_urgent {
            return Err(error);
        }
        let deleted = self.connection.transaction(delete)?;
        self.unarchived = Some(error.to_string());
        Ok(deleted)
    }

    /// Why operations were deleted without being archived since this was last asked.
    pub fn take_unarchived(&mut self) -> Option<String> {
        self.unarchived.take()
    }

    pub(super) fn count(&self, sql: &str) -> Result<u64, Error> {
        count(&self.connection, sql)
    }

    /// A checkpoint is what frees the blocks of deleted rows. If a long read holds it up, the next purge does it.
    fn checkpoint_after_purge(&self) {
        // In memory it frees nothing that dropping a table does not, and needs memory.
        if self.place != Place::Memory {
            let _ = self.checkpoint();
        }
    }
}

/// Whether a log is so much larger than it may be that space has to be made, whatever that takes.
fn is_urgent(used: u64, max_bytes: u64) -> bool {
    used as f64 > max_bytes as f64 * REWRITE_FROM
}

/// Notes that rows are about to be deleted, whatever their age.
pub(super) fn note_missing(connection: &Connection, table: &str, which: &str) -> Result<(), Error> {
    let newest = format!("SELECT max(epoch_us(timestamp)) FROM {table} WHERE {which}");
    match connection.query(&newest)?.first().map(Vec::as_slice) {
        Some([Cell::Integer(newest_us)]) => note_missing_rows(connection, *newest_us as i64 + 1),
        _ => Ok(()),
    }
}

/// Where rows stand while they are written anew: within one transaction.
const KEPT: &str = "operation_log_kept";
