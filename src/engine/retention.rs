//! Retention: its rules, and how it stands.

use super::command::Command;
use super::engine::Engine;
use super::error::Error;
use super::shared::Shared;
use crate::locks::lock;
use crate::retention::{RetentionChange, RetentionRule};
use crate::store::{Archive, ArchiveFile, Purged, Retained};
use std::time::Instant;

impl Shared {
    /// How retention stands now, whatever was recorded before included.
    pub fn retained(&self) -> Result<Retained, Error> {
        let wall_us = crate::system::clock::now_us();
        let (believed_us, leap) = lock(&self.clock).believed(wall_us, Instant::now());
        self.begin(|| {
            let moment = self.read(None)?.moment()?;
            let at = |now_us| moment.retained(&self.policy(now_us), now_us, &self.callers);
            let retained = at(believed_us)?;
            Ok(match leap {
                Some(leap) => retained.after_leap(at(wall_us)?, leap.deleted),
                None => retained,
            })
        })
    }
}

impl Shared {
    /// Where operations are archived; none where they are not.
    pub fn archive(&self) -> Result<Option<Archive>, Error> {
        self.begin(|| Ok(self.reader()?.archive()?))
    }

    /// The files so far.
    pub fn archive_files(&self) -> Result<Vec<ArchiveFile>, Error> {
        self.begin(|| Ok(self.reader()?.archive_files(&self.callers)?))
    }
}

impl Engine {
    /// Has operations archived from now on, or no longer.
    pub fn set_archive(&self, archive: Option<Archive>) -> Result<(), Error> {
        self.ask(|reply| Command::SetArchive(archive, reply))?
    }

    /// Runs retention now; `force` by the wall clock, which is believed from then on.
    pub fn purge(&self, force: bool) -> Result<Purged, Error> {
        self.shared.flush()?;
        self.ask(|reply| Command::Purge { force, reply })?
    }

    /// Adds or changes a rule; the rule as it is then.
    pub fn change_retention_rule(
        &self,
        name: &str,
        change: RetentionChange,
    ) -> Result<RetentionRule, Error> {
        self.ask(|reply| Command::ChangeRetentionRule(name.to_owned(), change, reply))?
    }

    pub fn drop_retention_rule(&self, name: &str) -> Result<(), Error> {
        self.ask(|reply| Command::DropRetentionRule(name.to_owned(), reply))?
    }
}
