//! A log that moves, and one that has moved: the steps of `store::relocate` with the journals and the spans beside both
//! places.

use super::error::Error;
use super::journals::open_journal;
use super::restore;
use super::rules::rules;
use crate::files::{has_spans, OwnerLock};
use crate::journal::{self, Journal, Recovery};
use crate::metrics::{assemble, Metrics, Rules, StoredFamily, Totals};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::spans::{started, SpanFile};
use crate::store::{self, Copying, Mark, OpenError, Opened, Place, Store};
use std::path::{Path, PathBuf};

/// A chain of moved logs longer than this is a loop.
const MOVES_MAX: usize = 8;

/// Operations that are copied at a time, between which the log goes on.
const PART_ROWS: u64 = 250_000;

/// A move that is under way: the target is open, and what its last process left is in it.
pub struct Transfer {
    target: Store,
    journal: Option<Journal>,
    copying: Copying,
    /// The totals that the target has of its own.
    pub of_target: Vec<StoredFamily>,
    /// What the target's journal held.
    pub recovery: Option<Recovery>,
}

/// A log that has arrived at its new place.
pub struct Arrived {
    pub store: Store,
    pub journal: Option<Journal>,
    /// Operations that have moved.
    pub moved: u64,
    /// The `seq` of the next one.
    pub next_seq: u64,
    pub of_target: Vec<StoredFamily>,
}

/// A move whose last step failed, and may have been taken all the same.
pub struct Doubt {
    target: PathBuf,
    journal: Option<Journal>,
    copying: Copying,
    of_target: Vec<StoredFamily>,
}

impl Doubt {
    /// Finds out whether the log has arrived; `source` is the log at the old place, opened anew. Where it has not, the
    /// source goes on.
    pub fn settle(&mut self, source: &Store) -> Result<Option<Arrived>, Error> {
        let target = source.open_target_again(&self.target)?;
        if !target.has_taken_over(&self.copying)? {
            target.detach()?;
            return Ok(None);
        }
        let next_seq = target.next_seq()?;
        let moved = source.operations()?;
        if let Some(journal) = &self.journal {
            journal.skip_to(next_seq);
        }
        Ok(Some(Arrived {
            store: target,
            journal: self.journal.take(),
            moved,
            next_seq,
            of_target: std::mem::take(&mut self.of_target),
        }))
    }
}

impl Transfer {
    /// Opens the target and finds out whether the log can go there. Where it cannot, nothing has changed.
    pub fn begin(source: &mut Store, path: &Path, rules: &Rules) -> Result<Self, Error> {
        let mut target = source.open_beside(path)?;
        match Self::prepare(source, &mut target, rules) {
            Ok((recovery, of_target, journal, copying)) => Ok(Self {
                target,
                journal,
                copying,
                of_target,
                recovery,
            }),
            Err(error) => {
                // Its error would say less than the first one.
                let _ = target.detach();
                Err(error)
            }
        }
    }

    #[allow(clippy::type_complexity)]
    fn prepare(
        source: &mut Store,
        target: &mut Store,
        rules: &Rules,
    ) -> Result<
        (
            Option<Recovery>,
            Vec<StoredFamily>,
            Option<Journal>,
            Copying,
        ),
        Error,
    > {
        settle(source, target)?;
        restore::settle(target)?;
        let recovery = take_in_journal(target, rules)?;
        let of_target = stored_totals(target)?;
        // What is rolled up moves as it is.
        source.align_rollups(target, crate::system::clock::now_us())?;
        // Held from here on, so that what is acknowledged at the new place is in it from the first record on.
        let journal = open_journal(target.place(), target.next_seq()?)?.map(|(journal, _)| journal);
        let copying = source.begin_move(target)?;
        Ok((recovery, of_target, journal, copying))
    }

    /// Copies a part of what is committed; returns whether there is more.
    pub fn copy_part(&mut self, source: &Store) -> Result<bool, Error> {
        Ok(source.copy_part(&self.target, &mut self.copying, PART_ROWS)?)
    }

