//! Attaching a log to an instance: the file at this very place, or nothing, and why it cannot be.

use super::beside::{begin_wal, quoted, wal};
use super::columns::Columns;
use super::damage::{self, Finding};
use super::error::{Error, OpenError};
use super::hold::{self, Hold};
use super::mark::settle;
use super::place::{self, check_path, Place, There};
use super::rolls::Rolls;
use super::schema::{self, SchemaError};
use super::segments::Segments;
use super::store::Store;
use crate::duckdb::{Connection, Instance};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The oldest engine that reads our files. A newer engine would otherwise write a format that it cannot open.
const STORAGE_VERSION: &str = "v1.5.0";

/// What the log's own DuckDB may use.
pub const MEMORY_LIMIT: &str = "512MB";

/// Small on purpose: the instance lives inside somebody else's process.
const SETTINGS: &[(&str, &str)] = &[
    ("threads", "2"),
    ("memory_limit", MEMORY_LIMIT),
    ("autoinstall_known_extensions", "false"),
    ("autoload_known_extensions", "false"),
    // At the default of 16 MB most of a busy writer's time goes into rewriting the last row groups; the more there is,
    // the longer LOAD takes after a kill.
    ("wal_autocheckpoint", "64MB"),
];

/// Opens the log at this very place, or nothing.
pub(super) fn open_at(place: &Place) -> Result<Store, OpenError> {
    let there = look(place)?;
    open_there(place, there)
}

/// What is at a place, once it is known that it may be opened.
fn look(place: &Place) -> Result<There, OpenError> {
    let Place::File(path) = place else {
        return Ok(There::Nothing);
    };
    let there = check_path(path)?;
    // To open a database that is not ours for writing would fold its write-ahead log into it.
    if there == There::Database && wal(path).exists() && !crate::files::stands_beside(path) {
        match peek(path) {
            // Whatever else is wrong shows again.
            Err(error @ OpenError::Unusable(_)) => return Err(error),
            Ok(_) | Err(OpenError::Locked(_) | OpenError::Damaged(_)) => {}
        }
    }
    Ok(there)
}

/// Opens one more log in an instance that has one, so that rows can be copied between them.
pub(super) fn open_beside(instance: &Instance, path: &Path) -> Result<Store, OpenError> {
    let place = Place::File(path.to_path_buf());
    let mut there = look(&place)?;
    place::remove_unfinished(path);
    if there == There::Nothing {
        create(instance, path)?;
        there = There::Database;
    }
    open_in(instance, &place, there).map_err(|failed| told(&place, failed))
}

/// The same where it was open a moment ago, in an instance that may not have closed it yet: it is ours.
pub(super) fn open_beside_again(instance: &Instance, path: &Path) -> Result<Store, OpenError> {
    let place = Place::File(path.to_path_buf());
    open_in(instance, &place, There::Database).map_err(|failed| told(&place, failed))
}

/// Makes a log of an empty file, in an instance of its own.
pub(super) fn open_alone(path: &Path) -> Result<Store, OpenError> {
    open_there(&Place::File(path.to_path_buf()), There::Empty)
}

/// Makes a log under another name and puts it in its place whole, so that a crash leaves none that is half made.
fn create(instance: &Instance, path: &Path) -> Result<(), OpenError> {
    let new = place::unfinished(path);
    let place = Place::File(new.clone());
    let made = open_in(instance, &place, There::Nothing)
        .map_err(|failed| told(&Place::File(path.to_path_buf()), failed))
        .and_then(|log| log.detach().map_err(OpenError::unusable))
        .and_then(|()| {
            place::rename_new(&new, path)
                .map_err(|error| OpenError::unusable(format!("{}: {error}", path.display())))
        });
    if made.is_err() {
        place::remove_unfinished(path);
    }
    made
}

/// Makes a database of an empty file.
fn fill(instance: &Instance, path: &Path) -> Result<(), Error> {
    let failed = |error| Error::File {
        path: path.to_path_buf(),
        error,
    };
    // DuckDB takes no empty file for a database.
    let new = place::unfinished(path);
    let made = attach(instance, &Place::File(new.clone()))
        .and_then(|(connection, catalog)| {
            let end = format!("CHECKPOINT {catalog}; USE memory; DETACH {catalog}");
            Ok(connection.execute(&end)?)
        })
        .and_then(|()| std::fs::read(&new).map_err(failed));
    let _ = std::fs::remove_file(&new);
    place::fill(path, &made?).map_err(failed)
}

