//! One engine per log: it owns the queue, the writer, the metrics and the way to the store.
//!
//! Its life: the functions that `LOAD` registers share one engine; when DuckDB destroys them with the host instance,
//! the last one drops it, and everything accepted is committed and the file closed before that returns.

use super::command::Command;
use super::error::Error;
use super::log::Status;
use super::recorded::Recorded;
use super::rules::rules;
use super::serving::Serving;
use super::shared::Shared;
use crate::locks::read;
use crate::record::{Batch, PART_BYTES_MAX};
use crate::settings::{Setting, Settings, Value};
use std::path::PathBuf;
use std::sync::{mpsc, Arc, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;

pub(super) struct WriterThread {
    pub handle: JoinHandle<()>,
    /// Its other end is gone when the thread is about to end.
    pub ended: mpsc::Receiver<()>,
}

pub struct Engine {
    /// The process that opened it. A child that is forked from it has a copy without the writer thread, and must leave
    /// the files alone.
    pub(super) process: u32,
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Mutex<Option<WriterThread>>,
    /// The registry's keys of this engine, given free when its writer is gone: the path that was asked for, and those that
    /// the log was moved to.
    pub(super) registered: Arc<Mutex<Vec<PathBuf>>>,
    pub(super) serving: Serving,
    /// Held by whoever writes a backup.
    pub(super) backup: Mutex<()>,
    /// Itself, for the registry.
    pub(super) this: OnceLock<Weak<Engine>>,
}

impl Engine {
    /// Refuses in a forked child, and is asked before anything else: there, locks may be held for good by threads that
    /// the child does not have.
    pub fn check_process(&self) -> Result<(), Error> {
        if self.process == crate::system::process::id() {
            return Ok(());
        }
        Err(Error::Forked {
            owner: self.process,
        })
    }

    /// Accepts operations: what is recorded when this returns is in the log's order. Large batches are accepted in parts;
    /// where one of these is refused, those before it are recorded.
    pub fn record(&self, batch: Batch) -> Recorded {
        let (rules, durability) = {
            let settings = read(&self.shared.settings);
            (rules(&settings), settings.durability())
        };
        let accept = |part: Batch| {
            let part = Arc::new(part);
            let stamp = self
                .shared
                .queue
                .push(Arc::clone(&part), durability, None)?;
            self.shared.metrics.count(&part, &stamp, &rules);
            Ok(stamp.ids)
        };
        let mut recorded = Recorded::default();
        if batch.bytes() <= PART_BYTES_MAX {
            recorded.add(batch.rows(), accept(batch));
            return recorded;
        }
        for rows in batch.parts() {
            recorded.add(rows.len(), accept(batch.range(rows)));
            if recorded.refused.is_some() {
                break;
            }
        }
        recorded
    }

    /// Memory for a new batch, if there is some.
    pub fn spare_batch(&self, rows: usize) -> Option<Batch> {
        self.shared.queue.spare(rows)
    }

    /// Counts operations that were refused.
    pub fn count_rejected(&self, operations: u64) {
        self.shared.metrics.own.engine.rejected.inc_by(operations);
    }

    /// What answers questions, for whoever may outlive the engine's last host by a moment: it keeps nothing running.
    pub fn answering(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Commits what waits, with the settings and the metrics that have changed; returns how many operations that were.
    pub fn flush(&self) -> Result<u64, Error> {
        let operations = self.shared.flush()?;
        self.ask(Command::Flush)??;
        Ok(operations)
    }

    pub fn settings(&self) -> Settings {
        self.shared.settings()
    }

    pub fn strict(&self) -> bool {
        read(&self.shared.settings).strict()
    }

    /// Puts a setting in force and has it stored.
    pub fn set(&self, setting: Setting, value: Value) {
        self.shared
            .change_settings(|settings| settings.put(setting, value));
        self.send(Command::Store(setting, Some(value)));
    }

    /// Puts a setting's default in force and has the stored value forgotten.
    pub fn reset(&self, setting: Setting) {
        self.shared
            .change_settings(|settings| settings.reset(setting));
        self.send(Command::Store(setting, None));
    }

    pub fn note(&self, note: String) {
        self.shared.note(note);
    }

    pub(super) fn send(&self, command: Command) {
        self.shared.send(command);
    }

    /// Has the writer do something, and waits for its answer.
    pub(super) fn ask<T>(
        &self,
        command: impl FnOnce(mpsc::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = mpsc::channel();
        self.send(command(reply));
        self.shared.await_answer(&answer)
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }
}
