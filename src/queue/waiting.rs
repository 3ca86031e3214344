//! What callers wait for: room in the queue, and the disk.

use super::error::Error;
use crate::journal::Journal;
use std::sync::Arc;
use std::time::Instant;

/// Operations that are accepted, and under the durability `os` may not be on disk yet.
#[must_use]
pub struct Unsynced(pub(super) Option<(Arc<Journal>, u64)>);

impl Unsynced {
    /// Waits for the disk. Callers that wait at the same time share a sync.
    pub fn wait(self) -> Result<(), Error> {
        match self.0 {
            Some((journal, position)) => Ok(journal.sync_to(position)?),
            None => Ok(()),
        }
    }
}

/// A caller's wait for room, which ends at some time.
#[derive(Default)]
pub struct Waiting {
    pub(super) deadline: Option<Instant>,
}