/// What a log says of itself, without a change to it: the rows of its table `meta`.
pub fn peek(path: &Path) -> Result<BTreeMap<String, String>, OpenError> {
    let unusable = |what: &str| Err(OpenError::unusable(format!("{} {what}", path.display())));
    if place::is_path_open_here(path) {
        let text = format!("{} is open in this process", path.display());
        return Err(OpenError::locked(text));
    }
    match check_path(path)? {
        There::Database => {}
        There::Nothing => return unusable("is not there"),
        There::Empty => return unusable("is empty"),
    }
    let place = Place::File(path.to_path_buf());
    let read = || -> Result<_, Error> {
        let instance = Instance::open(SETTINGS)?;
        let connection = instance.connect()?;
        connection.execute(&format!(
            "SET temp_directory = ''; ATTACH {} AS peeked (READ_ONLY); USE peeked",
            quoted(path)?
        ))?;
        let kind = schema::is_log(&connection)?;
        let meta = match kind {
            Some(true) => schema::all_meta(&connection)?,
            _ => BTreeMap::new(),
        };
        Ok((kind, meta))
    };
    match read().map_err(|error| why(&place, error))? {
        (Some(true), meta) => Ok(meta),
        (Some(false), _) => Err(no_log(path)),
        (None, _) => Err(OpenError::damaged(format!(
            "{} is a database with nothing in it",
            path.display()
        ))),
    }
}

/// Attaches a log that nobody has open to an instance of its own, to be read and left as it is.
pub(super) fn attach_to_check(path: &Path) -> Result<Connection, Error> {
    let connection = Instance::open(SETTINGS)?.connect()?;
    connection.execute(&format!(
        "SET temp_directory = ''; ATTACH {} AS checked (READ_ONLY); USE checked",
        quoted(path)?
    ))?;
    Ok(connection)
}

fn no_log(path: &Path) -> OpenError {
    OpenError::unusable(format!(
        "{} is a database, but no log of oplog: give another path",
        path.display()
    ))
}

pub(super) fn open_unchecked(place: &Place) -> Result<Store, OpenError> {
    let is_there = place.path().is_some_and(|path| path.exists());
    open_there(
        place,
        if is_there {
            There::Database
        } else {
            There::Nothing
        },
    )
}

fn open_there(place: &Place, there: There) -> Result<Store, OpenError> {
    let instance = Instance::open(SETTINGS).map_err(OpenError::unusable)?;
    let connection = instance.connect().map_err(OpenError::unusable)?;
    spill_beside(&connection, place).map_err(OpenError::unusable)?;
    drop(connection);
    // Closed before anybody looks at the file: these locks would be our own.
    let opened = open_in(&instance, place, there);
    drop(instance);
    opened.map_err(|failed| told(place, failed))
}

fn told(place: &Place, failed: Failed) -> OpenError {
    match failed {
        Failed::Told(error) => error,
        Failed::Engine(error) => why(place, error),
        Failed::Schema(error) => explained(place, error),
    }
}

/// Names the directory that large questions spill to. It is made when one does, and stays the same from then on.
pub(super) fn spill_beside(connection: &Connection, place: &Place) -> Result<(), Error> {
    let directory = match place {
        // Without a directory there is nowhere to spill: memory has its limit and retention its size.
        Place::Memory => "''".to_owned(),
        Place::File(path) => quoted(&PathBuf::from(format!("{}.tmp", path.display())))?,
    };
    Ok(connection.execute(&format!("SET temp_directory = {directory}"))?)
}

/// Why a log could not be opened, before anybody has looked into it.
enum Failed {
    Told(OpenError),
    Engine(Error),
    Schema(SchemaError),
}

fn open_in(instance: &Instance, place: &Place, there: There) -> Result<Store, Failed> {
    if let (There::Empty, Place::File(path)) = (there, place) {
        fill(instance, path).map_err(|error| Failed::Told(OpenError::unusable(error)))?;
    }
    let (connection, catalog) = attach(instance, place).map_err(Failed::Engine)?;
    let prepared = || {
        let hold = match place {
            Place::Memory => None,
            Place::File(path) => hold(path).map_err(Failed::Told)?,
        };
        schema::migrate(&connection).map_err(Failed::Schema)?;
        settle(&connection, place).map_err(Failed::Engine)?;
        let columns = Columns::of(&connection).map_err(Failed::Engine)?;
        let segments = match place {
            Place::Memory => Some(Segments::begin(&connection, &catalog).map_err(Failed::Engine)?),
            Place::File(_) => None,
        };
        Ok((hold, columns, segments))
    };
    match prepared() {
        Ok((hold, columns, segments)) => Ok(Store {
            connection,
            instance: instance.clone(),
            catalog,
            columns,
            place: place.clone(),
            hold,
            segments,
            rolls: Rolls::default(),
            rows_left_by_size_purge: None,
            unarchived: None,
        }),
        Err(failed) => {
            // The instance may be another log's too.
            let _ = connection.execute(&format!("USE memory; DETACH {catalog}"));
            Err(failed)
        }
    }
}

