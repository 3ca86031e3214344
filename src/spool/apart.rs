//! A journal of another life of the log, as one lies beside a backup that was copied back: what is in it is taken in as from a
//! spool, by its ids.

use super::error::Error;
use super::spool_beside;
use super::taken::InLogError;
use crate::files::{open_regular, FileError, FileLayer, FileSystem, LogFile, Mode, Names};
use crate::journal::{Scanner, Step};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Tells whether the log has another operation under this number than the one of this id.
pub type IsOther<'a> = dyn FnMut(u64, u128) -> Result<bool, InLogError> + 'a;

/// Makes a spool of the journal beside a log that gives out `next_seq` next, if it has other operations under the log's
/// numbers: as a journal they would pass for committed. Says whether that was so.
pub fn set_apart(log: &Path, next_seq: u64, is_other: &mut IsOther) -> Result<bool, Error> {
    let (names, layer) = (Names::beside(log), FileSystem::beside(log));
    let directory = &names.directory;
    let listed = layer
        .list(directory)
        .map_err(FileError::of("list", directory))?;
    let numbers: BTreeSet<u64> = listed
        .iter()
        .filter_map(|name| names.number(name))
        .filter(|number| !layer.is_strange(&names.segment(*number)))
        .collect();
    let mut is_apart = false;
    for number in &numbers {
        is_apart = is_apart || has_other(&names.segment(*number), next_seq, is_other)?;
    }
    if !is_apart {
        return Ok(false);
    }
    let spool = Names::beside(&spool_beside(log));
    // The first tells what it is, so it is the last to go: after a crash in between the next look finds the rest.
    for number in numbers.iter().rev() {
        let path = names.segment(*number);
        layer
            .rename(&path, &spool.segment(*number))
            .map_err(FileError::of("rename", &path))?;
    }
    layer
        .sync_directory(directory)
        .map_err(FileError::of("sync", directory))?;
    Ok(true)
}

fn has_other(path: &Path, next_seq: u64, is_other: &mut IsOther) -> Result<bool, Error> {
    let file = open_regular(path, Mode::Read).map_err(FileError::of("open", path))?;
    let bytes = file.bytes().map_err(FileError::of("read", path))?;
    let mut scanner = Scanner::new(Arc::new(file), bytes);
    scanner.header().map_err(FileError::of("read", path))?;
    loop {
        match scanner.step(0).map_err(FileError::of("read", path))? {
            Step::End => return Ok(false),
            Step::Batch((stamp, _)) if stamp.first_seq < next_seq => {
                if is_other(stamp.first_seq, stamp.ids.id(0)).map_err(Error::Log)? {
                    return Ok(true);
                }
            }
            Step::Batch(_) | Step::Below(_) | Step::Damaged(_) => {}
        }
    }
}
