//! The archive: operations are written into files before retention deletes them, and are in log or archive once.
//!
//! A run writes its files under names that only it has, says so in the log before it begins, and notes them in the transaction that
//! deletes their operations. So whatever a run has left that did not come to its end is known, and goes.

use super::beside::quoted;
use super::error::Error;
use super::mark::random_id;
use super::place::Place;
use super::read::{watched, Moment, Reader};
use super::space::row_bytes;
use super::store::Store;
use crate::calendar::{format_date, format_time, DAY_US};
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection};
use crate::files::{create_like, open_regular, sync_directory, Mode};
use std::io;
use std::path::{Path, PathBuf};

const DAYS: &str = include_str!("../../sql/archive/days.sql");
const WRITE: &str = include_str!("../../sql/archive/write.sql");
const NOTE: &str = include_str!("../../sql/archive/note.sql");
const FILES: &str =
    "SELECT file, operations, bytes, epoch_us(first_at), epoch_us(last_at), epoch_us(archived_at)
    FROM archive_files ORDER BY day, first_seq, file";

/// About how much of the operations a row group holds.
const GROUP_BYTES: u64 = 16 << 20;
const GROUP_ROWS: std::ops::RangeInclusive<u64> = 2_048..=122_880;

/// Where operations are archived, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    pub path: PathBuf,
    /// Operations go in periods of this length, so that no file has a few of them only.
    pub every_us: i64,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    pub path: PathBuf,
    pub operations: u64,
    pub bytes: u64,
    /// The times between which its operations ended.
    pub first_us: i64,
    pub last_us: i64,
    pub archived_us: i64,
}

/// Where this log's operations are archived; none where they are not.
pub(super) fn archive(connection: &Connection) -> Result<Option<Archive>, Error> {
    let rows = connection.query("SELECT path, every_us FROM archive")?;
    Ok(match rows.first().map(Vec::as_slice) {
        Some([Cell::Text(path), Cell::Integer(every_us)]) => Some(Archive {
            path: PathBuf::from(path.as_ref()),
            every_us: (*every_us as i64).max(1),
        }),
        _ => None,
    })
}

fn files(rows: &[Vec<Cell<'static>>]) -> Vec<ArchiveFile> {
    let file = |row: &Vec<Cell<'static>>| match row.as_slice() {
        [Cell::Text(file), Cell::Integer(operations), Cell::Integer(bytes), Cell::Integer(first), Cell::Integer(last), Cell::Integer(archived)] => {
            Some(ArchiveFile {
                path: PathBuf::from(file.as_ref()),
                operations: *operations as u64,
                bytes: *bytes as u64,
                first_us: *first as i64,
                last_us: *last as i64,
                archived_us: *archived as i64,
            })
        }
        _ => None,
    };
    rows.iter().filter_map(file).collect()
}

impl Reader {
    /// Where operations are archived; none where they are not.
    pub fn archive(&self) -> Result<Option<Archive>, Error> {
        archive(&self.connect()?)
    }

    /// The files so far.
    pub fn archive_files(&self, callers: &Watcher) -> Result<Vec<ArchiveFile>, Error> {
        Ok(files(&watched(self.bind(FILES, &[])?, callers)?))
    }
}

impl Moment {
    /// What stands for the log in SQL where the archive is to be read too: operations that ended in this time. Files that somebody
    /// has deleted are left out; one whose folder is not there is an error, since the folder may come back.
    pub fn operations_with_archive(
        &self,
        (since_us, until_us): (Option<i64>, Option<i64>),
        callers: &Watcher,
    ) -> Result<String, Error> {
        let rows = watched(self.bind(FILES, &[])?, callers)?;
        let mut found = Vec::new();
        for file in files(&rows) {
            let is_asked = since_us.is_none_or(|since| file.last_us >= since)
                && until_us.is_none_or(|until| file.first_us < until);
            if is_asked && is_present(&file)? {
                found.push(quoted(&file.path)?);
            }
        }
        if found.is_empty() {
            return Ok("operation_log".into());
        }
        Ok(format!(
            "(FROM operation_log UNION ALL BY NAME FROM read_parquet([{}], union_by_name := true, hive_partitioning := false))",
            found.join(", ")
        ))
    }
}

