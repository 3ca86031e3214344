//! Backups of the log.

use super::engine::Engine;
use super::error::Error;
use super::log::Role;
use crate::store::{self, Backup};
use std::path::Path;
use std::sync::TryLockError;

impl Engine {
    /// Writes what has been recorded so far into a new file. Recording and questions go on meanwhile.
    pub fn back_up(&self, path: &Path) -> Result<Backup, Error> {
        store::check_given(path)?;
        let path = store::absolute(path);
        let _one_at_a_time = match self.backup.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Error::BacksUp),
        };
        let status = self.status();
        if status.role == Role::Guest {
            return Err(Error::NotOwner);
        }
        // Metrics and what guests have recorded included.
        self.flush()?;
        let hosts = self.shared.sampler.hosts();
        let like = status.place.path().or(hosts.first().map(AsRef::as_ref));
        let draft = self.shared.begin(|| {
            let moment = self.shared.read(None)?.moment()?;
            Ok::<_, Error>(moment.back_up(&path, like, &self.shared.callers)?)
        })?;
        Ok(draft.publish()?)
    }
}