    /// Makes the target the log: nothing may be committed to the source from now on. What is left to do to the source is
    /// [`leave`].
    pub fn complete(self, source: &Store) -> Result<Arrived, Box<(Error, Self)>> {
        let moved = source
            .intend(&self.target, &self.copying)
            .and_then(|()| source.hand_over(&self.target, &self.copying));
        match moved {
            Ok((moved, next_seq)) => {
                if let Some(journal) = &self.journal {
                    // What has moved is committed there, and was never in this journal.
                    journal.skip_to(next_seq);
                }
                Ok(Arrived {
                    store: self.target,
                    journal: self.journal,
                    moved,
                    next_seq,
                    of_target: self.of_target,
                })
            }
            Err(error) => Err(Box::new((error.into(), self))),
        }
    }

    /// Gives a move up whose last step failed, unless it is open whether it did: an engine that is of no use any more does
    /// not say, and what it has reported to have failed may be in the file all the same.
    pub fn give_up_or_doubt(self, source: &Store) -> Option<Doubt> {
        let taken_over = self.target.has_taken_over(&self.copying);
        if self.target.is_alive() && matches!(taken_over, Ok(false)) {
            self.give_up(source);
            return None;
        }
        let target = self.target.place().path()?.to_path_buf();
        Some(Doubt {
            target,
            journal: self.journal,
            copying: self.copying,
            of_target: self.of_target,
        })
    }

    /// Gives the move up; the source goes on.
    pub fn give_up(self, source: &Store) {
        // What cannot be taken back is recognised when either log is opened again.
        let _ = source.give_up_move(&self.target);
        let _ = self.target.detach();
    }

    /// What there is to say of operations that both logs have.
    pub fn note(&self) -> Option<String> {
        (self.copying.overlap() > 0).then(|| {
            format!(
                "{} of the operations were in {} already and are there once; the totals of metrics count them twice",
                self.copying.overlap(),
                name(&self.target)
            )
        })
    }
}

/// Empties a log that has moved, and closes it.
pub fn leave(source: Store, target: &Store) -> Result<(), Error> {
    let path = target.place().path().unwrap_or(Path::new(""));
    let emptied = source.empty(path);
    target.spill_beside();
    Ok(source.detach().and(emptied)?)
}

fn name(store: &Store) -> String {
    let path = store.place().path().unwrap_or(Path::new("memory"));
    path.display().to_string()
}

/// Clears up what a target says of a move of its own that was cut short.
fn settle(source: &Store, target: &Store) -> Result<(), Error> {
    let Some(mark) = target.mark()?.filter(|mark| !mark.is_done) else {
        return Ok(());
    };
    if source.place().path() == Some(mark.target.as_path()) {
        let known = source.knows(&mark)?;
        let settled = if known {
            target.empty(&mark.target)
        } else {
            target.forget_mark(&mark)
        };
        return Ok(settled?);
    }
    let here = target.place().path().unwrap_or(Path::new(""));
    match mark.target_from(here).map(|path| store::peek(&path)) {
        Some(Ok(meta)) if mark.is_known_to(&meta) => Ok(target.empty(&mark.target)?),
        Some(Err(OpenError::Locked(_))) => Err(Error::OnItsWay {
            log: name(target),
            target: mark.target,
        }),
        _ => Ok(target.forget_mark(&mark)?),
    }
}

/// Commits what a process that is gone has left in a log's journal, before anything is put behind it.
fn take_in_journal(log: &mut Store, rules: &Rules) -> Result<Option<Recovery>, Error> {
    let next_seq = log.next_seq()?;
    let Some((journal, recovery)) = open_journal(log.place(), next_seq)? else {
        return Ok(None);
    };
    let metrics = Metrics::default();
    metrics.restore(&stored_totals(log)?);
    let mut totals = Totals::default();
    let waiting = Queue::new(next_seq, Some((journal, recovery.next_seq)));
    while !waiting.is_empty() {
        let batches = waiting.take()?;
        metrics.count_committed(&batches, 0, rules);
        log.commit(&batches, &[], &totals.changes(&metrics.registry))?;
        waiting.committed(batches);
    }
    waiting.stop("it is empty");
    Ok(Some(recovery))
}

fn stored_totals(store: &Store) -> Result<Vec<StoredFamily>, Error> {
    let (families, values) = store.totals()?;
    Ok(assemble(&families, &values))
}

