//! The queue by itself; with a writer behind it, it is tested in real engines.

use super::error::Error;
use super::queue::Queue;
use crate::journal::Journal;
use crate::record::{Batch, BatchBuilder, Field, Source, Stamp, Value};
use crate::settings::Durability;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn batch(rows: usize) -> Arc<Batch> {
    let mut builder = BatchBuilder::new(rows);
    for row in 0..rows {
        builder.seek(row);
        builder
            .push(Field::Command, &Value::Text("x".into()))
            .unwrap();
    }
    Arc::new(builder.finish(Source::Record, rows).0.unwrap())
}

fn push(queue: &Queue, rows: usize) -> Result<Stamp, Error> {
    queue.push(batch(rows), Durability::Process, None)
}

const SOON: Duration = Duration::from_millis(10);

#[test]
fn seq_and_ids_rise_without_gaps_over_threads() {
    let queue = Arc::new(Queue::new(1, None));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                for _ in 0..500 {
                    push(&queue, 3).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let taken = queue.take().unwrap();
    let mut next = 1;
    let mut last_id = 0;
    let mut last_time = 0;
    for (stamp, batch) in &taken {
        assert_eq!(stamp.first_seq, next);
        assert!(stamp.ids.id(0) > last_id);
        assert!(stamp.recorded_at_us >= last_time);
        next += batch.rows() as u64;
        last_id = stamp.ids.id(batch.rows() - 1);
        last_time = stamp.recorded_at_us;
    }
    assert_eq!(next, 12_001);
}

#[test]
fn a_batch_is_due_after_the_interval_and_not_before() {
    let queue = Queue::new(1, None);
    let far = Instant::now() + Duration::from_secs(60);
    push(&queue, 1).unwrap();
    let hour = Duration::from_secs(3600);
    assert!(!queue.wait(hour, Instant::now() + SOON).commit);
    assert!(queue.wait(SOON, far).commit);
}

#[test]
fn a_flush_waits_for_the_commit() {
    let queue = Arc::new(Queue::new(1, None));
    push(&queue, 2).unwrap();
    let flusher = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || queue.flush())
    };
    let hour = Duration::from_secs(3600);
    assert!(queue.wait(hour, Instant::now() + hour).commit);
    let taken = queue.take().unwrap();
    queue.committed(taken);
    assert_eq!(flusher.join().unwrap().unwrap(), 2);
    assert_eq!(queue.flush().unwrap(), 0);
    assert_eq!(queue.figures().bytes, 0);
}

#[test]
fn a_failed_commit_keeps_the_order_and_tells_those_who_wait() {
    let queue = Arc::new(Queue::new(1, None));
    push(&queue, 1).unwrap();
    let flusher = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || queue.flush())
    };
    let hour = Duration::from_secs(3600);
    assert!(queue.wait(hour, Instant::now() + hour).commit);
    let taken = queue.take().unwrap();
    push(&queue, 1).unwrap();
    queue.failed(taken, "no space");
    assert!(flusher
        .join()
        .unwrap()
        .unwrap_err()
        .to_string()
        .ends_with("no space"));
    let seqs: Vec<u64> = queue
        .take()
        .unwrap()
        .iter()
        .map(|(stamp, _)| stamp.first_seq)
        .collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn nothing_is_accepted_and_nobody_waits_once_the_writer_is_gone() {
    let queue = Queue::new(1, None);
    push(&queue, 1).unwrap();
    queue.stop("it is over");
    assert!(queue
        .flush()
        .unwrap_err()
        .to_string()
        .ends_with("it is over"));
    assert!(push(&queue, 1)
        .unwrap_err()
        .to_string()
        .ends_with("it is over"));
}

#[test]
fn what_a_journal_has_lost_at_its_end_is_not_waited_for() {
    let directory = std::env::temp_dir().join(format!("oplog-queue-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let log = directory.join("app.oplog");
    let open = || {
        let (journal, recovery) =
            Journal::open(&log, 1, crate::journal::Limits::default()).unwrap();
        (Queue::new(1, Some((journal, recovery.next_seq))), recovery)
    };
    let (queue, _) = open();
    for _ in 0..3 {
        push(&queue, 2).unwrap();
    }
    queue.stop("killed");
    drop(queue);
    // The last byte of the last frame's body.
    let segment = log.with_file_name("app.oplog.journal.000001");
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let (queue, recovery) = open();
    assert_eq!(recovery.rows, 4);
    queue.committed(queue.take().unwrap());
    assert_eq!(queue.committed_seq(), queue.next_seq());
    assert!(queue.is_empty());
    drop(queue);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn without_a_journal_the_writer_takes_a_part_at_a_time_and_comes_back_for_the_rest() {
    let queue = Queue::new(1, None);
    let batches = 120;
    let waiting = batch(2000);
    for _ in 0..batches {
        queue
            .push(Arc::clone(&waiting), Durability::Memory, None)
            .unwrap();
    }
    let hour = Duration::from_secs(3600);
    let mut next_seq = 1;
    for rows in [100_000, 100_000, 40_000] {
        // They are due since the oldest was, whichever is the oldest now.
        assert!(queue.wait(SOON / 10, Instant::now() + hour).commit);
        let taken = queue.take().unwrap();
        assert_eq!(taken[0].0.first_seq, next_seq);
        assert_eq!(taken.len() * 2000, rows);
        next_seq += rows as u64;
        queue.committed(taken);
        assert_eq!(queue.committed_seq(), next_seq);
    }
    assert!(queue.is_empty());
    assert!(!queue.wait(SOON, Instant::now() + SOON).commit);
}
