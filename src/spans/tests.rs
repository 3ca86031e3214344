//! Spans and their file, against files that fail, lose power and are damaged: see `journal::tests::simulated`.

mod corruption;

use super::*;
use crate::files::simulated::Files;
use crate::record::{BatchBuilder, Field, IdGenerator, Phase, Source, Value};
use crate::settings::Durability;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;

const SIDECAR: &str = "dir/app.oplog";
const FILE: &str = "app.oplog.journal.spans";

/// Spans with rising ids, told from each other by `rows_affected`.
fn spans(numbers: std::ops::Range<i128>) -> Vec<Started> {
    let mut ids = IdGenerator::new();
    numbers
        .map(|number| {
            let mut builder = BatchBuilder::new(1).at(Phase::SpanStart);
            for (field, value) in [
                (Field::Command, Value::Text("import".into())),
                (Field::RowsAffected, Value::Integer(number)),
            ] {
                builder.push(field, &value).unwrap();
            }
            let batch = builder.finish(Source::Record, 1).0.unwrap();
            // A millisecond each: ids within one would begin anywhere.
            let at_us = 1_700_000_000_000_000 + number as i64 * 1000;
            Started {
                id: ids.take(at_us, 1).id(0),
                started_at_us: at_us,
                batch: Arc::new(batch.span(0)),
            }
        })
        .collect()
}

fn open(files: &Arc<Files>) -> (SpanFile, Orphans) {
    SpanFile::open_in(files.clone(), Path::new(SIDECAR)).unwrap()
}

fn begin(files: &Arc<Files>) -> Spans {
    let (file, found) = open(files);
    Spans::new(Some(file), found.interrupted)
}

fn finish(spans: &Spans, id: u128) {
    assert!(spans.claim(id).is_some());
    spans.end(&[id]).unwrap();
}

fn running(spans: &Spans) -> Vec<u128> {
    spans.running().iter().map(|span| span.id).collect()
}

/// What the next process finds.
fn found_after_kill(files: &Arc<Files>) -> Vec<Started> {
    open(&files.after_kill()).1.interrupted
}

#[test]
fn a_span_runs_from_its_start_to_its_end() {
    let spans_ = spans(0..3);
    let spans = Spans::default();
    spans.start(&spans_, Durability::Process).unwrap();
    assert_eq!(running(&spans), [spans_[0].id, spans_[1].id, spans_[2].id]);
    let claimed = spans.claim(spans_[1].id).unwrap();
    assert_eq!(claimed.span, spans_[1]);
    assert!(
        spans.claim(spans_[1].id).is_none(),
        "one caller finishes it"
    );
    spans.release(&[spans_[1].id]);
    finish(&spans, spans_[1].id);
    assert!(spans.claim(spans_[1].id).is_none(), "it has ended");
    assert!(spans.claim(7).is_none());
    assert_eq!(running(&spans), [spans_[0].id, spans_[2].id]);
    let claimed = spans.claim_all(true);
    assert_eq!(claimed.len(), 2);
    spans.end(&[spans_[0].id, spans_[2].id]).unwrap();
    assert_eq!(spans.figures(), SpanFigures::default());
}

#[test]
fn what_runs_is_found_when_its_process_is_gone() {
    let files = Files::new();
    let all = spans(0..5);
    let spans = begin(&files);
    spans.start(&all[..3], Durability::Process).unwrap();
    spans.start(&all[3..], Durability::Process).unwrap();
    assert_eq!(found_after_kill(&files), all);
    finish(&spans, all[1].id);
    let left = [&all[0], &all[2], &all[3], &all[4]].map(Clone::clone);
    assert_eq!(found_after_kill(&files), left);
    // The next process has them, but they do not run in it.
    let next = begin(&files.after_kill());
    assert_eq!(running(&next), []);
    assert!(next.claim(all[0].id).is_none());
    assert_eq!(next.claim_all(false).len(), 4);
}

#[test]
fn a_file_without_spans_does_not_stay() {
    let files = Files::new();
    let all = spans(0..2);
    let spans = begin(&files);
    spans.start(&all, Durability::Process).unwrap();
    finish(&spans, all[0].id);
    finish(&spans, all[1].id);
    assert_eq!(found_after_kill(&files), []);
    spans.close().unwrap();
    assert_eq!(files.names(), [""; 0]);
}

#[test]
fn with_memory_there_is_no_file() {
    let files = Files::new();
    let all = spans(0..1);
    let spans = begin(&files);
    spans.start(&all, Durability::Memory).unwrap();
    assert_eq!(files.names(), [""; 0]);
    finish(&spans, all[0].id);
    assert_eq!(files.names(), [""; 0]);
}

#[test]
fn no_more_than_the_limit_run() {
    let all = spans(0..SPANS_MAX as i128 + 1);
    let spans = Spans::default();
    spans
        .start(&all[..SPANS_MAX - 1], Durability::Process)
        .unwrap();
    let refused = spans.start(&all[SPANS_MAX - 1..], Durability::Process);
    assert!(refused
        .unwrap_err()
        .to_string()
        .starts_with("9999 spans are running, and 10000 is the limit: finish some"));
    spans
        .start(&all[SPANS_MAX - 1..SPANS_MAX], Durability::Process)
        .unwrap();
    finish(&spans, all[5].id);
    spans.start(&all[SPANS_MAX..], Durability::Process).unwrap();
    assert_eq!(spans.figures().running, SPANS_MAX);
}

