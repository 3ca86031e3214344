//! Many threads that append, sync and read at once.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;

const THREADS: u64 = 8;

/// Threads record as the queue lets them: the place and the append under one lock, the sync outside of it. `sync`
/// decides how often the disk fails. Returns each frame with what its sync said.
fn record(
    files: &Arc<Files>,
    journal: &Journal,
    each: u64,
    failing: bool,
) -> Vec<((u64, u64, usize), bool)> {
    let place = Mutex::new(1_u64);
    let acknowledged = Mutex::new(Vec::new());
    let done = AtomicBool::new(false);
    let read = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let recorders: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (place, acknowledged) = (&place, &acknowledged);
                scope.spawn(move || {
                    for number in 0..each {
                        let tag = thread * each + number;
                        let rows = 1 + tag as usize % 3;
                        let mut frame = Frame::new(&batch(tag, rows), Vec::new());
                        let mut next = place.lock().unwrap();
                        let first_seq = *next;
                        *next = journal.append(&mut frame, &stamp(first_seq)).unwrap();
                        let position = *next;
                        drop(next);
                        let synced = journal.sync_to(position).is_ok();
                        let frame = (first_seq, tag, rows);
                        acknowledged.lock().unwrap().push((frame, synced));
                    }
                })
            })
            .collect();
        if failing {
            scope.spawn(|| {
                let mut random = fastrand::Rng::with_seed(7);
                while !done.load(Ordering::SeqCst) {
                    files
                        .faults
                        .no_sync
                        .store(random.u8(..) < 64, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                files.faults.no_sync.store(false, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            let mut reader = journal.reader(1);
            let mut next_seq = 1;
            loop {
                let last_look = done.load(Ordering::SeqCst);
                while let Some(pending) = reader.read().unwrap() {
                    let (first_seq, _, rows) = checked(&pending);
                    assert_eq!(first_seq, next_seq);
                    next_seq += rows as u64;
                    read.fetch_add(1, Ordering::SeqCst);
                }
                if last_look {
                    break;
                }
                std::thread::yield_now();
            }
        });
        for recorder in recorders {
            recorder.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(read.into_inner(), THREADS * each);
    acknowledged.into_inner().unwrap()
}

fn roomy() -> Limits {
    Limits {
        segment_bytes: 20_000,
        total_bytes: 10_000_000,
    }
}

#[test]
fn what_threads_sync_together_is_on_disk() {
    let files = Files::new();
    let (journal, _) = open_with(&files, 1, roomy());
    let acknowledged = record(&files, &journal, 200, false);
    assert!(acknowledged.iter().all(|(_, synced)| *synced));
    // With nothing but what was synced, all of it is there.
    let mut random = fastrand::Rng::with_seed(3);
    let (journal, recovery) = open_with(&files.after_power_loss(&mut random), 1, roomy());
    assert_eq!(recovery.lost, []);
    let mut expected: Vec<_> = acknowledged.into_iter().map(|(frame, _)| frame).collect();
    expected.sort_unstable();
    assert_eq!(frames(&journal, 1), expected);
}

#[test]
fn nobody_is_told_that_a_failed_sync_succeeded() {
    for seed in 0..5 {
        let files = Files::new();
        let (journal, _) = open_with(&files, 1, roomy());
        let acknowledged = record(&files, &journal, 60, true);
        let mut random = fastrand::Rng::with_seed(seed);
        let (journal, _) = open_with(&files.after_power_loss(&mut random), 1, roomy());
        let read = frames(&journal, 1);
        for (frame, synced) in &acknowledged {
            assert!(!synced || read.contains(frame), "{frame:?}");
        }
        let mut known: Vec<_> = acknowledged.into_iter().map(|(frame, _)| frame).collect();
        known.sort_unstable();
        let mut known = known.into_iter();
        assert!(read.iter().all(|frame| known.any(|k| k == *frame)));
    }
}
