//! What the functions, the server and the writer ask of an engine without owning it.

use super::command::Command;
use super::error::Error;
use super::log::{Log, Role, SpoolFigures, Status};
use super::notes::{describe, keep_private};
use super::pulse::Pulse;
use super::sampler::Sampler;
use crate::caller::{self, Watcher};
use crate::journal::Recovery;
use crate::locks::{lock, read, write};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::spans::Spans;
use crate::store::{Reader, RetentionPolicy, Store};
use crate::system::TrustedClock;
use std::path::Path;
use std::sync::{mpsc, Mutex, RwLock};

/// How often an answer is begun that a move of the log comes between.
const BEGINNINGS_MAX: usize = 20;

/// What the engine, the functions and the writer thread share.
pub struct Shared {
    pub queue: Queue,
    pub spans: Spans,
    pub metrics: Metrics,
    pub sampler: Sampler,
    /// Interrupts questions whose callers have given up.
    pub callers: Watcher,
    /// The time by which retention deletes; only the writer moves it on.
    pub(super) clock: Mutex<TrustedClock>,
    pub(super) pulse: Pulse,
    pub(super) settings: RwLock<Settings>,
    pub(super) log: RwLock<Log>,
    pub(super) spools: Mutex<SpoolFigures>,
    pub(super) commands: Mutex<mpsc::Sender<Command>>,
}

impl Shared {
    pub fn settings(&self) -> Settings {
        read(&self.settings).clone()
    }

