//! A backup that stands where a log was: what lies beside it may belong to another life of the log.

use super::error::Error;
use crate::calendar::format_time;
use crate::spool::set_apart;
use crate::store::Store;

/// Settles with the journal beside a log that is a backup and is opened for the first time; what there is to say about that.
pub(super) fn settle(store: &Store) -> Result<Option<String>, Error> {
    let (Some(path), Some(at_us)) = (store.place().path(), store.backed_up_at_us()?) else {
        return Ok(None);
    };
    let is_apart = set_apart(path, store.next_seq()?, &mut |seq, id| {
        Ok(store.has_other(seq, id)?)
    })?;
    store.forget_backup()?;
    let mut note = format!("the log is the backup of {}", format_time(at_us));
    if is_apart {
        note += "; the journal beside it has operations that another copy of the log was given, and these are taken in";
    }
    Ok(Some(note))
}
