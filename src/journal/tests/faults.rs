//! Disks that are full, take less than they are given, or fail to sync.

use super::*;
use crate::journal::error::SyncError;
use std::sync::atomic::Ordering;

#[test]
fn short_writes_are_carried_on() {
    let files = Files::new();
    files.faults.short_writes.store(true, Ordering::SeqCst);
    let (journal, _) = open(&files, 1);
    for tag in 0..9 {
        append(&journal, tag, 2).unwrap();
    }
    assert_eq!(frames(&journal, 1).len(), 9);
    let (journal, recovery) = open(&files.after_kill(), 1);
    assert_eq!((recovery.frames, recovery.torn_bytes), (9, 0));
    assert_eq!(frames(&journal, 1).len(), 9);
}

/// For each amount of space that is left when it runs out, within headers and within frames.
#[test]
fn a_full_disk_takes_back_what_it_took_and_goes_on_when_there_is_room() {
    for space in 0..600 {
        for no_truncate in [false, true] {
            let files = Files::new();
            let (journal, _) = open(&files, 1);
            *files.faults.space.lock().unwrap() = Some(space);
            files
                .faults
                .no_truncate
                .store(no_truncate, Ordering::SeqCst);
            let mut taken = Vec::new();
            let error = loop {
                match append(&journal, 100 + taken.len() as u64, 2) {
                    Ok(next_seq) => taken.push((next_seq - 2, 100 + taken.len() as u64, 2)),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, AppendError::File(_)), "{error}");
            assert!(append(&journal, 200, 60).is_err());
            *files.faults.space.lock().unwrap() = None;
            // The seq that was refused is given out again.
            let next_seq = append(&journal, 300, 1).unwrap();
            taken.push((next_seq - 1, 300, 1));
            assert_eq!(frames(&journal, 1), taken, "{space}");
            let on_disk: usize = files
                .names()
                .iter()
                .map(|name| files.bytes(name).len())
                .sum();
            assert_eq!(journal.figures().bytes, on_disk as u64, "{space}");
            files.faults.no_truncate.store(false, Ordering::SeqCst);
            let (journal, recovery) = open(&files.after_kill(), 1);
            assert_eq!(frames(&journal, 1), taken, "{space}");
            assert_eq!(recovery.damaged, [], "{space}");
            assert_eq!(recovery.lost, [], "{space}");
            if !no_truncate {
                assert_eq!(recovery.torn_bytes, 0, "{space}");
            }
        }
    }
}

#[test]
fn a_segment_that_cannot_be_begun_is_tried_again() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    files.faults.no_create.store(true, Ordering::SeqCst);
    let error = append(&journal, 1, 1).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot begin dir/app.oplog.journal.000001"),
        "{error}"
    );
    files.faults.no_create.store(false, Ordering::SeqCst);
    assert_eq!(append(&journal, 1, 1).unwrap(), 2);
}

#[test]
fn a_segment_that_cannot_be_deleted_is_tried_again() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    for tag in 0..12 {
        append(&journal, tag, 2).unwrap();
    }
    let before = journal.figures();
    files.faults.no_remove.store(true, Ordering::SeqCst);
    let error = journal.release(15).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot delete dir/app.oplog.journal.000001"),
        "{error}"
    );
    assert_eq!(journal.figures(), before);
    files.faults.no_remove.store(false, Ordering::SeqCst);
    journal.release(15).unwrap();
    assert!(journal.figures().segments < before.segments);
    assert_eq!(frames(&journal, 15).len(), 5);
}

#[test]
fn a_failed_sync_is_never_made_good_by_the_next() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let safe = append(&journal, 1, 1).unwrap();
    journal.sync_to(safe).unwrap();
    let doubtful = append(&journal, 2, 1).unwrap();
    files.faults.no_sync.store(true, Ordering::SeqCst);
    let error = journal.sync_to(doubtful).unwrap_err();
    assert!(matches!(&error, SyncError::Failed(error) if error.ends_with("the disk is gone")));
    files.faults.no_sync.store(false, Ordering::SeqCst);
    // The kernel would now report success; the journal does not.
    let later = append(&journal, 3, 1).unwrap();
    journal.sync_to(later).unwrap();
    assert_eq!(journal.sync_to(doubtful), Err(error));
    assert_eq!(journal.sync_to(safe), Ok(()));
    assert_eq!(journal.figures().failed_syncs, 1);
    // Until the power goes it is all there, and behind a loss that is told what was synced is there too.
    assert_eq!(frames(&journal, 1).len(), 3);
    let mut random = fastrand::Rng::with_seed(1);
    let (journal, recovery) = open(&files.after_power_loss(&mut random), 1);
    assert_eq!(frames(&journal, 1), [(1, 1, 1), (3, 3, 1)]);
    assert_eq!(recovery.lost, vec![2_u64..3]);
    assert_eq!(recovery.damaged.len(), 1);
}

#[test]
fn what_was_never_appended_cannot_be_synced() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    assert_eq!(journal.sync_to(1), Ok(()));
    assert!(journal.sync_to(2).is_err());
}

#[test]
fn many_failures_are_all_remembered_or_refused() {
    let files = Files::new();
    let (journal, _) = open_with(&files, 1, Limits::default());
    let mut refused = Vec::new();
    for tag in 0..200 {
        files.faults.no_sync.store(tag % 2 == 0, Ordering::SeqCst);
        let position = append(&journal, tag, 1).unwrap();
        if journal.sync_to(position).is_err() {
            refused.push(position);
        }
    }
    assert_eq!(refused.len(), 100);
    assert!(refused
        .iter()
        .all(|position| journal.sync_to(*position).is_err()));
}
