//! What there is to say about a log.

use crate::journal::Recovery;
use crate::store;
use std::path::Path;

/// Makes a log no more open than the file of a host; what there is to say where that cannot be done.
pub(super) fn keep_private(log: &Path, host: &Path) -> Option<String> {
    let error = store::restrict(log, host).err()?;
    Some(format!(
        "{} may be open to more than {}: {error}",
        log.display(),
        host.display()
    ))
}

/// What a recovery has to say beyond its figures.
pub(super) fn describe(recovery: &Recovery) -> Vec<String> {
    let mut notes: Vec<String> = recovery
        .damaged
        .iter()
        .map(|segment| {
            format!(
                "{} was damaged and will be {} ({})",
                segment.path.display(),
                segment.set_aside.display(),
                segment.reason
            )
        })
        .collect();
    notes.extend(recovery.strange.iter().map(|path| {
        format!(
            "{} has the name of a file of the journal and is none; it is left alone",
            path.display()
        )
    }));
    notes.extend(recovery.lost.iter().map(|lost| {
        format!(
            "the operations with seq {} to {} were recorded and cannot be read",
            lost.start,
            lost.end - 1
        )
    }));
    notes
}
