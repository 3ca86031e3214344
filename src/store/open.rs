//! Opening a log: a new file, one of an earlier version, or one that cannot be used as it is.

use super::attach::{is_readable, open_at, open_unchecked};
use super::beside::{free_name, rename_with_wal, wal};
use super::error::{Error, OpenError, Reason};
use super::place::{may_set_aside, Place};
use super::salvage;
use super::store::Store;
use super::torn;
use crate::files;
use std::path::{Path, PathBuf};

/// Files up to this size are read to their end on LOAD: some milliseconds.
const CHECKED_BYTES_MAX: u64 = 32 * 1024 * 1024;

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
            return Err(OpenError::unusable(format!(
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
    if let Some(completed) = torn::completed(path) {
        return Ok(completed);
    }
    salvage::salvage(path, "blocks of it do not have their checksum")
}

/// Opens a log anew whose engine is of no use any more, in this process; and what there is to say about that.
pub fn reopen(place: &Place) -> Result<(Store, Option<String>), OpenError> {
    let (store, note) = reopen_marked(place)?;
    // What this process goes on with is the log: a move that failed has not happened.
    if let Some(mark) = store.mark().map_err(OpenError::unusable)? {
        if !mark.is_done {
            store.forget_mark(&mark).map_err(OpenError::unusable)?;
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
fn repaired(place: &Place, error: Reason) -> Result<(Store, Option<String>), OpenError> {
    let Some(path) = place.path() else {
        return Err(OpenError::Damaged(error));
    };
    // A disk that does not give it is no damage to it: what it holds may be nowhere else.
    if let Err(io) = read_through(&wal(path)) {
        let wal = wal(path);
        return Err(OpenError::unusable(format!(
            "{error}; {} cannot be read ({io})",
            wal.display()
        )));
    }
    if let Some((store, note)) = torn::completed(path) {
        return Ok((store, Some(note)));
    }
    let (store, note) = match salvage::without_write_ahead_log(path) {
        Some(opened) => opened,
        None => salvage::salvage(path, &error.to_string())?,
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
pub fn make_way(path: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |error| Error::File {
        path: path.to_path_buf(),
        error,
    };
    for path in [path.to_path_buf(), wal(path)] {
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(found) if found.is_file() => {}
            _ => return Err(Error::NoLog(path)),
        }
    }
    if !path.exists() {
        // A write-ahead log without its log would be taken for the next one's.
        if wal(path).exists() {
            let aside = free_name(path, "removed");
            std::fs::rename(wal(path), wal(&aside)).map_err(failed)?;
        }
        return Ok(None);
    }
    // Somebody's database is left alone, and so is what is no database.
    if !is_readable(path) {
        return Err(Error::NoLog(path.to_path_buf()));
    }
    rename_with_wal(path, "replaced").map(Some).map_err(failed)
}