impl ArchiveFile {
    /// Whether it is still where it was written.
    pub fn is_there(&self) -> bool {
        self.path.is_file()
    }
}

fn is_present(file: &ArchiveFile) -> Result<bool, Error> {
    if file.is_there() {
        return Ok(true);
    }
    let path = file.path.as_path();
    // The folder of the day may have gone with it; the archive's own has not.
    let folder = path.parent().and_then(Path::parent);
    match folder {
        Some(folder) if folder.is_dir() => Ok(false),
        _ => Err(Error::NoArchive {
            path: folder.unwrap_or(path).to_path_buf(),
        }),
    }
}

impl Store {
    pub fn archive(&self) -> Result<Option<Archive>, Error> {
        archive(&self.connection)
    }

    /// Has operations archived from now on, or no longer. What is archived already stays known.
    pub fn set_archive(&mut self, archive: Option<&Archive>) -> Result<(), Error> {
        if self.place == Place::Memory {
            return Err(Error::InMemory);
        }
        if let Some(archive) = archive {
            begin_folder(&archive.path).map_err(|error| Error::File {
                path: archive.path.clone(),
                error,
            })?;
        }
        self.connection.transaction(|connection| {
            connection.execute("DELETE FROM archive")?;
            let Some(archive) = archive else {
                return Ok(());
            };
            let statement = connection.prepare("INSERT INTO archive VALUES ($path, $every_us)")?;
            statement.bind_text("path", text(&archive.path)?)?;
            statement.bind_i64("every_us", archive.every_us)?;
            statement.execute()?;
            Ok(())
        })
    }

    /// Begins a run, if operations are archived.
    pub(super) fn begin_archiving(&mut self) -> Result<Option<Archiving>, Error> {
        let Some(archive) = self.archive()? else {
            return Ok(None);
        };
        self.end_unfinished()?;
        let run = random_id(&self.connection)?;
        let statement = self
            .connection
            .prepare("INSERT INTO archive_runs VALUES ($run, $path)")?;
        statement.bind_text("run", &run)?;
        statement.bind_text("path", text(&archive.path)?)?;
        statement.execute()?;
        Ok(Some(Archiving {
            run,
            folder: archive.path,
            like: self.place.path().map(Path::to_path_buf),
        }))
    }

    /// Removes what runs have left that did not come to their end: nothing that they wrote is noted, and all of it is in the log.
    pub(super) fn end_unfinished(&mut self) -> Result<(), Error> {
        let runs = self
            .connection
            .query("SELECT run, path FROM archive_runs")?;
        for row in &runs {
            if let [Cell::Text(run), Cell::Text(path)] = row.as_slice() {
                remove_files(run, Path::new(path.as_ref())).map_err(|error| Error::File {
                    path: PathBuf::from(path.as_ref()),
                    error,
                })?;
                forget_run(&self.connection, run)?;
            }
        }
        Ok(())
    }
}

fn forget_run(connection: &Connection, run: &str) -> Result<(), Error> {
    let statement = connection.prepare("DELETE FROM archive_runs WHERE run = $run")?;
    statement.bind_text("run", run)?;
    statement.execute()?;
    Ok(())
}

fn text(path: &Path) -> Result<&str, Error> {
    path.to_str()
        .ok_or_else(|| Error::NotUtf8(path.to_path_buf()))
}

/// A run that writes operations into files.
pub(super) struct Archiving {
    run: String,
    folder: PathBuf,
    /// No file is more open than this one.
    like: Option<PathBuf>,
}

/// What goes on one day.
struct Day {
    number: i64,
    operations: i64,
    first_seq: u64,
    last_seq: u64,
    first_us: i64,
    last_us: i64,
    bytes: u64,
}

impl Archiving {
    /// Writes the operations that `rows` selects, which is SQL from FROM on, a file a day, and notes them within the transaction that
    /// deletes them.
    pub fn write(&self, connection: &Connection, rows: &str, now_us: i64) -> Result<(), Error> {
        for day in days(connection, rows)? {
            self.write_day(connection, rows, &day, now_us)?;
        }
        // With the transaction the run has come to its end.
        forget_run(connection, &self.run)
    }

