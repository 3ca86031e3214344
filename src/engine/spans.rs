//! Spans: from the call that starts one to its operation in the log.

use super::engine::Engine;
use super::error::Error;
use super::shared::Shared;
use crate::journal::Journal;
use crate::locks::read;
use crate::queue::Origin;
use crate::record::{parse_id, Batch, Field, IdRange, Source};
use crate::settings::Durability;
use crate::spans::{age_ms, Claimed, Running};
use crate::spans::{Orphans, SpanFile, Started};
use crate::store::Store;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The file of spans beside a log whose journal is open, or beside a guest's spool. Spans in it whose operations are in the log, or in the journal
/// from `next_seq` on, are left out: their process was gone before it could say so. The error says what goes on
/// without.
pub fn open_spans(
    store: &Store,
    beside: Option<&Path>,
    journal: Option<&Journal>,
    next_seq: u64,
) -> Result<(Option<SpanFile>, Orphans), Error> {
    let (Some(path), Some(journal)) = (beside, journal) else {
        return Ok((None, Orphans::default()));
    };
    let without = |error: Error| Error::SpanFile(error.into());
    let open = || SpanFile::open(path);
    // A fault that passes does not cost the spans.
    let opened = open().or_else(|_| open()).or_else(|_| open());
    let (file, mut found) = opened.map_err(|error| without(Error::OpenSpans(error)))?;
    if !found.interrupted.is_empty() {
        let ids: Vec<u128> = found.interrupted.iter().map(|span| span.id).collect();
        let mut recorded = store
            .recorded(&ids)
            .map_err(|error| without(error.into()))?;
        recorded.extend(journaled_spans(journal, next_seq).map_err(without)?);
        found
            .interrupted
            .retain(|span| !recorded.contains(&span.id));
    }
    Ok((Some(file), found))
}

fn journaled_spans(journal: &Journal, from_seq: u64) -> Result<HashSet<u128>, Error> {
    let mut reader = journal.reader(from_seq);
    let mut ids = HashSet::new();
    while let Some((stamp, batch)) = reader.read()? {
        if batch.source == Source::Span {
            ids.extend((0..batch.rows()).map(|row| stamp.ids.id(row)));
        }
    }
    Ok(ids)
}

impl Shared {
    fn durability(&self) -> Durability {
        read(&self.settings).durability()
    }

    /// Has the spans go with a log that has moved; called by the writer.
    pub fn move_spans(&self, store: &Store, journal: Option<&Journal>, next_seq: u64) {
        let opened = open_spans(store, store.place().path(), journal, next_seq);
        let (file, found) = match opened {
            Ok(opened) => opened,
            Err(note) => {
                // Where they are they survive: the next LOAD looks for them there.
                return self.note(format!("spans stay at the log's old place: {note}"));
            }
        };
        found.note.into_iter().for_each(|note| self.note(note));
        if let Err(error) = self
            .spans
            .move_to(file, found.interrupted, self.durability())
        {
            self.note(format!("the spans that run have not moved: {error}"));
        }
    }

    /// Records a span of another process that is gone; called by the writer.
    pub fn interrupt(&self, span: Started) -> Result<(), Error> {
        let mut batch = Arc::unwrap_or_clone(span.batch);
        batch.interrupt_span(span.started_at_us);
        let batch = Arc::new(batch);
        let origin = Origin {
            ids: IdRange::starting_at(span.id),
            recorded_at_us: None,
        };
        let stamp = self
            .queue
            .push(Arc::clone(&batch), Durability::Process, Some(origin))?;
        self.count(&batch, &stamp);
        self.metrics.own.engine.interrupted.inc();
        Ok(())
    }
}

impl Engine {
    /// Starts a span for each operation, all or none; returns their ids.
    pub fn start_spans(&self, operations: &Batch) -> Result<Vec<u128>, Error> {
        let now_us = crate::system::clock::now_us();
        let ids = self.shared.queue.take_ids(now_us, operations.rows());
        let spans: Vec<Started> = (0..operations.rows())
            .map(|row| {
                let id = ids.id(row);
                let mut batch = operations.span(row);
                self.give_place(&mut batch, id);
                Started {
                    id,
                    started_at_us: now_us,
                    batch: Arc::new(batch),
                }
            })
            .collect();
        self.shared.spans.start(&spans, self.shared.durability())?;
        Ok(spans.iter().map(|span| span.id).collect())
    }