/// Opens the log that is found at a place, whose journal's lock is given: there, or where it has moved to. The lock is gone
/// where it has moved.
pub fn open(place: &Place, lock: &mut Option<OwnerLock>) -> Result<Opened, OpenError> {
    let mut opened = store::open(place)?;
    for _ in 0..MOVES_MAX {
        let mark = opened.store.mark().map_err(OpenError::unusable)?;
        let Some(mark) = mark else {
            return Ok(opened);
        };
        match follow(opened, &mark, lock)? {
            Followed::Moved(there) => opened = there,
            Followed::Stayed(here) => return Ok(here),
        }
    }
    Err(OpenError::unusable(
        "the log was moved in a circle; remove the files, or name one with OPLOG_PATH",
    ))
}

enum Followed {
    Moved(Opened),
    Stayed(Opened),
}

/// What becomes of a log that says that it has moved.
fn follow(
    mut opened: Opened,
    mark: &Mark,
    lock: &mut Option<OwnerLock>,
) -> Result<Followed, OpenError> {
    let here = opened.store.place().path().unwrap_or(Path::new(""));
    let Some(path) = mark.target_from(here) else {
        let note = format!(
            "this is a copy of a log that has moved to {}; it is a log of its own",
            mark.target.display()
        );
        return stay(opened, mark, Some(note));
    };
    let meta = match store::peek(&path) {
        Ok(meta) => meta,
        Err(error @ OpenError::Locked(_)) => return Err(error),
        Err(error) if mark.is_done => {
            // It may be there again at the next LOAD, and gets what is recorded here until then.
            opened.notes.push(format!(
                "the log was moved to {} by oplog_open(), which cannot be used now; records are kept here until it can ({})",
                path.display(),
                error
            ));
            return Ok(Followed::Stayed(opened));
        }
        // The move was cut short before the target was made.
        Err(_) => return stay(opened, mark, None),
    };
    let is_old = mark.is_done && !mark.has_id();
    if !mark.is_known_to(&meta) && !is_old {
        let note = mark.is_done.then(|| not_ours(&path));
        return stay(opened, mark, note);
    }
    let target = match opened.store.open_beside(&path) {
        Ok(target) => target,
        Err(error @ OpenError::Locked(_)) => return Err(error),
        Err(error) => return Err(OpenError::unusable(error)),
    };
    let proven = match is_old {
        true => opened.store.was_copied_to(&target).and_then(|copied| {
            if copied {
                opened.store.adopt(&target)?;
            }
            Ok(copied)
        }),
        false => Ok(true),
    };
    match proven {
        Ok(true) => {}
        Ok(false) => {
            let _ = target.detach();
            let note = not_ours(&path);
            return stay(opened, mark, Some(note));
        }
        Err(error) => return Err(OpenError::unusable(error)),
    }
    let Opened {
        store,
        mut notes,
        damage,
    } = opened;
    notes.push(format!(
        "the log was moved to {} by oplog_open()",
        path.display()
    ));
    // What is left in the journal here is taken in by a journal of its own.
    drop(lock.take());
    let store = arrive(store, target, &path, mark, &mut notes)?;
    Ok(Followed::Moved(Opened {
        store,
        notes,
        damage,
    }))
}

fn not_ours(path: &Path) -> String {
    format!(
        "the log says that it was moved to {}, and the log there knows nothing of it; records are kept here (CALL \
         oplog_open('…') moves them)",
        path.display()
    )
}

fn stay(mut opened: Opened, mark: &Mark, note: Option<String>) -> Result<Followed, OpenError> {
    opened
        .store
        .forget_mark(mark)
        .map_err(OpenError::unusable)?;
    opened.notes.extend(note);
    Ok(Followed::Stayed(opened))
}