#[test]
fn the_file_stays_small_while_spans_come_and_go() {
    let files = Files::new();
    let all = spans(0..20_000);
    let spans = begin(&files);
    spans.start(&all[..1], Durability::Process).unwrap();
    for span in &all[1..] {
        spans
            .start(std::slice::from_ref(span), Durability::Process)
            .unwrap();
        finish(&spans, span.id);
        assert!(files.bytes(FILE).len() <= 1100 * 1024);
    }
    assert_eq!(found_after_kill(&files), all[..1]);
    finish(&spans, all[0].id);
    assert_eq!(files.names(), [""; 0]);
}

#[test]
fn a_torn_end_takes_nothing_else_with_it() {
    let files = Files::new();
    let all = spans(0..3);
    let spans = begin(&files);
    let mut ends = Vec::new();
    for span in &all {
        spans
            .start(std::slice::from_ref(span), Durability::Process)
            .unwrap();
        ends.push(files.bytes(FILE).len());
    }
    let bytes = files.bytes(FILE);
    for cut in 0..=bytes.len() {
        let files = Files::new();
        files.put(FILE, bytes[..cut].to_vec());
        let (file, found) = open(&files);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(found.interrupted, all[..whole], "cut at {cut}");
        assert_eq!(found.note, None, "cut at {cut}");
        // It goes on behind what is whole.
        let spans = Spans::new(Some(file), found.interrupted);
        let more = super::tests::spans(10..11);
        spans.start(&more, Durability::Process).unwrap();
        let after = found_after_kill(&files);
        assert_eq!(after.len(), whole + 1, "cut at {cut}");
        assert_eq!(after[whole], more[0]);
    }
}

#[test]
fn a_newer_format_is_left_alone() {
    let files = Files::new();
    let mut header = b"oplogspn\x02\0\0\0".to_vec();
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    files.put(FILE, header.clone());
    let opened = SpanFile::open_in(files.clone(), Path::new(SIDECAR));
    assert!(opened.is_err());
    assert_eq!(files.bytes(FILE), header);
}

#[test]
fn a_full_disk_is_an_error_and_nothing_has_started() {
    let files = Files::new();
    let all = spans(0..3);
    let spans = begin(&files);
    spans.start(&all[..1], Durability::Process).unwrap();
    *files.faults.space.lock().unwrap() = Some(10);
    assert!(spans.start(&all[1..2], Durability::Process).is_err());
    assert_eq!(running(&spans), [all[0].id]);
    // Even where what was written cannot be taken back.
    files.faults.no_truncate.store(true, SeqCst);
    assert!(spans.start(&all[1..2], Durability::Process).is_err());
    assert_eq!(found_after_kill(&files), all[..1]);
    *files.faults.space.lock().unwrap() = None;
    spans.start(&all[1..], Durability::Process).unwrap();
    assert_eq!(found_after_kill(&files), all);
}

#[test]
fn an_end_that_cannot_be_written_is_made_up_for() {
    let files = Files::new();
    let all = spans(0..3);
    let spans = begin(&files);
    spans.start(&all[..2], Durability::Process).unwrap();
    *files.faults.space.lock().unwrap() = Some(0);
    assert!(spans.claim(all[0].id).is_some());
    assert!(spans.end(&[all[0].id]).is_err());
    assert_eq!(running(&spans), [all[1].id]);
    *files.faults.space.lock().unwrap() = None;
    spans.start(&all[2..], Durability::Process).unwrap();
    assert_eq!(found_after_kill(&files), all[1..]);
}

#[test]
fn with_os_a_started_span_survives_a_power_loss() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let files = Files::new();
        let all = spans(0..6);
        let spans = begin(&files);
        spans.start(&all[..4], Durability::Os).unwrap();
        finish(&spans, all[0].id);
        spans.start(&all[4..], Durability::Os).unwrap();
        let found = open(&files.after_power_loss(&mut random)).1.interrupted;
        for span in &all[1..] {
            assert!(found.contains(span), "seed {seed}");
        }
    }
}

#[test]
fn a_sync_that_fails_refuses_the_span() {
    let files = Files::new();
    let all = spans(0..2);
    let spans = begin(&files);
    spans.start(&all[..1], Durability::Os).unwrap();
    files.faults.no_sync.store(true, SeqCst);
    let refused = spans.start(&all[1..], Durability::Os).unwrap_err();
    assert!(
        refused.to_string().contains("the disk is gone"),
        "{refused}"
    );
    assert_eq!(running(&spans), [all[0].id]);
    files.faults.no_sync.store(false, SeqCst);
    spans.start(&all[1..], Durability::Os).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let found = open(&files.after_power_loss(&mut random)).1.interrupted;
    assert_eq!(found, all);
}

#[test]
fn spans_go_with_a_log_that_moves() {
    let (old, new) = (Files::new(), Files::new());
    let all = spans(0..4);
    let left = begin(&new);
    left.start(&all[3..], Durability::Process).unwrap();
    let spans = begin(&old);
    spans.start(&all[..2], Durability::Memory).unwrap();
    spans.start(&all[2..3], Durability::Process).unwrap();
    let (file, found) = open(&new);
    spans
        .move_to(Some(file), found.interrupted, Durability::Process)
        .unwrap();
    assert_eq!(old.names(), [""; 0]);
    assert_eq!(found_after_kill(&new), all);
    assert_eq!(running(&spans), [all[0].id, all[1].id, all[2].id]);
    assert_eq!(spans.claim_all(false).len(), 1);
    spans.end(&[all[3].id]).unwrap();
    finish(&spans, all[0].id);
    assert_eq!(found_after_kill(&new), all[1..3]);
}
