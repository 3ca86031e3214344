//! Opening a log: a new file, one of an earlier version, or one that cannot be used as it is.

use super::damage::{self, Finding};
use super::hold::{self, Hold};
use super::schema::{self, SchemaError};
use super::{salvage, Place, Segments, Store};
use crate::host::{Connection, Instance};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The oldest engine that reads our files. A newer engine would otherwise write a format that it cannot open.
const STORAGE_VERSION: &str = "v1.5.0";

/// Small on purpose: the instance lives inside somebody else's process.
const SETTINGS: &[(&str, &str)] = &[
    ("threads", "2"),
    ("memory_limit", "512MB"),
    ("autoinstall_known_extensions", "false"),
    ("autoload_known_extensions", "false"),
    // At the default of 16 MB most of a busy writer's time goes into rewriting the last row groups; the more there is,
    // the longer LOAD takes after a kill.
    ("wal_autocheckpoint", "64MB"),
];

/// Files up to this size are read to their end on LOAD: some milliseconds.
const CHECKED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A chain of moved logs longer than this is a loop.
const MOVES_MAX: usize = 8;

/// Why a log cannot be opened where it should be.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it.
    Locked(String),
    /// The file is not a sound DuckDB database.
    Damaged(String),
    /// Anything else: no permission, no space, a newer version. The file is left as it is.
    Unusable(String),
}

impl OpenError {
    pub fn into_text(self) -> String {
        match self {
            Self::Locked(text) | Self::Damaged(text) | Self::Unusable(text) => text,
        }
    }
}

/// A log that was opened, and what there is to say about it.
pub struct Opened {
    pub store: Store,
    pub notes: Vec<String>,
}

/// Opens a log where it should be; a damaged file is set aside for a fresh one. What cannot be opened is the caller's to
/// answer, usually with a log in memory.
pub fn open(place: &Place) -> Result<Opened, OpenError> {
    let mut notes = Vec::new();
    let mut place = place.clone();
    for _ in 0..MOVES_MAX {
        let store = match open_at(&place) {
            Err(OpenError::Damaged(error)) => {
                let (store, note) = repaired(&place, error)?;
                notes.extend(note);
                store
            }
            other => {
                let (store, note) = checked(other?)?;
                notes.extend(note);
                store
            }
        };
        let moved = schema::meta(&store.connection, "moved_to").map_err(OpenError::Unusable)?;
        let Some(moved) = moved else {
            return Ok(Opened { store, notes });
        };
        notes.push(format!("the log was moved to {moved} by oplog_open()"));
        place = Place::File(PathBuf::from(moved));
    }
    Err(OpenError::Unusable(
        "the log was moved in a circle; remove the files, or name one with OPLOG_PATH".into(),
    ))
}

/// A log whose blocks are whole: where some are not, what is left of it in a fresh one, and what was done.
///
/// Large files are not read to their end while somebody waits for LOAD; they are looked at when something fails.
fn checked(store: Store) -> Result<(Store, Option<String>), OpenError> {
    let bytes = |path| std::fs::metadata(path).map_or(0, |file: std::fs::Metadata| file.len());
    match store.place.path().map(Path::to_path_buf) {
        Some(path) if bytes(&path) <= CHECKED_BYTES_MAX && store.is_damaged() => {
            drop(store);
            mend(&path).map(|(store, note)| (store, Some(note)))
        }
        _ => Ok((store, None)),
    }
}

/// Opens a fresh log in the place of one in which blocks are damaged, with what can be read of that.
pub fn mend(path: &Path) -> Result<(Store, String), OpenError> {
    salvage::salvage(path, "blocks of it do not have their checksum")
}

/// Opens the log at this very place, wherever it says that it went.
pub fn open_at(place: &Place) -> Result<Store, OpenError> {
    if let Place::File(path) = place {
        check_path(path)?;
    }
    open_unchecked(place)
}

/// Opens a log anew whose engine is of no use any more, in this process; and what there is to say about that.
pub fn reopen(place: &Place) -> Result<(Store, Option<String>), OpenError> {
    match open_unchecked(place) {
        Err(OpenError::Damaged(error)) => repaired(place, error),
        other => other.map(|store| (store, None)),
    }
}

