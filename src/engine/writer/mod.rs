//! The one background thread: it moves what is accepted into the store and applies retention. Nothing else decides when.

mod commit;
mod failures;
mod history;
mod purge;
mod relocate;
mod revive;
mod roll;
mod rolling;
mod sampling;
mod set_aside;

pub use sampling::recorder;

use super::command::Command;
use super::error::Error;
use super::relocate::spool_places;
use super::shared::Shared;
use crate::history::Recorder;
use crate::locks::lock;
use crate::metrics::Totals;
use crate::queue::Origin;
use crate::settings::Durability;
use crate::settings::Setting;
use crate::spool::Spools;
use crate::store::{self, Place, Store};
use crate::system::SAMPLE_INTERVAL_US;
use failures::Failures;
use rolling::Rolling;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a change did that could not be stored.
const RULE: &str = "a rule could not be stored";
const ARCHIVE: &str = "where to archive could not be stored";
const HISTORY: &str = "what is to have a history could not be stored";

/// How often retention looks.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// How often the owner of a log looks for what other processes recorded for it.
const SPOOL_INTERVAL: Duration = Duration::from_secs(2);

/// Parts of what guests have recorded that a flush takes in at most, 16 MiB each: they may go on for ever.
const FLUSHED_PARTS_MAX: usize = 64;

/// How often what the process uses is sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_micros(SAMPLE_INTERVAL_US as u64);

/// The thread's body: returns when the queue is shut down. The store is closed before that.
pub fn run(store: Store, shared: &Shared, commands: &Receiver<Command>, recorder: Recorder) {
    let mut writer = Writer {
        store,
        shared,
        unstored: BTreeMap::new(),
        retention_at: Instant::now() + RETENTION_INTERVAL,
        failures: Failures::default(),
        spools: None,
        knows_spool_places: true,
        spools_stored: Vec::new(),
        spools_at: Instant::now(),
        totals: Totals::default(),
        totals_at: None,
        counted_seq: 0,
        sample_at: Instant::now(),
        rolling: Rolling::from(0),
        recorder,
        history_at: Instant::now() + sampling::HISTORY_INTERVAL,
        sampled_seq: shared.queue.committed_seq(),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let rolled_seq = writer.store.known().map_or(0, |known| known.rolled_seq);
        writer.rolling = Rolling::from(rolled_seq);
        writer.serve(commands);
        writer.close();
    }));
    // Nobody may wait for a thread that is gone.
    shared.queue.stop(match outcome {
        Ok(()) => "the database has been closed",
        Err(_) => "internal error: the writer panicked; please report it",
    });
}

struct Writer<'a> {
    store: Store,
    shared: &'a Shared,
    /// Settings to be stored with the next commit.
    unstored: BTreeMap<&'static str, Option<String>>,
    retention_at: Instant,
    /// What did not work lately.
    failures: Failures,
    /// What other processes recorded for this log; none before the first look, and after one that failed.
    spools: Option<Spools>,
    /// Whether these are in all the places that the log has had.
    knows_spool_places: bool,
    /// The positions that the log has.
    spools_stored: Vec<(String, u64)>,
    spools_at: Instant,
    /// What of the metrics is stored.
    totals: Totals,
    /// When a service's metrics that have changed are stored, if no operation is committed before.
    totals_at: Option<Instant>,
    /// Operations below this count as committed already: a commit that is tried again counts once.
    counted_seq: u64,
    sample_at: Instant,
    rolling: Rolling,
    recorder: Recorder,
    history_at: Instant,
    /// Up to where operations were committed when metrics were last sampled.
    sampled_seq: u64,
}