    /// Gives a span its place in a trace, as far as the caller did not.
    fn give_place(&self, span: &mut Batch, id: u128) {
        let parent = span.text(Field::ParentSpanId, 0).map(str::to_owned);
        match &parent {
            // The first span of a trace names it.
            None if span.text(Field::TraceId, 0).is_none() => {
                span.set_text(Field::TraceId, &format!("{id:032x}"));
            }
            None => {}
            Some(parent) => {
                let running = parse_id(parent).and_then(|id| self.shared.spans.trace(id));
                if let Some((span_id, trace_id)) = running {
                    if let Some(span_id) = span_id {
                        span.set_text(Field::ParentSpanId, &span_id);
                    }
                    if let (None, Some(trace_id)) = (span.text(Field::TraceId, 0), trace_id) {
                        span.set_text(Field::TraceId, &trace_id);
                    }
                }
            }
        }
        if span.text(Field::SpanId, 0).is_none() {
            // The part that differs between ids; never all zeros, as the variant stands in it.
            span.set_text(Field::SpanId, &format!("{:016x}", id as u64));
        }
    }

    /// Begins to finish spans, all at this time.
    pub fn finishing(&self) -> Finishing<'_> {
        Finishing {
            engine: self,
            at: Instant::now(),
            operations: Vec::new(),
        }
    }

    pub fn running_spans(&self) -> Vec<Running> {
        self.shared.spans.running()
    }

    /// Records spans that nobody will finish: those of a process that is gone, or all of them when the engine ends.
    /// What cannot be recorded stays in the file for the next LOAD.
    pub(super) fn interrupt_spans(&self, all: bool) {
        let durability = match self.shared.durability() {
            // They have survived one process already.
            Durability::Memory => Durability::Process,
            durability => durability,
        };
        let mut operations = Vec::new();
        for Claimed { span, .. } in self.shared.spans.claim_all(all) {
            let mut batch = Arc::unwrap_or_clone(span.batch);
            batch.interrupt_span(span.started_at_us);
            operations.push((span.id, batch));
        }
        if operations.is_empty() {
            return;
        }
        let (recorded, outcome) = self.record_spans(operations, durability);
        self.shared
            .metrics
            .own
            .engine
            .interrupted
            .inc_by(recorded as u64);
        if let Err(error) = outcome {
            self.note(format!("interrupted spans are not recorded: {error}"));
        }
    }

    /// Records claimed spans one by one until that fails; says how many are recorded. The others are given back.
    fn record_spans(
        &self,
        operations: Vec<(u128, Batch)>,
        durability: Durability,
    ) -> (usize, Result<(), Error>) {
        let queue = &self.shared.queue;
        let rules = self.shared.rules();
        let ids: Vec<u128> = operations.iter().map(|(id, _)| *id).collect();
        let mut outcome = Ok(());
        let mut unsynced = Vec::with_capacity(operations.len());
        for (id, batch) in operations {
            let batch = Arc::new(batch);
            let origin = Origin {
                ids: IdRange::starting_at(id),
                recorded_at_us: None,
            };
            match queue.push_unsynced(Arc::clone(&batch), durability, Some(origin)) {
                Ok((stamp, accepted)) => {
                    unsynced.push(accepted);
                    self.shared.metrics.count(&batch, &stamp, &rules);
                }
                Err(error) => {
                    outcome = Err(error.into());
                    break;
                }
            }
        }
        let (recorded, left) = ids.split_at(unsynced.len());
        for unsynced in unsynced {
            // The first one syncs for all.
            outcome = outcome.and(unsynced.wait().map_err(Error::from));
        }
        if let Err(error) = self.shared.spans.end(recorded) {
            self.note(format!(
                "spans that have ended are still in their file: {error}"
            ));
        }
        self.shared.spans.release(left);
        (recorded.len(), outcome)
    }
}

/// Spans that a call finishes. Those that it does not come to record run on.
pub struct Finishing<'a> {
    engine: &'a Engine,
    at: Instant,
    operations: Vec<(u128, Batch)>,
}

impl Finishing<'_> {
    /// Adds a span, with what a row says of it; returns how long it took, in milliseconds.
    pub fn add(&mut self, id: u128, given: Option<(&Batch, usize)>) -> Result<f64, Error> {
        let spans = &self.engine.shared.spans;
        let Some(Claimed { span, started }) = spans.claim(id) else {
            return Err(Error::NoSpan { id });
        };
        let mut operation = Arc::unwrap_or_clone(span.batch);
        if let Some((batch, row)) = given {
            if let Err(problem) = operation.add_to_span(batch, row) {
                spans.release(&[id]);
                return Err(problem.into());
            }
        }
        let duration_ms = started.map_or(0.0, |started| age_ms(started, self.at));
        operation.finish_span(duration_ms);
        self.operations.push((id, operation));
        Ok(duration_ms)
    }

    /// Records them in the order in which they were added, until that fails; says how many are recorded.
    pub fn record(mut self) -> (usize, Result<(), Error>) {
        let operations = std::mem::take(&mut self.operations);
        let durability = self.engine.shared.durability();
        self.engine.record_spans(operations, durability)
    }
}

impl Drop for Finishing<'_> {
    fn drop(&mut self) {
        let ids: Vec<u128> = self.operations.iter().map(|(id, _)| *id).collect();
        self.engine.shared.spans.release(&ids);
    }
}
