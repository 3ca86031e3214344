//! Moving the log while it is in use: most of it is copied while operations are accepted and committed, and callers wait
//! for the rest only.

use super::Writer;
use crate::engine::{leave, Arrived, Transfer};
use crate::store::Store;
use std::path::Path;

impl Writer<'_> {
    pub(super) fn move_to(&mut self, path: &Path) -> Result<u64, String> {
        self.is_open()?;
        let mut transfer = Transfer::begin(&self.store, path, &self.shared.rules())?;
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
    fn complete(&mut self, transfer: Transfer) -> Result<(Store, u64), String> {
        // With the operations go all totals, since they move as they are stored.
        self.shared.metrics.registry.set_unsaved();
        let committed = self.commit_all().map(|()| self.commit());
        if let Err(error) = committed {
            transfer.give_up(&self.store);
            return Err(error);
        }
        let note = transfer.note();
        let arrived = match transfer.complete(&self.store) {
            Ok(arrived) => arrived,
            Err(failed) => {
                let (error, transfer) = *failed;
                transfer.give_up(&self.store);
                self.look_after_store(&error);
                return Err(error);
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
        self.spools = None;
        self.shared.moved(&self.store);
        note.into_iter().for_each(|note| self.shared.note(note));
        self.shared
            .move_spans(&self.store, journal.as_ref(), next_seq);
        self.shared.queue.resume_at(next_seq, journal);
        Ok((old, moved))
    }
}
