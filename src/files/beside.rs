//! What stands beside a log.

use super::access::restrict;
use super::layer::FileLayer;
use super::names::{Names, JOURNAL_MAGIC, SPANS_MAGIC};
use super::open::{open_regular, Mode};
use std::io::Read;
use std::path::Path;

/// Damaged segments that are kept for whoever wants to look; the oldest go first.
pub const SET_ASIDE_MAX: usize = 8;

/// Whether there is a file of spans beside a log.
pub fn has_spans(log: &Path) -> bool {
    Names::beside(log).spans().exists()
}

/// Makes the files of a journal no more open than their log.
pub fn restrict_beside(log: &Path) -> std::io::Result<()> {
    let names = Names::beside(log);
    for entry in std::fs::read_dir(&names.directory)?.flatten() {
        let name = entry.file_name();
        let is_ours = names.number(&name).is_some()
            || names.is_set_aside(&name)
            || names.spans().file_name() == Some(&name)
            || names.lock().file_name() == Some(&name);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            match restrict(&entry.path(), log) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether files of a journal stand beside a log: segments or a file of spans, told by their first bytes.
pub fn stands_beside(log: &Path) -> bool {
    let names = Names::beside(log);
    let Ok(listed) = std::fs::read_dir(&names.directory) else {
        return false;
    };
    listed.flatten().any(|entry| {
        let name = entry.file_name();
        let is_named = names.number(&name).is_some() || names.spans().file_name() == Some(&name);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let mut magic = [0; 8];
        is_named
            && is_file
            && open_regular(&entry.path(), Mode::Read)
                .is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
            && (&magic == JOURNAL_MAGIC || &magic == SPANS_MAGIC)
    })
}

/// Deletes the oldest segments that were set aside, if they are too many. It is tidying: a failure changes nothing.
pub fn limit_set_aside(layer: &dyn FileLayer, names: &Names) {
    let Ok(mut listed) = layer.list(&names.directory) else {
        return;
    };
    listed.retain(|name| names.is_set_aside(name));
    listed.retain(|name| {
        let mut magic = [0; JOURNAL_MAGIC.len()];
        let read = layer
            .open(&names.directory.join(name))
            .and_then(|file| file.read_at(&mut magic, 0));
        // What does not say that it is oplog's is kept.
        read.is_ok() && (&magic == JOURNAL_MAGIC || &magic == SPANS_MAGIC)
    });
    // Numbers lead the names, so the oldest are the first.
    listed.sort();
    for name in listed.iter().rev().skip(SET_ASIDE_MAX) {
        let _ = layer.remove(&names.directory.join(name));
    }
}