/// What is left of a damaged log.
fn repaired(place: &Place, error: String) -> Result<(Store, Option<String>), OpenError> {
    let Some(path) = place.path() else {
        return Err(OpenError::Damaged(error));
    };
    let (store, note) = match salvage::without_write_ahead_log(path) {
        Some(opened) => opened,
        None => salvage::salvage(path, &error)?,
    };
    Ok((store, Some(note)))
}

/// Renames what stands where a log has to begin that was removed under our hands, if it is a log too.
pub fn make_way(path: &Path) -> Result<Option<PathBuf>, String> {
    for path in [path.to_path_buf(), wal(path)] {
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(found) if found.is_file() => {}
            _ => return Err(format!("{} is no log of oplog", path.display())),
        }
    }
    if !path.exists() {
        // A write-ahead log without its log would be taken for the next one's.
        if wal(path).exists() {
            let aside = free_name(path, "removed");
            std::fs::rename(wal(path), wal(&aside)).map_err(|error| error.to_string())?;
        }
        return Ok(None);
    }
    // Somebody's database is left alone, and so is what is no database.
    if !salvage::is_readable(path) {
        return Err(format!("{} is no log of oplog", path.display()));
    }
    rename_with_wal(path, "replaced")
        .map(Some)
        .map_err(|error| error.to_string())
}

pub(super) fn open_unchecked(place: &Place) -> Result<Store, OpenError> {
    let instance = Instance::open(SETTINGS).map_err(OpenError::Unusable)?;
    let (connection, catalog) = match attach(&instance, place) {
        Ok(attached) => attached,
        Err(error) => {
            drop(instance);
            return Err(why(place, error));
        }
    };
    let hold = match place {
        Place::Memory => None,
        Place::File(path) => hold(path)?,
    };
    if let Err(error) = schema::migrate(&connection) {
        // Closed before anybody looks: these locks are our own.
        drop((connection, instance, hold));
        return Err(explained(place, error));
    }
    let segments = match place {
        Place::Memory => Some(Segments::begin(&connection, &catalog).map_err(OpenError::Unusable)?),
        Place::File(_) => None,
    };
    Ok(Store {
        connection,
        instance,
        catalog,
        place: place.clone(),
        hold,
        segments,
        rows_left_by_size_purge: None,
    })
}

fn hold(path: &Path) -> Result<Option<Hold>, OpenError> {
    let failed = |error| OpenError::Unusable(format!("cannot lock {}: {error}", path.display()));
    match Hold::take(path).map_err(failed)? {
        Some(hold) => Ok(Some(hold)),
        None => Err(OpenError::Locked(format!("{} is locked", path.display()))),
    }
}

/// Why DuckDB does not open a log. What it says is for people; what is so is found by looking.
fn why(place: &Place, error: String) -> OpenError {
    let Some(path) = place.path() else {
        return OpenError::Unusable(error);
    };
    if hold::is_locked(path) {
        return OpenError::Locked(error);
    }
    let mut writable = std::fs::OpenOptions::new();
    if writable.read(true).write(true).open(path).is_err() {
        return OpenError::Unusable(error);
    }
    match damage::look(path) {
        Err(_) | Ok(Finding::OtherFormat(_)) => OpenError::Unusable(error),
        Ok(Finding::NoHeaders) => OpenError::Damaged(error),
        // It can be read: what is missing is room, or leave to write beside it.
        Ok(Finding::Whole { .. }) if salvage::is_readable(path) => OpenError::Unusable(error),
        Ok(Finding::Whole { .. }) => OpenError::Damaged(error),
    }
}

fn migrate(connection: &Connection, place: &Place) -> Result<(), OpenError> {
    schema::migrate(connection).map_err(|error| explained(place, error))
}

