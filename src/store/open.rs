//! Opening a log: a new file, one of an earlier version, or one that cannot be used as it is.

use super::damage::{self, Finding};
use super::hold::{self, Hold};
use super::place::{self, check_path, may_set_aside, There};
use super::schema::{self, SchemaError};
use super::{relocate, salvage, Place, Segments, Store};
use crate::duckdb::{Connection, Instance};
use crate::files;
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

/// Files up to this size are read to their end on LOAD: some milliseconds.
const CHECKED_BYTES_MAX: u64 = 32 * 1024 * 1024;

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
    /// What a damaged log has lost.
    pub damage: Option<String>,
}

/// Opens the log at this very place, wherever it says that it went. A damaged file that is oplog's is set aside for a
/// fresh one. What cannot be opened is the caller's to answer, usually with a log in memory.
pub fn open(place: &Place) -> Result<Opened, OpenError> {
    // What is seen once may be a fault of the disk that passes.
    let opened = match open_at(place) {
        Err(OpenError::Damaged(_)) => open_at(place),
        opened => opened,
    };
    let (store, note) = match opened {
        Err(OpenError::Damaged(error)) if place.path().is_some_and(|path| !may_set_aside(path)) => {
            return Err(OpenError::Unusable(format!(
                "{error}; it bears no mark of oplog's and is left alone"
            )));
        }
        Err(OpenError::Damaged(error)) => repaired(place, error)?,
        other => checked(other?)?,
    };
    Ok(Opened {
        store,
        notes: note.iter().cloned().collect(),
        damage: note,
    })
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

/// Opens the log at this very place, or nothing.
fn open_at(place: &Place) -> Result<Store, OpenError> {
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

/// Makes a log under another name and puts it in its place whole, so that a crash leaves none that is half made.
fn create(instance: &Instance, path: &Path) -> Result<(), OpenError> {
    let new = place::unfinished(path);
    let place = Place::File(new.clone());
    let made = open_in(instance, &place, There::Nothing)
        .map_err(|failed| told(&Place::File(path.to_path_buf()), failed))
        .and_then(|log| log.detach().map_err(OpenError::Unusable))
        .and_then(|()| {
            place::rename_new(&new, path)
                .map_err(|error| OpenError::Unusable(format!("{}: {error}", path.display())))
        });
    if made.is_err() {
        place::remove_unfinished(path);
    }
    made
}

/// Makes a database of an empty file.
fn fill(instance: &Instance, path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    // DuckDB takes no empty file for a database.
    let new = place::unfinished(path);
    let made = attach(instance, &Place::File(new.clone()))
        .and_then(|(connection, catalog)| {
            connection.execute(&format!(
                "CHECKPOINT {catalog}; USE memory; DETACH {catalog}"
            ))
        })
        .and_then(|()| std::fs::read(&new).map_err(failed));
    let _ = std::fs::remove_file(&new);
    place::fill(path, &made?).map_err(failed)
}

/// What a log says of itself, without a change to it: the rows of its table `meta`.
pub fn peek(path: &Path) -> Result<BTreeMap<String, String>, OpenError> {
    let unusable = |what: &str| Err(OpenError::Unusable(format!("{} {what}", path.display())));
    if place::is_path_open_here(path) {
        let text = format!("{} is open in this process", path.display());
        return Err(OpenError::Locked(text));
    }
    match check_path(path)? {
        There::Database => {}
        There::Nothing => return unusable("is not there"),
        There::Empty => return unusable("is empty"),
    }
    let place = Place::File(path.to_path_buf());
    let read = || {
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
        (None, _) => Err(OpenError::Damaged(format!(
            "{} is a database with nothing in it",
            path.display()
        ))),
    }
}

fn no_log(path: &Path) -> OpenError {
    OpenError::Unusable(format!(
        "{} is a database, but no log of oplog: give another path",
        path.display()
    ))
}

/// A path as a text in SQL.
pub(super) fn quoted(path: &Path) -> Result<String, String> {
    let text = path
        .to_str()
        .ok_or_else(|| format!("{} is not valid UTF-8, which DuckDB needs", path.display()))?;
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// Opens a log anew whose engine is of no use any more, in this process; and what there is to say about that.
pub fn reopen(place: &Place) -> Result<(Store, Option<String>), OpenError> {
    let (store, note) = reopen_marked(place)?;
    // What this process goes on with is the log: a move that failed has not happened.
    if let Some(mark) = store.mark().map_err(OpenError::Unusable)? {
        if !mark.is_done {
            store.forget_mark(&mark).map_err(OpenError::Unusable)?;
        }
    }
    Ok((store, note))
}

/// The same of a log of which it is open whether it has moved.
pub fn reopen_marked(place: &Place) -> Result<(Store, Option<String>), OpenError> {
    match open_unchecked(place) {
        Err(OpenError::Damaged(error)) => repaired(place, error),
        other => Ok((other?, None)),
    }
}

/// What is left of a damaged log.
fn repaired(place: &Place, error: String) -> Result<(Store, Option<String>), OpenError> {
    let Some(path) = place.path() else {
        return Err(OpenError::Damaged(error));
    };
    // A disk that does not give it is no damage to it: what it holds may be nowhere else.
    if let Err(io) = read_through(&wal(path)) {
        let wal = wal(path);
        return Err(OpenError::Unusable(format!(
            "{error}; {} cannot be read ({io})",
            wal.display()
        )));
    }
    let (store, note) = match salvage::without_write_ahead_log(path) {
        Some(opened) => opened,
        None => salvage::salvage(path, &error)?,
    };
    Ok((store, Some(note)))
}

/// Reads a file to its end, if there is one.
fn read_through(path: &Path) -> std::io::Result<()> {
    match files::open_regular(path, files::Mode::Read) {
        Ok(mut file) => std::io::copy(&mut file, &mut std::io::sink()).map(drop),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
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
    let instance = Instance::open(SETTINGS).map_err(OpenError::Unusable)?;
    let connection = instance.connect().map_err(OpenError::Unusable)?;
    spill_beside(&connection, place).map_err(OpenError::Unusable)?;
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
pub(super) fn spill_beside(connection: &Connection, place: &Place) -> Result<(), String> {
    let directory = match place {
        // Without a directory there is nowhere to spill: memory has its limit and retention its size.
        Place::Memory => "''".to_owned(),
        Place::File(path) => quoted(&PathBuf::from(format!("{}.tmp", path.display())))?,
    };
    connection.execute(&format!("SET temp_directory = {directory}"))
}

/// Why a log could not be opened, before anybody has looked into it.
enum Failed {
    Told(OpenError),
    Engine(String),
    Schema(SchemaError),
}

fn open_in(instance: &Instance, place: &Place, there: There) -> Result<Store, Failed> {
    if let (There::Empty, Place::File(path)) = (there, place) {
        fill(instance, path).map_err(|error| Failed::Told(OpenError::Unusable(error)))?;
    }
    let (connection, catalog) = attach(instance, place).map_err(Failed::Engine)?;
    let prepared = || {
        let hold = match place {
            Place::Memory => None,
            Place::File(path) => hold(path).map_err(Failed::Told)?,
        };
        schema::migrate(&connection).map_err(Failed::Schema)?;
        relocate::settle(&connection, place).map_err(Failed::Engine)?;
        let segments = match place {
            Place::Memory => Some(Segments::begin(&connection, &catalog).map_err(Failed::Engine)?),
            Place::File(_) => None,
        };
        Ok((hold, segments))
    };
    match prepared() {
        Ok((hold, segments)) => Ok(Store {
            connection,
            instance: instance.clone(),
            catalog,
            place: place.clone(),
            hold,
            segments,
            rows_left_by_size_purge: None,
        }),
        Err(failed) => {
            // The instance may be another log's too.
            let _ = connection.execute(&format!("USE memory; DETACH {catalog}"));
            Err(failed)
        }
    }
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

fn explained(place: &Place, error: SchemaError) -> OpenError {
    match error {
        SchemaError::Newer(version) => OpenError::Unusable(format!(
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
fn attach(instance: &Instance, place: &Place) -> Result<(Connection, String), String> {
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

/// Makes a log, and what stands beside it, no more open than the file of a host that it is for.
pub fn restrict(log: &Path, host: &Path) -> std::io::Result<()> {
    for path in [log.to_path_buf(), wal(log)] {
        match files::restrict(&path, host) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    crate::files::restrict_beside(log)
}

/// DuckDB makes a write-ahead log as the umask says, and takes one that is there as it is.
fn begin_wal(path: &Path) {
    let wal = wal(path);
    if std::fs::symlink_metadata(&wal).is_err() {
        // Where it cannot be made, DuckDB says why.
        let _ = files::create_like(&wal, path);
    }
}

pub(super) fn wal(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.wal", path.display()))
}

/// A name beside the log that nothing has.
pub(super) fn free_name(path: &Path, what: &str) -> PathBuf {
    let now_s = crate::system::clock::now_us() / 1_000_000;
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