/// Brings a move to its end that its process did not: what is still at the old place follows.
fn arrive(
    mut source: Store,
    target: Store,
    path: &Path,
    mark: &Mark,
    notes: &mut Vec<String>,
) -> Result<Store, OpenError> {
    if !mark.is_done {
        source.empty(path).map_err(OpenError::unusable)?;
    }
    let mut settings = Settings::default();
    settings.adopt(&source.settings().map_err(OpenError::unusable)?);
    let rules = rules(&settings);
    // Its files are deleted with this, where nothing waits in them.
    if let Err(error) = take_in_journal(&mut source, &rules) {
        notes.push(format!(
            "the journal at the log's old place is left there: {error}"
        ));
        return finish(source, target);
    }
    take_in_spans(&source, &target, notes);
    if source.is_bare().map_err(OpenError::unusable)? {
        return finish(source, target);
    }
    // Recorded while the new place was not there.
    target.detach().map_err(OpenError::unusable)?;
    let mut transfer = Transfer::begin(&mut source, path, &rules).map_err(OpenError::unusable)?;
    let arrived = loop {
        match transfer.copy_part(&source) {
            Ok(true) => {}
            Ok(false) => break transfer.complete(&source),
            Err(error) => break Err(Box::new((error, transfer))),
        }
    };
    match arrived {
        Ok(arrived) => {
            drop(arrived.journal);
            leave(source, &arrived.store).map_err(OpenError::unusable)?;
            Ok(arrived.store)
        }
        Err(failed) => {
            let (error, transfer) = *failed;
            transfer.give_up(&source);
            Err(OpenError::unusable(error))
        }
    }
}

fn finish(source: Store, target: Store) -> Result<Store, OpenError> {
    target.spill_beside();
    source.detach().map_err(OpenError::unusable)?;
    Ok(target)
}

/// Puts the spans that ran at the old place into the file at the new one, where they are found to be interrupted.
fn take_in_spans(source: &Store, target: &Store, notes: &mut Vec<String>) {
    let (Some(old), Some(new)) = (source.place().path(), target.place().path()) else {
        return;
    };
    let moved = move_spans(old, new);
    if let Err(error) = moved {
        notes.push(format!(
            "spans that ran at the log's old place are left there: {error}"
        ));
    }
}

/// Fetches the spans that ran at a place that the log has left, where the process ended before it had put them here. The
/// journal's lock must be held.
pub fn fetch_spans(log: &Store) -> Result<(), Error> {
    let Some(here) = log.place().path() else {
        return Ok(());
    };
    for (id, old) in log.moved_from()? {
        if old == here || !has_spans(&old) {
            continue;
        }
        if !store::peek(&old).is_ok_and(|meta| Mark::has_left(&meta, &id)) {
            continue;
        }
        // Whoever holds it sees to them.
        if let Ok(_lock) = journal::take_lock(&old) {
            move_spans(&old, here)?;
        }
    }
    Ok(())
}

fn move_spans(old: &Path, new: &Path) -> Result<(), Error> {
    let (mut from, found) = SpanFile::open(old).map_err(Error::OpenSpans)?;
    if found.interrupted.is_empty() {
        return Ok(from.remove()?);
    }
    let (mut to, there) = SpanFile::open(new).map_err(Error::OpenSpans)?;
    // Written anew: the process may have died while it made the file, or have put some of them there.
    let spans = there.interrupted.iter().chain(
        found
            .interrupted
            .iter()
            .filter(|span| there.interrupted.iter().all(|other| other.id != span.id)),
    );
    let frames: Vec<u8> = spans.flat_map(started).collect();
    to.rewrite(&frames, true)?;
    Ok(from.remove()?)
}

/// The places where spools for this log can be: where it is, and where it was, as far as the log there says that it has
/// gone here. A path in a file that somebody has sent is no reason to look, and to delete, anywhere else. Whether these are
/// all of them: a place that is in use for a moment cannot be asked.
pub fn spool_places(log: &Store) -> Result<(Vec<PathBuf>, bool), Error> {
    let mut places: Vec<PathBuf> = log
        .place()
        .path()
        .map(Path::to_path_buf)
        .into_iter()
        .collect();
    let mut are_all = true;
    for (id, old) in log.moved_from()? {
        match store::peek(&old) {
            Ok(meta) if Mark::has_left(&meta, &id) && !places.contains(&old) => places.push(old),
            Err(OpenError::Locked(_)) => are_all = false,
            _ => {}
        }
    }
    Ok((places, are_all))
}
