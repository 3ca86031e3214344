//! What the queue does when the store had to be opened anew after an error: it has more than was known, or less.

use super::error::Error;
use super::queue::Queue;
use crate::journal::behind;
use crate::locks::lock;
use crate::record::Pending;

impl Queue {
    /// The store has everything below `next_seq`: what waits goes on from there.
    ///
    /// A commit whose error came late may be in the store: then it does not wait any more. And what a store has lost that
    /// it had acknowledged waits again, as far as the journal still has it.
    pub fn reopened(&self, next_seq: u64) -> Result<(), Error> {
        *lock(&self.reader) = None;
        self.take_back(next_seq)?;
        let mut guard = self.lock();
        let state = &mut guard.0;
        let pending = std::mem::take(&mut state.pending);
        state.bytes -= bytes(&pending);
        state.pending = pending
            .into_iter()
            .filter_map(|pending| behind(pending, next_seq))
            .collect();
        state.bytes += bytes(&state.pending);
        state.spilled_from = state
            .spilled_from
            .map(|from| from.max(next_seq))
            .filter(|from| *from < state.next_seq);
        state.committed_seq = state.committed_seq.max(next_seq).min(state.next_seq);
        if !state.waits() {
            state.committed_seq = state.next_seq;
        }
        drop(guard);
        self.progress.notify_all();
        Ok(())
    }

    /// Reads what the store has lost from the journal, and lets it wait in front of all that does.
    fn take_back(&self, next_seq: u64) -> Result<(), Error> {
        let guard = self.lock();
        let state = &guard.0;
        let first = state.pending.first().map(|(stamp, _)| stamp.first_seq);
        let until = first.or(state.spilled_from).unwrap_or(state.next_seq);
        let journal = state.journal.clone();
        drop(guard);
        let Some(journal) = journal.filter(|_| next_seq < until) else {
            return Ok(());
        };
        journal.unrelease(next_seq);
        let mut reader = journal.reader(next_seq);
        let mut lost: Vec<Pending> = Vec::new();
        while reader.next_seq() < until {
            match reader.read()? {
                Some(pending) if pending.0.first_seq < until => lost.push(pending),
                _ => break,
            }
        }
        let mut guard = self.lock();
        let state = &mut guard.0;
        if let Some((stamp, _)) = lost.first() {
            state.committed_seq = state.committed_seq.min(stamp.first_seq);
            state.bytes += bytes(&lost);
            state.pending.splice(0..0, lost);
        }
        Ok(())
    }
}

fn bytes(pending: &[Pending]) -> usize {
    pending.iter().map(|(_, batch)| batch.bytes()).sum()
}
