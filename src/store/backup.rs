//! A copy of the log while it runs: all that is committed at one moment, as a log of its own.
//!
//! An instance of its own writes it. A write that fails is the end of the instance that has tried it, and a disk that is
//! full where the copy should be is none of the log's business.

use super::attach::open_alone;
use super::beside::wal;
use super::error::Error;
use super::mark::{remove_mark, ARRIVING};
use super::place::{check_path, remove_unfinished, rename_new, unfinished};
use super::read::Moment;
use super::schema;
use super::store::Store;
use crate::caller::{self, Watcher};
use crate::files::{self, Names};
use crate::record::format_id;
use std::path::{Path, PathBuf};

/// What the instance that writes a backup may use, besides the log's own.
const MEMORY_LIMIT: &str = "128MB";

/// When a log was backed up, in microseconds since 1970, until it is opened.
const BACKED_UP_AT: &str = "backed_up_at_us";

/// A backup that is written and has not got its name yet. It goes with what has it.
pub struct Draft {
    path: PathBuf,
    to: PathBuf,
    operations: u64,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    pub operations: u64,
    pub bytes: u64,
}

impl Moment {
    /// Writes all that the log has at this moment into a file that is no more open than `like`, or its owner's alone.
    pub fn back_up(
        &self,
        to: &Path,
        like: Option<&Path>,
        callers: &Watcher,
    ) -> Result<Draft, Error> {
        check_vacant(to)?;
        remove_unfinished(to);
        let mut draft = Draft {
            path: unfinished(to),
            to: to.to_path_buf(),
            operations: 0,
        };
        let like = like.unwrap_or(&draft.path);
        files::create_like(&draft.path, like).map_err(|error| draft.failed(error))?;
        let copy = open_alone(&draft.path)?;
        let copied = self.copy_to(&copy, callers);
        let closed = copy.detach();
        draft.operations = copied?;
        closed?;
        Ok(draft)
    }

    fn copy_to(&self, copy: &Store, callers: &Watcher) -> Result<u64, Error> {
        copy.connection.execute(&format!(
            "SET memory_limit = '{MEMORY_LIMIT}'; SET threads = 1"
        ))?;
        for table in schema::tables(&copy.connection)? {
            copy.connection
                .transaction(|_| self.copy_table(copy, &table, callers))?;
        }
        // Where the log was going is none of the copy's business.
        copy.connection.transaction(|new| -> Result<(), Error> {
            remove_mark(new)?;
            new.execute(&format!("DELETE FROM meta WHERE key = '{ARRIVING}'"))?;
            // A run that goes on is the original's, and so are its files.
            new.execute("DELETE FROM archive_runs")?;
            let now_us = crate::system::clock::now_us();
            schema::set_meta(new, BACKED_UP_AT, &now_us.to_string())
        })?;
        copy.operations()
    }

    /// Puts the rows of a table in the place of those that a new log begins with.
    fn copy_table(&self, copy: &Store, table: &str, callers: &Watcher) -> Result<(), Error> {
        copy.connection.execute(&format!("DELETE FROM {table}"))?;
        let columns = schema::columns(&copy.connection, table)?;
        let select = format!("SELECT {columns} FROM {table}");
        let statement = self.connection.prepare(&select)?;
        let interrupter = statement.interrupter();
        let watched = callers.watch(move || interrupter.interrupt());
        watched.run(|| {
            let mut rows = statement.execute()?;
            let mut appender = copy.connection.appender(&copy.catalog, table)?;
            while appender.append_next(&mut rows)? > 0 {
                if caller::has_given_up() {
                    return Err(caller::Interrupted.into());
                }
            }
            Ok(appender.finish()?)
        })
    }
}

impl Draft {
    /// Puts the backup in its place, where there is still nothing.
    pub fn publish(self) -> Result<Backup, Error> {
        let bytes = files::open_regular(&self.path, files::Mode::Write)
            .and_then(|file| file.sync_all().and_then(|()| file.metadata()))
            .map_err(|error| self.failed(error))?
            .len();
        rename_new(&self.path, &self.to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Occupied(self.to.clone()),
            _ => self.failed(error),
        })?;
        files::sync_directory(&Names::beside(&self.to).directory).map_err(|error| {
            Error::NotSynced {
                path: self.to.clone(),
                error,
            }
        })?;
        Ok(Backup {
            path: self.to.clone(),
            operations: self.operations,
            bytes,
        })
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::File {
            path: self.to.clone(),
            error,
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // One that has its name is not there any more.
        for path in [wal(&self.path), self.path.clone()] {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Store {
    /// When this log was backed up, if it is a backup that nobody has opened yet.
    pub fn backed_up_at_us(&self) -> Result<Option<i64>, Error> {
        let text = schema::meta(&self.connection, BACKED_UP_AT)?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Goes on as a log like any other.
    pub fn forget_backup(&self) -> Result<(), Error> {
        self.connection.transaction(|log| {
            Ok(log.execute(&format!("DELETE FROM meta WHERE key = '{BACKED_UP_AT}'"))?)
        })
    }

    /// Whether another operation than the one of this id has this number.
    pub fn has_other(&self, seq: u64, id: u128) -> Result<bool, Error> {
        let others = self.count(&format!(
            "SELECT count(*) FROM operation_log WHERE seq = {seq} AND id <> '{}'",
            format_id(id)
        ))?;
        Ok(others > 0)
    }
}

/// Refuses a path at which there is something, or beside which something waits for a log of that name.
fn check_vacant(path: &Path) -> Result<(), Error> {
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(Error::Occupied(path.to_path_buf()));
    }
    check_path(path)?;
    let wal = wal(path);
    if std::fs::symlink_metadata(&wal).is_ok() {
        return Err(Error::Companion(wal));
    }
    if files::stands_beside(path) {
        return Err(Error::Companion(
            format!("{}.journal.*", path.display()).into(),
        ));
    }
    Ok(())
}
