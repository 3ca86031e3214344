//! What the functions, the server and the writer ask of an engine without owning it.

use super::{lock, read, stopped, write, Role, Shared, Status};
use crate::journal::Recovery;
use crate::settings::Settings;
use crate::store::{Reader, RetentionPolicy, Store};

impl Shared {
    pub fn settings(&self) -> Settings {
        read(&self.settings).clone()
    }

    /// A reader that sees everything recorded so far. If that cannot be committed, the reader sees what is there, and
    /// `oplog_status()` says what is wrong: an answer that lacks the newest rows beats none.
    pub fn read(&self) -> Result<Reader, String> {
        if let Err(error) = self.queue.flush() {
            self.note(error);
        }
        self.reader()
    }

    /// A reader for questions about the log's form, which need no commit.
    pub fn reader(&self) -> Result<Reader, String> {
        read(&self.log).reader.clone().ok_or_else(stopped)
    }

    pub fn status(&self) -> Status {
        let log = read(&self.log);
        Status {
            place: log.place.clone(),
            role: log.role,
            notes: log.notes.clone(),
            queue: self.queue.figures(),
            spans: self.spans.figures(),
            recovery: log.recovery.clone(),
            spool: log.spool.clone(),
            spools: *lock(&self.spools),
        }
    }

    /// Remembers what went wrong in the background. Only the newest notes are kept.
    pub fn note(&self, note: String) {
        const NOTES_MAX: usize = 20;
        let mut log = write(&self.log);
        if log.notes.last() == Some(&note) {
            return;
        }
        if log.notes.len() == NOTES_MAX {
            log.notes.remove(0);
        }
        log.notes.push(note);
    }

    /// What another journal gave back, on top of what there was.
    pub fn recovered(&self, recovery: Recovery) {
        describe(&recovery)
            .into_iter()
            .for_each(|note| self.note(note));
        let mut log = write(&self.log);
        log.recovery.rows += recovery.rows;
        log.recovery.torn_bytes += recovery.torn_bytes;
        log.recovery.lost.extend(recovery.lost);
    }

    /// Called by the writer when the log has moved.
    pub fn moved(&self, store: &Store) {
        let mut log = write(&self.log);
        if log.place != *store.place() {
            log.reader = Some(store.reader());
            log.place = store.place().clone();
            log.role = Role::Owner;
            log.spool = None;
        }
        drop(log);
        match store.settings() {
            Ok(stored) => {
                let problems = write(&self.settings).adopt(&stored);
                problems.into_iter().for_each(|problem| self.note(problem));
            }
            Err(error) => self.note(format!("the log's settings cannot be read: {error}")),
        }
    }

    /// Called by the writer with the operations that it has taken in.
    pub fn note_spools(&self, spools: usize, taken_operations: u64) {
        let mut figures = lock(&self.spools);
        figures.spools = spools as u64;
        figures.taken_operations += taken_operations;
    }

    pub fn policy(&self) -> RetentionPolicy {
        let settings = read(&self.settings);
        RetentionPolicy {
            retention_us: settings.retention_us(),
            error_retention_us: settings.error_retention_us(),
            max_bytes: settings.max_size_bytes(),
        }
    }
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
    notes.extend(recovery.lost.iter().map(|lost| {
        format!(
            "the operations with seq {} to {} were recorded and cannot be read",
            lost.start,
            lost.end - 1
        )
    }));
    notes
}