    /// Puts settings in force, for the queue too.
    pub(super) fn change_settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        let mut settings = write(&self.settings);
        let changed = change(&mut settings);
        self.queue.be_lenient(!settings.strict());
        changed
    }

    /// A reader for a question about what ended before `until_us`, or about everything: it sees what was recorded so far.
    /// Where that cannot be committed, a question that ends before all that is missing is answered, and any other is an
    /// error that says from when on it is.
    pub fn read(&self, until_us: Option<i64>) -> Result<Reader, Error> {
        if let Err(error) = self.flush() {
            if caller::has_given_up() {
                return Err(error);
            }
            self.note(error.to_string());
            let missing_us = self.queue.oldest_waiting_us();
            if until_us.is_none_or(|until| until > missing_us) {
                return Err(Error::Missing {
                    error: error.into(),
                    since_us: missing_us,
                });
            }
        }
        self.reader()
    }

    pub(super) fn send(&self, command: Command) {
        // A writer that is gone has marked the queue; whoever waits for an answer learns it from the closed channel.
        let _ = lock(&self.commands).send(command);
        self.queue.nudge();
    }

    /// Whether a question that failed is worth asking again: the log was damaged, and what can be read of it is saved now.
    pub fn mend(&self) -> bool {
        if caller::has_given_up() {
            return false;
        }
        let (reply, answer) = mpsc::channel();
        self.send(Command::Mend(reply));
        self.await_answer(&answer).unwrap_or(false)
    }

    /// Waits for the writer's answer. Where that is given up, the writer goes on all the same, and the answer is nobody's.
    pub(super) fn await_answer<T>(&self, answer: &mpsc::Receiver<T>) -> Result<T, Error> {
        loop {
            match answer.recv_timeout(caller::LOOK_INTERVAL) {
                Ok(answer) => return Ok(answer),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::Stopped),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if let Some(reason) = self.gives_up() {
                        return Err(reason);
                    }
                }
            }
        }
    }

    /// Commits what waits; returns how many operations that were.
    pub(super) fn flush(&self) -> Result<u64, Error> {
        self.queue.flush_unless(|| self.gives_up())
    }

    /// Why nobody waits for the writer any longer, where that is so.
    pub(super) fn gives_up(&self) -> Option<Error> {
        if caller::has_given_up() {
            return Some(caller::Interrupted.into());
        }
        self.pulse.hangs().then_some(Error::Hangs)
    }

    /// A reader for questions about the log's form, which need no commit.
    pub fn reader(&self) -> Result<Reader, Error> {
        let log = read(&self.log);
        log.reader.clone().ok_or_else(|| {
            if log.closed.is_empty() {
                Error::Stopped
            } else {
                let reason = log.closed.clone();
                Error::Closed { reason }
            }
        })
    }

    /// Begins an answer with a reader; begins it anew where the log has moved or was opened anew meanwhile. What the reader
    /// reads then is emptied, and closed a moment later: its answer would be an error, or would have no operations.
    pub fn begin<T, E: From<Error>>(&self, begin: impl Fn() -> Result<T, E>) -> Result<T, E> {
        let exchanged = || read(&self.log).exchanged;
        for _ in 0..BEGINNINGS_MAX {
            let before = exchanged();
            let begun = begin();
            if exchanged() == before || caller::has_given_up() {
                return begun;
            }
        }
        Err(Error::MovedMeanwhile {
            times: BEGINNINGS_MAX,
        }
        .into())
    }

    pub fn status(&self) -> Status {
        let log = read(&self.log);
        // A guard within the expression below would be held to its end.
        let spools = *lock(&self.spools);
        Status {
            place: log.place.clone(),
            role: log.role,
            notes: log.notes.clone(),
            queue: self.queue.figures(),
            spans: self.spans.figures(),
            recovery: log.recovery.clone(),
            spool: log.spool.clone(),
            spools,
            trouble: log.trouble.clone(),
            set_aside: log.set_aside.clone(),
            lost_operations: self.lost_operations(&log.recovery),
        }
    }

    pub(super) fn lost_operations(&self, recovery: &Recovery) -> u64 {
        self.queue.figures().lost + recovery.lost_operations() + lock(&self.spools).lost_operations
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

    /// Makes a log no more open than the files of its hosts.
    pub fn keep_private(&self, log: &Path) {
        for host in self.sampler.hosts() {
            if let Some(note) = keep_private(log, &host) {
                self.note(note);
            }
        }
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

    /// Called by the writer when the store does not answer any more, and why.
    pub fn close_reader(&self, reason: &str) {
        let mut log = write(&self.log);
        log.reader = None;
        reason.clone_into(&mut log.closed);
    }

    /// Called by the writer when the store was opened anew.
    pub fn reopened(&self, store: &Store) {
        let mut log = write(&self.log);
        log.exchange(store.reader());
        log.closed.clear();
    }

    /// Remembers what happened to the log, for `oplog_health()`: it works, and somebody should look.
    pub fn note_trouble(&self, trouble: &str) {
        trouble.clone_into(&mut write(&self.log).trouble);
    }

    /// The same of records that are not in the log, and will not be.
    pub fn note_set_aside(&self, what: String) {
        write(&self.log).set_aside = what;
    }

    /// Called by the writer when the log has moved.
    pub fn moved(&self, store: &Store) {
        let mut log = write(&self.log);
        if log.place != *store.place() {
            log.exchange(store.reader());
            log.place = store.place().clone();
            log.role = Role::Owner;
            log.spool = None;
        }
        drop(log);
        match store.settings() {
            Ok(stored) => {
                let problems = self.change_settings(|settings| settings.adopt(&stored));
                problems.into_iter().for_each(|problem| self.note(problem));
            }
            Err(error) => self.note(format!("the log's settings cannot be read: {error}")),
        }
    }

    /// Called by the writer with the operations that it has taken in, and those that cannot be read.
    pub fn note_spools(&self, spools: usize, taken_operations: u64, lost_operations: u64) {
        let mut figures = lock(&self.spools);
        figures.spools = spools as u64;
        figures.taken_operations += taken_operations;
        figures.lost_operations += lost_operations;
    }

    /// How long rollups are kept at a time.
    pub fn rollup_retention_us(&self, now_us: i64) -> i64 {
        read(&self.settings)
            .rollup_retention_us(now_us)
            .unwrap_or(i64::MAX)
    }

    /// The policy at a time: months and years are as long as they were before it.
    pub fn policy(&self, now_us: i64) -> RetentionPolicy {
        let settings = read(&self.settings);
        RetentionPolicy {
            retention_us: settings.retention_us(now_us),
            error_retention_us: settings.error_retention_us(now_us),
            max_bytes: settings.max_size_bytes(),
        }
    }
}
