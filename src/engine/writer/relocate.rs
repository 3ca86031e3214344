//! Moving the log while it is in use: most of it is copied while operations are accepted and committed, and callers wait
//! for the rest only.

use super::rolling::Rolling;
use super::Writer;
use crate::engine::error::Error;
use crate::engine::relocate::{leave, Arrived, Doubt, Transfer};
use crate::store::{self, Place, Store};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the target of a move is tried of which it is open whether it has the log: as long as callers wait.
const DOUBT_MAX: Duration = Duration::from_secs(10);
const DOUBT_INTERVAL: Duration = Duration::from_millis(200);

impl Writer<'_> {
    pub(super) fn move_to(&mut self, path: &Path) -> Result<u64, Error> {
        self.is_open()?;
        let begun = Transfer::begin(&mut self.store, path, &self.shared.rules());
        let mut transfer = begun.inspect_err(|error| self.look_after_store(error))?;
        if let Some(recovery) = transfer.recovery.take() {
            self.shared.recovered(recovery);
        }
        loop {
            match transfer.copy_part(&self.store) {
                // What has come meanwhile goes with the next parts, and nobody waits for all of them.
                Ok(true) => self.commit(),
                Ok(false) => break,
                Err(error) => {
                    transfer.give_up(&self.store);
                    self.look_after_store(&error);
                    return Err(error);
                }
            }
        }
        // One place at a time gives out numbers: from here on callers wait until the log has arrived.
        self.shared.queue.pause();
        let moved = self.complete(transfer);
        self.shared.queue.resume();
        let (old, moved) = moved?;
        // The new file is the log; what is left to do to the old one cannot undo that.
        if let Err(error) = leave(old, &self.store) {
            self.shared.note(format!(
                "the log has moved, and its old place could not be emptied; the next LOAD there tries again ({error})"
            ));
            // Both were open in one instance, which may be of no use any more.
            self.look_after_store(&error);
        }
        Ok(moved)
    }

    /// The part of a move that nothing may come between; returns the log at the old place.
    fn complete(&mut self, transfer: Transfer) -> Result<(Store, u64), Error> {
        // With the operations go all totals, since they move as they are stored.
        self.shared.metrics.registry.set_unsaved();
        let committed = self
            .commit_all()
            .and_then(|()| self.try_commit())
            .and_then(|()| Ok(self.store.roll_before_move()?));
        if let Err(error) = committed {
            transfer.give_up(&self.store);
            return Err(error);
        }
        let note = transfer.note();
        let arrived = match transfer.complete(&self.store) {
            Ok(arrived) => arrived,
            Err(failed) => {
                let (error, transfer) = *failed;
                match transfer.give_up_or_doubt(&self.store) {
                    Some(doubt) => self.settle(doubt, error)?,
                    None => {
                        self.look_after_store(&error);
                        return Err(error);
                    }
                }
            }
        };
        let Arrived {
            store,
            journal,
            moved,
            next_seq,
            of_target,
        } = arrived;
        let old = std::mem::replace(&mut self.store, store);
        self.shared.metrics.restore(&of_target);
        self.totals.failed();
        self.counted_seq = 0;
        self.rolling = Rolling::from(0);
        self.spools = None;
        self.shared.moved(&self.store);
        note.into_iter().for_each(|note| self.shared.note(note));
        self.shared
            .move_spans(&self.store, journal.as_ref(), next_seq);
        self.shared.queue.resume_at(next_seq, journal);
        Ok((old, moved))
    }

    /// Opens both logs of a move anew whose last step failed with this error. The log is where the target says; where the
    /// target cannot be opened, it is the old one, as for the next LOAD. An error where the log has not moved.
    fn settle(&mut self, mut doubt: Doubt, error: Error) -> Result<Arrived, Error> {
        let place = self.store.place().clone();
        self.shared.close_reader(&error.to_string());
        self.store.let_go();
        let since = Instant::now();
        loop {
            let reason = match store::reopen_marked(&place).map_err(Error::from) {
                Ok((source, note)) => {
                    note.into_iter().for_each(|note| self.shared.note(note));
                    match doubt.settle(&source) {
                        Ok(Some(arrived)) => {
                            self.store = source;
                            self.shared.note(format!(
                                "the log has moved, although that seemed to fail ({error})"
                            ));
                            return Ok(arrived);
                        }
                        Err(reason) if since.elapsed() < DOUBT_MAX => reason,
                        stayed => {
                            self.stay(source, stayed.err());
                            return Err(error);
                        }
                    }
                }
                Err(reason) => reason,
            };
            if self.shared.queue.is_shut_down() {
                // The next LOAD finds the marks of the move.
                self.stay_closed(&reason);
                return Err(error);
            }
            std::thread::sleep(DOUBT_INTERVAL);
        }
    }

    /// Goes on at the old place, opened anew.
    fn stay(&mut self, source: Store, doubt: Option<Error>) {
        let forgotten = match source.mark() {
            Ok(Some(mark)) => source.forget_mark(&mark),
            other => other.map(drop),
        };
        if let Err(error) = forgotten {
            return self.stay_closed(&error);
        }
        self.shared.note(match (doubt, source.place()) {
            (None, Place::File(_)) => "the log was opened anew, and has not moved".to_owned(),
            (None, Place::Memory) => {
                "the log in memory is gone, and a fresh one was begun".to_owned()
            }
            (Some(reason), _) => format!(
                "the log stays where it was: where it was to move to cannot be opened, and may have what was recorded \
                 until now too ({reason})"
            ),
        });
        self.go_on_with(source);
    }
}