fn hold(path: &Path) -> Result<Option<Hold>, OpenError> {
    let failed = |error| OpenError::unusable(format!("cannot lock {}: {error}", path.display()));
    match Hold::take(path).map_err(failed)? {
        Some(hold) => Ok(Some(hold)),
        None => Err(OpenError::locked(format!("{} is locked", path.display()))),
    }
}

/// Why DuckDB does not open a log. What it says is for people; what is so is found by looking.
fn why(place: &Place, error: Error) -> OpenError {
    let Some(path) = place.path() else {
        return OpenError::unusable(error);
    };
    if hold::is_locked(path) {
        return OpenError::locked(error);
    }
    let mut writable = std::fs::OpenOptions::new();
    if writable.read(true).write(true).open(path).is_err() {
        return OpenError::unusable(error);
    }
    match damage::look(path) {
        Err(_) | Ok(Finding::OtherFormat(_)) => OpenError::unusable(error),
        Ok(Finding::NoHeaders) => OpenError::damaged(error),
        // It can be read: what is missing is room, or leave to write beside it.
        Ok(Finding::Whole { .. }) if is_readable(path) => OpenError::unusable(error),
        Ok(Finding::Whole { .. }) => OpenError::damaged(error),
    }
}

fn explained(place: &Place, error: SchemaError) -> OpenError {
    match error {
        SchemaError::Newer(version) => OpenError::unusable(format!(
            "{} has schema version {version}, written by a newer oplog; this one knows versions up to {}: \
             load the newer extension, or name another file with OPLOG_PATH",
            place.path().unwrap_or(Path::new("the log")).display(),
            schema::newest_version()
        )),
        SchemaError::Foreign => no_log(place.path().unwrap_or(Path::new("it"))),
        SchemaError::Failed(error) => why(place, error),
    }
}

/// Attaches a log under a name of its own and makes it the default of a new connection.
fn attach(instance: &Instance, place: &Place) -> Result<(Connection, String), Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let catalog = format!("log_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = instance.connect()?;
    // One that is given up after an error must not write any more; whoever closes a log in order sees to it.
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")?;
    match place {
        Place::Memory => {
            connection.execute(&format!("ATTACH ':memory:' AS {catalog}"))?;
        }
        Place::File(path) => {
            let file = quoted(path)?;
            // A file that exists has its version, and an older one cannot be asked for.
            let options = if std::fs::exists(path).unwrap_or(true) {
                String::new()
            } else {
                format!("(STORAGE_VERSION '{STORAGE_VERSION}')")
            };
            connection.execute(&format!("ATTACH {file} AS {catalog} {options}"))?;
            let path = path.clone();
            connection.before_transaction(Box::new(move || begin_wal(&path)));
        }
    }
    connection.execute(&format!("USE {catalog}"))?;
    Ok((connection, catalog))
}

/// Under which the damaged log is attached.
pub(super) const DAMAGED: &str = "damaged";

/// Whether DuckDB reads a log that it cannot write.
pub(super) fn is_readable(path: &Path) -> bool {
    let read = || -> Result<(), Error> {
        let instance = Instance::open(&[("threads", "1")])?;
        let connection = instance.connect()?;
        attach_read_only(&connection, path)?;
        connection.execute(&format!("USE {DAMAGED}"))?;
        // By the index of its key, as it is read when a log is opened, and the blocks themselves.
        schema::meta(&connection, "schema_version")?;
        Ok(connection.execute("SELECT max(hash(key, value)) FROM meta")?)
    };
    read().is_ok()
}

pub(super) fn attach_read_only(connection: &Connection, path: &Path) -> Result<(), Error> {
    let file = quoted(path)?;
    Ok(connection.execute(&format!("ATTACH {file} AS {DAMAGED} (READ_ONLY)"))?)
}