impl Writer<'_> {
    fn serve(&mut self, commands: &Receiver<Command>) {
        loop {
            let interval = self.shared.settings().flush_interval();
            let has_spools = self.store.place().path().is_some();
            let mut until = self
                .sample_at
                .min(self.retention_at)
                .min(self.history_at)
                .min(self.rolling.due_at);
            if let Some(retry_at) = self.failures.retry_at() {
                until = until.min(retry_at);
            }
            if has_spools {
                until = until.min(self.spools_at);
            }
            if self.shared.metrics.registry.is_unsaved() {
                let totals_at = self
                    .totals_at
                    .get_or_insert_with(|| Instant::now() + interval);
                until = until.min(*totals_at);
            }
            let wake = self.shared.queue.wait(interval, until);
            while let Ok(command) = commands.try_recv() {
                self.obey(command);
            }
            if wake.shutdown {
                // What cannot be committed now stays in the journal, if there is one.
                self.commit();
                let _ = self.commit_all();
                self.roll_at_end();
                self.sample_at_end();
                return;
            }
            self.look_after_file();
            let totals_due = self.totals_at.is_some_and(|at| Instant::now() >= at);
            if wake.commit || totals_due || !self.unstored.is_empty() {
                self.commit();
            }
            if Instant::now() >= self.sample_at {
                self.sample_at = Instant::now() + SAMPLE_INTERVAL;
                self.shared.sampler.sample(self.store.place().path());
            }
            if has_spools && Instant::now() >= self.spools_at && self.is_open().is_ok() {
                self.look_after_spools();
            }
            self.roll_up();
            self.keep_history();
            if Instant::now() >= self.retention_at {
                if let Err(error) = self.purge(false) {
                    self.shared.note(format!("retention failed: {error}"));
                }
            }
        }
    }

    /// Takes in a part of what other processes have recorded; an error waits for the next time.
    fn look_after_spools(&mut self) {
        let failing = self.take_in_spools().unwrap_or_else(|error| {
            self.spools = None;
            self.shared.note(format!(
                "what other processes recorded cannot be taken in: {error}"
            ));
            self.look_after_store(&error);
            Some(error.to_string())
        });
        self.shared.sampler.note_spools(failing);
    }

    /// Takes in what other processes have recorded for this log, a part at a time. Gives why one of them is left out.
    fn take_in_spools(&mut self) -> Result<Option<String>, Error> {
        self.spools_at = Instant::now() + SPOOL_INTERVAL;
        if self.store.place().path().is_none() {
            return Ok(None);
        }
        if self.spools.is_none() {
            // What was taken in before a crash is recognised in the log, so it has to be there.
            self.commit_all()?;
            self.spools_stored = self.store.spool_positions()?;
        }
        let spools = match &mut self.spools {
            Some(spools) => spools,
            none => {
                let (places, are_all) = spool_places(&self.store)?;
                self.knows_spool_places = are_all;
                none.insert(Spools::beside(places, &self.spools_stored))
            }
        };
        let mut found = spools.look(&mut |ids| Ok(self.store.recorded(ids)?))?;
        let mut taken = 0;
        for (stamp, batch) in std::mem::take(&mut found.batches) {
            let origin = Origin {
                ids: stamp.ids,
                recorded_at_us: Some(stamp.recorded_at_us),
            };
            self.shared
                .queue
                .push(Arc::clone(&batch), Durability::Process, Some(origin))
                .map(|stamp| self.shared.count(&batch, &stamp))?;
            taken += batch.rows() as u64;
        }
        for span in std::mem::take(&mut found.interrupted) {
            self.shared.interrupt(span)?;
            taken += 1;
        }
        std::mem::take(&mut found.notes)
            .into_iter()
            .for_each(|note| self.shared.note(note));
        if taken > 0 {
            self.commit_all()?;
            // There may be more.
            self.spools_at = Instant::now();
        }
        let lost = found.lost_operations;
        self.shared.note_spools(found.positions.len(), taken, lost);
        if found.positions != self.spools_stored {
            self.store.put_spool_positions(&found.positions)?;
            self.spools_stored.clone_from(&found.positions);
        }
        if !self.knows_spool_places {
            self.spools = None;
        }
        let failing = found.failing.take();
        found.discard()?;
        Ok(failing)
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have given up: an answer that nobody takes is no failure.
        match command {
            Command::Store(setting, value) => {
                self.unstored
                    .insert(setting.name(), value.map(Setting::stored));
            }
            Command::Flush(reply) => {
                let _ = reply.send(self.flush());
            }
            Command::Purge { force, reply } => {
                let _ = reply.send(self.purge(force));
            }
            Command::Move(path, reply) => {
                let _ = reply.send(self.move_to(&path));
            }
            Command::ChangeRule(name, change, reply) => {
                let _ = reply.send(self.change(RULE, |store| store.change_rule(&name, *change)));
            }
            Command::DropRule(name, reply) => {
                let _ = reply.send(self.change(RULE, |store| store.drop_rule(&name)));
            }
            Command::ChangeRetentionRule(name, change, reply) => {
                let _ = reply
                    .send(self.change(RULE, |store| store.change_retention_rule(&name, change)));
            }
            Command::DropRetentionRule(name, reply) => {
                let _ = reply.send(self.change(RULE, |store| store.drop_retention_rule(&name)));
            }
            Command::SetArchive(archive, reply) => {
                let _ =
                    reply.send(self.change(ARCHIVE, |store| store.set_archive(archive.as_ref())));
            }
            Command::KeepHistory(name, reply) => {
                let _ = reply.send(self.change(HISTORY, |store| store.keep_history(&name)));
            }
            Command::DropHistory(name, reply) => {
                let _ = reply.send(self.change(HISTORY, |store| store.drop_history(&name)));
            }
            Command::Mend(reply) => {
                let _ = reply.send(self.mend());
            }
        }
    }

    /// Changes what the log has of somebody's wishes; `failed` is what a store is looked after for that could not.
    fn change<T>(
        &mut self,
        failed: &str,
        change: impl FnOnce(&mut Store) -> Result<T, store::Error>,
    ) -> Result<T, Error> {
        let changed = self.is_open().and_then(|()| Ok(change(&mut self.store)?));
        self.look_after_store(&failed);
        changed
    }

    /// Commits everything, settings and a service's metrics included, and what guests have recorded so far.
    fn flush(&mut self) -> Result<(), Error> {
        self.try_commit()?;
        self.commit_all()?;
        for _ in 0..FLUSHED_PARTS_MAX {
            self.look_after_spools();
            if self.spools.is_none() || Instant::now() < self.spools_at {
                break;
            }
        }
        Ok(())
    }

    /// Folds the write-ahead log into the log: what is left beside it when all is well is nothing.
    fn close(&mut self) {
        // The next process goes on with the proof.
        if lock(&self.shared.clock).leap().is_some() && self.is_open().is_ok() {
            self.remember_clock();
        }
        if self.is_open().is_ok() && *self.store.place() != Place::Memory {
            if let Err(error) = self.store.checkpoint() {
                self.shared.note(format!(
                    "the log's write-ahead log is left beside it: {error}"
                ));
            }
        }
    }
}
