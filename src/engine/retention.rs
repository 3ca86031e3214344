//! Retention: its rules, and how it stands.

use super::command::Command;
use super::engine::Engine;
use super::error::Error;
use super::shared::Shared;
use crate::retention::{RetentionChange, RetentionRule};
use crate::store::{Purged, Retained};

impl Shared {
    /// How retention stands now, whatever was recorded before included.
    pub fn retained(&self) -> Result<Retained, Error> {
        let now_us = crate::system::clock::now_us();
        self.begin(|| {
            let moment = self.read(None)?.moment()?;
            Ok(moment.retained(&self.policy(now_us), now_us, &self.callers)?)
        })
    }
}

impl Engine {
    pub fn purge(&self) -> Result<Purged, Error> {
        self.shared.flush()?;
        self.ask(Command::Purge)?
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