    fn write_day(
        &self,
        connection: &Connection,
        rows: &str,
        day: &Day,
        now_us: i64,
    ) -> Result<(), Error> {
        let folder = self
            .folder
            .join(format!("day={}", format_date(day.number * DAY_US)));
        let path = folder.join(file_name(&self.run));
        let failed = |error| Error::File {
            path: path.clone(),
            error,
        };
        let unfinished = unfinished(&path);
        begin_folder(&folder).map_err(failed)?;
        let like = self.like.as_deref().unwrap_or(&unfinished);
        create_like(&unfinished, like).map_err(failed)?;
        let group_rows = GROUP_BYTES / (day.bytes / day.operations.max(1) as u64).max(1);
        let write = WRITE
            .replace("{rows}", rows)
            .replace("{first}", &format_time(day.first_us))
            .replace("{last}", &format_time(day.last_us))
            .replace("{file}", &quoted(&unfinished)?)
            .replace(
                "{group_rows}",
                &group_rows
                    .clamp(*GROUP_ROWS.start(), *GROUP_ROWS.end())
                    .to_string(),
            );
        let written = connection.prepare(&write)?.execute()?.count()? as i64;
        if written != day.operations {
            return Err(Error::NotArchived {
                path: path.clone(),
                operations: day.operations,
                written,
            });
        }
        let file = open_regular(&unfinished, Mode::Write).map_err(failed)?;
        let bytes = file
            .sync_all()
            .and_then(|()| file.metadata())
            .map_err(failed)?
            .len();
        std::fs::rename(&unfinished, &path).map_err(failed)?;
        sync_directory(&folder).map_err(failed)?;
        note(connection, &path, day, bytes, now_us)
    }
}

fn days(connection: &Connection, rows: &str) -> Result<Vec<Day>, Error> {
    let sql = DAYS
        .replace("{rows}", rows)
        .replace("{row_bytes}", &row_bytes());
    let day = |row: Vec<Cell<'static>>| match row.as_slice() {
        [Cell::Integer(number), Cell::Integer(operations), Cell::Integer(first_seq), Cell::Integer(last_seq), Cell::Integer(first_us), Cell::Integer(last_us), Cell::Integer(bytes)] => {
            Some(Day {
                number: *number as i64,
                operations: *operations as i64,
                first_seq: *first_seq as u64,
                last_seq: *last_seq as u64,
                first_us: *first_us as i64,
                last_us: *last_us as i64,
                bytes: *bytes as u64,
            })
        }
        _ => None,
    };
    Ok(connection
        .query(&sql)?
        .into_iter()
        .filter_map(day)
        .collect())
}

fn note(
    connection: &Connection,
    path: &Path,
    day: &Day,
    bytes: u64,
    now_us: i64,
) -> Result<(), Error> {
    let statement = connection.prepare(NOTE)?;
    statement.bind_text("file", text(path)?)?;
    statement.bind_i64("first_us", day.first_us)?;
    statement.bind_i64("operations", day.operations)?;
    statement.bind_i64("bytes", bytes as i64)?;
    statement.bind_i64("first_seq", day.first_seq as i64)?;
    statement.bind_i64("last_seq", day.last_seq as i64)?;
    statement.bind_timestamp("first", day.first_us)?;
    statement.bind_timestamp("last", day.last_us)?;
    statement.bind_timestamp("now", now_us)?;
    statement.execute()?;
    Ok(())
}

fn file_name(run: &str) -> String {
    format!("operations-{run}.parquet")
}

/// Its name until it is whole: one that nobody takes for a file of the archive.
fn unfinished(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.new", path.display()))
}

/// Makes a folder, if there is none.
fn begin_folder(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => folder.parent().map_or(Ok(()), sync_directory),
    }
}

/// Removes the files of a run, whole ones and others. Their names are random: nobody else's are like them.
fn remove_files(run: &str, folder: &Path) -> io::Result<()> {
    let days = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        days => days?,
    };
    for day in days {
        let day = day?;
        if !day.file_name().to_string_lossy().starts_with("day=") {
            continue;
        }
        let path = day.path().join(file_name(run));
        for path in [unfinished(&path), path] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