fn explained(place: &Place, error: SchemaError) -> OpenError {
    match error {
        SchemaError::Newer(version) => OpenError::Unusable(format!(
            "{} has schema version {version}, written by a newer oplog; this one knows versions up to {}: \
             load the newer extension, or name another file with OPLOG_PATH",
            place.path().unwrap_or(Path::new("the log")).display(),
            schema::newest_version()
        )),
        SchemaError::Foreign => OpenError::Unusable(format!(
            "{} is a database, but no log of oplog: give another path",
            place.path().unwrap_or(Path::new("it")).display()
        )),
        SchemaError::Failed(error) => why(place, error),
    }
}

/// Attaches a log under a name of its own and makes it the default of a new connection.
pub(super) fn attach(instance: &Instance, place: &Place) -> Result<(Connection, String), String> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let catalog = format!("log_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let connection = instance.connect()?;
    // One that is given up after an error must not write any more; whoever closes a log in order sees to it.
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")?;
    match place {
        Place::Memory => {
            // Without a directory there is nowhere to spill: memory has its limit and retention its size.
            connection.execute("SET temp_directory = ''")?;
            connection.execute(&format!("ATTACH ':memory:' AS {catalog}"))?;
        }
        Place::File(path) => {
            let path = path.to_str().ok_or_else(|| {
                format!("{} is not valid UTF-8, which DuckDB needs", path.display())
            })?;
            let quoted = path.replace('\'', "''");
            connection.execute(&format!("SET temp_directory = '{quoted}.tmp'"))?;
            // A file that exists has its version, and an older one cannot be asked for.
            let options = if std::fs::exists(path).unwrap_or(true) {
                String::new()
            } else {
                format!("(STORAGE_VERSION '{STORAGE_VERSION}')")
            };
            connection.execute(&format!("ATTACH '{quoted}' AS {catalog} {options}"))?;
        }
    }
    connection.execute(&format!("USE {catalog}"))?;
    Ok((connection, catalog))
}

/// What can be said of a path before it is opened.
fn check_path(path: &Path) -> Result<(), OpenError> {
    if path.extension().is_some_and(|extension| extension == "wal") {
        return Err(OpenError::Unusable(format!(
            "{} would be taken for a write-ahead log: give a path that does not end in .wal",
            path.display()
        )));
    }
    if is_open_here(path) {
        return Err(OpenError::Unusable(format!(
            "{} is open in this process already, as a database: give another path",
            path.display()
        )));
    }
    check_magic(path)
}

/// Whether this process has the file open. Then it is somebody's database: a second instance would destroy it, and even
/// to open and close it would drop the locks that the first one holds (fcntl locks belong to the process).
fn is_open_here(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(wanted) = std::fs::metadata(path) else {
        return false;
    };
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|descriptor| std::fs::metadata(descriptor.path()).ok())
        .any(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
}

/// A file that is no DuckDB database is told by its first bytes: "DUCK" after the checksum of the first block.
fn check_magic(path: &Path) -> Result<(), OpenError> {
    let mut head = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => {
            file.take(12)
                .read_to_end(&mut head)
                .map_err(|error| OpenError::Unusable(format!("{}: {error}", path.display())))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::Unusable(format!("{}: {error}", path.display()))),
    }
    if head.is_empty() {
        // What a process that died while it created the file leaves behind.
        return std::fs::remove_file(path)
            .map_err(|error| OpenError::Unusable(format!("{}: {error}", path.display())));
    }
    if head.get(8..12) == Some(b"DUCK") {
        return Ok(());
    }
    Err(OpenError::Damaged(format!(
        "{} is not a DuckDB database",
        path.display()
    )))
}

fn wal(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.wal", path.display()))
}

/// A name beside the log that nothing has.
pub(super) fn free_name(path: &Path, what: &str) -> PathBuf {
    let now_s = crate::clock::now_us() / 1_000_000;
    (0..)
        .map(|count| PathBuf::from(format!("{}.{what}-{now_s}-{count}", path.display())))
        .find(|candidate| !candidate.exists() && !wal(candidate).exists())
        .unwrap_or_else(|| PathBuf::from(format!("{}.{what}", path.display())))
}

/// Renames a log, with its write-ahead log, so that a fresh one can take its place.
fn rename_with_wal(path: &Path, what: &str) -> std::io::Result<PathBuf> {
    let aside = free_name(path, what);
    std::fs::rename(path, &aside)?;
    if wal(path).exists() {
        std::fs::rename(wal(path), wal(&aside))?;
    }
    Ok(aside)
}

/// Renames a damaged log.
pub(super) fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    rename_with_wal(path, "damaged")
}

impl Store {
    /// Moves the log to another file: rows are appended to what is there and numbered on from it. The old place is
    /// emptied, and if it is a file it says where the log went, so that the next `LOAD` follows.
    pub fn move_to(&mut self, path: &Path) -> Result<u64, String> {
        let target = Place::File(path.to_path_buf());
        check_path(path).map_err(OpenError::into_text)?;
        let (connection, catalog) = attach(&self.instance, &target)?;
        let moved = hold(path).and_then(|held| {
            migrate(&connection, &target)?;
            let moved = self.copy_into(&connection, &catalog);
            Ok((moved.map_err(OpenError::Unusable)?, held))
        });
        let (moved, held) = match moved.map_err(OpenError::into_text) {
            Ok(moved) => moved,
            Err(error) => {
                let detach = format!("USE memory; DETACH {catalog}");
                return Err(match connection.execute(&detach) {
                    Ok(()) => error,
                    Err(second) => format!("{error}; {second}"),
                });
            }
        };
        let (old_connection, old_catalog, old_place) = (
            std::mem::replace(&mut self.connection, connection),
            std::mem::replace(&mut self.catalog, catalog),
            std::mem::replace(&mut self.place, target),
        );
        // Let go of behind the engine.
        let _old_hold = std::mem::replace(&mut self.hold, held);
        self.rows_left_by_size_purge = None;
        self.segments = None;
        // From here on the new file is the log; what is left to do to the old one cannot undo that.
        if old_place != Place::Memory {
            old_connection.transaction(|old| {
                old.execute("DELETE FROM operation_log")?;
                schema::set_meta(old, "moved_to", &path.to_string_lossy())
            })?;
        }
        if old_place != Place::Memory {
            old_connection.execute(&format!("CHECKPOINT {old_catalog}"))?;
        }
        old_connection.execute(&format!("USE memory; DETACH {old_catalog}"))?;
        Ok(moved)
    }

    /// Copies all rows and settings behind what the target has, in one transaction.
    fn copy_into(&self, connection: &Connection, catalog: &str) -> Result<u64, String> {
        let old = &self.catalog;
        // A log that once moved away from here has come back.
        connection.transaction(|new| {
            new.execute("DELETE FROM meta WHERE key = 'moved_to'")?;
            let offset = schema::meta(new, "next_seq")?
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(1)
                - 1;
            let own = self.next_seq()?;
            let moved = new.query(&format!("SELECT count(*) FROM {old}.operation_log"))?;
            new.execute(&format!(
                "INSERT INTO {catalog}.operation_log
                 SELECT * REPLACE (seq + {offset} AS seq) FROM {old}.operation_log"
            ))?;
            new.execute(&format!(
                "INSERT INTO {catalog}.settings SELECT * FROM {old}.settings
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ))?;
            // Read back, the totals of both logs add up.
            new.execute(&format!(
                "INSERT INTO {catalog}.metric_families SELECT * FROM {old}.metric_families
                 WHERE name NOT IN (SELECT name FROM {catalog}.metric_families)"
            ))?;
            new.execute(&format!(
                "INSERT INTO {catalog}.metric_values SELECT * FROM {old}.metric_values"
            ))?;
            // A rule that was dropped here is not to come back from there.
            new.execute(&format!(
                "DELETE FROM alert_rules; INSERT INTO alert_rules SELECT * FROM {old}.alert_rules"
            ))?;
            schema::set_meta(new, "next_seq", &(own + offset).to_string())?;
            Ok(match moved.first().map(Vec::as_slice) {
                Some([crate::host::Cell::Integer(count)]) => *count as u64,
                _ => 0,
            })
        })
    }
}
