//! What the journal does when nothing fails.

use super::*;
use crate::journal::error::OpenError;
use std::sync::atomic::Ordering;

#[test]
fn what_is_appended_is_read_back_in_order() {
    let files = Files::new();
    let (journal, recovery) = open(&files, 1);
    assert_eq!(
        recovery,
        Recovery {
            next_seq: 1,
            ..Recovery::default()
        }
    );
    assert_eq!(append(&journal, 10, 3).unwrap(), 4);
    assert_eq!(append(&journal, 11, 1).unwrap(), 5);
    assert_eq!(frames(&journal, 1), [(1, 10, 3), (4, 11, 1)]);
    assert_eq!(frames(&journal, 4), [(4, 11, 1)]);
    assert_eq!(frames(&journal, 5), []);
}

#[test]
fn a_frame_costs_one_write() {
    let files = Files::new();
    let (journal, _) = open_with(&files, 1, Limits::default());
    append(&journal, 1, 1).unwrap();
    let before = files.writes.load(Ordering::SeqCst);
    append(&journal, 2, 500).unwrap();
    assert_eq!(files.writes.load(Ordering::SeqCst), before + 1);
}

#[test]
fn a_buffer_serves_one_frame_after_the_other() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let mut buffer = Vec::new();
    let mut next_seq = 1;
    for (tag, rows) in [(1, 9), (2, 1), (3, 4)] {
        let mut frame = Frame::new(&batch(tag, rows), buffer);
        assert_eq!(frame.len(), frame_bytes(tag, rows));
        next_seq = journal.append(&mut frame, &stamp(next_seq)).unwrap();
        buffer = frame.into_buffer();
    }
    assert_eq!(frames(&journal, 1), [(1, 1, 9), (10, 2, 1), (11, 3, 4)]);
}

#[test]
fn a_journal_that_nobody_uses_leaves_no_file() {
    let files = Files::new();
    drop(open(&files, 1));
    assert_eq!(files.names(), [""; 0]);
}

#[test]
fn segments_follow_each_other_and_go_when_the_store_has_them() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    for tag in 0..12 {
        append(&journal, tag, 2).unwrap();
    }
    let segments = files.names().len();
    assert!(segments >= 3, "{:?}", files.names());
    assert_eq!(journal.figures().segments, segments as u64);
    let on_disk: usize = files
        .names()
        .iter()
        .map(|name| files.bytes(name).len())
        .sum();
    assert_eq!(journal.figures().bytes, on_disk as u64);
    journal.release(9).unwrap();
    assert!(files.names().len() < segments);
    assert_eq!(frames(&journal, 9).len(), 8);
    journal.release(25).unwrap();
    append(&journal, 99, 2).unwrap();
    assert_eq!(frames(&journal, 25), [(25, 99, 2)]);
    journal.release(27).unwrap();
    drop(journal);
    assert_eq!(files.names(), [""; 0]);
}

#[test]
fn what_is_not_released_is_there_for_the_next_one() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    for tag in 0..12 {
        append(&journal, tag, 2).unwrap();
    }
    drop(journal);
    // The store has committed a part of a segment.
    let (journal, recovery) = open(&files, 7);
    assert_eq!(
        (recovery.frames, recovery.rows, recovery.next_seq),
        (9, 18, 25)
    );
    assert_eq!(recovery.lost, []);
    let read = frames(&journal, 7);
    assert_eq!((read[0], read.len()), ((7, 3, 2), 9));
    append(&journal, 50, 1).unwrap();
    assert_eq!(frames(&journal, 25), [(25, 50, 1)]);
    drop(journal);
    // Again, with nothing committed in between.
    let (journal, recovery) = open(&files, 7);
    assert_eq!((recovery.frames, recovery.next_seq), (10, 26));
    assert_eq!(frames(&journal, 7).len(), 10);
}

#[test]
fn a_second_journal_is_refused_until_the_first_is_gone() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let again = || Journal::open_in(files.clone(), Path::new(SIDECAR), 1, small());
    assert!(matches!(again(), Err(OpenError::Held { .. })));
    drop(journal);
    assert!(again().is_ok());
}

#[test]
fn a_full_journal_says_so_and_goes_on_when_there_is_room() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let mut appended = 0;
    let full = loop {
        match append(&journal, appended, 2) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, AppendError::Full { limit: 4000, .. }),
        "{full}"
    );
    let figures = journal.figures();
    assert!(figures.bytes <= 4000 && figures.bytes > 3500, "{figures:?}");
    assert_eq!(figures.next_seq, 1 + 2 * appended);
    journal.release(figures.next_seq - 2).unwrap();
    append(&journal, 77, 2).unwrap();
    assert_eq!(
        frames(&journal, figures.next_seq),
        [(figures.next_seq, 77, 2)]
    );
}

#[test]
fn a_frame_that_no_journal_holds_is_refused_and_a_large_one_gets_its_own_segment() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    append(&journal, 1, 1).unwrap();
    let error = append(&journal, 2, 1000).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
    append(&journal, 3, 60).unwrap();
    append(&journal, 4, 1).unwrap();
    assert_eq!(frames(&journal, 1), [(1, 1, 1), (2, 3, 60), (62, 4, 1)]);
    assert_eq!(journal.figures().segments, 3);
}

#[test]
fn a_stamp_that_does_not_continue_the_log_is_refused() {
    let files = Files::new();
    let (journal, _) = open(&files, 5);
    for wrong in [1, 4, 6] {
        let mut frame = Frame::new(&batch(1, 1), Vec::new());
        let error = journal.append(&mut frame, &stamp(wrong)).unwrap_err();
        assert!(matches!(error, AppendError::OutOfOrder { expected: 5, .. }));
    }
    assert_eq!(append(&journal, 1, 1).unwrap(), 6);
}

#[test]
fn a_forked_child_writes_and_deletes_nothing() {
    let files = Files::new();
    let (mut journal, _) = open(&files, 1);
    append(&journal, 1, 1).unwrap();
    let before = files.bytes("app.oplog.journal.000001");
    journal.pretend_forked();
    let mut frame = Frame::new(&batch(2, 1), Vec::new());
    let error = journal.append(&mut frame, &stamp(2)).unwrap_err();
    assert!(error.to_string().contains("from which this one was forked"));
    assert!(journal.sync_to(2).is_err());
    assert!(journal.reader(1).read().is_err());
    journal.release(2).unwrap();
    drop(journal);
    assert_eq!(files.bytes("app.oplog.journal.000001"), before);
}

#[test]
fn a_reader_follows_the_journal_over_segments() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let mut reader = journal.reader(1);
    assert!(reader.read().unwrap().is_none());
    let mut next = 1;
    for tag in 0..30 {
        next = append(&journal, tag, 2).unwrap();
        if tag % 3 == 0 {
            while let Some(pending) = reader.read().unwrap() {
                let (first_seq, tag, _) = checked(&pending);
                assert_eq!(first_seq, 1 + 2 * tag);
            }
            assert_eq!(reader.next_seq(), next);
            journal.release(next.saturating_sub(4)).unwrap();
        }
    }
    // What comes from elsewhere is passed by.
    reader.skip_to(next - 2);
    assert_eq!(checked(&reader.read().unwrap().unwrap()), (next - 2, 29, 2));
    assert!(reader.read().unwrap().is_none());
    assert_eq!(reader.lost(), []);
}

#[test]
fn a_reader_begins_where_the_store_is_even_if_asked_for_less() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    for tag in 0..12 {
        append(&journal, tag, 2).unwrap();
    }
    journal.release(9).unwrap();
    let mut reader = journal.reader(1);
    assert_eq!(checked(&reader.read().unwrap().unwrap()), (9, 4, 2));
    assert_eq!(reader.lost(), []);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    for tag in 0..8 {
        append(&journal, tag, 2).unwrap();
    }
    drop(journal);
    let mut newer = files.bytes("app.oplog.journal.000002");
    newer[8] = 2;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&newer[..12]), &newer[16..40]);
    newer[12..16].copy_from_slice(&checksum.to_le_bytes());
    files.put("app.oplog.journal.000002", newer.clone());
    // A torn end elsewhere is not cut either.
    let mut torn = files.bytes("app.oplog.journal.000001");
    torn.push(0);
    files.put("app.oplog.journal.000001", torn.clone());
    let names = files.names();
    let Err(error) = Journal::open_in(files.clone(), Path::new(SIDECAR), 1, small()) else {
        panic!("it was opened");
    };
    assert!(error.to_string().contains("journal format 2"), "{error}");
    assert_eq!(files.names(), names);
    assert_eq!(files.bytes("app.oplog.journal.000001"), torn);
    assert_eq!(files.bytes("app.oplog.journal.000002"), newer);
}

#[test]
fn what_is_not_to_be_journaled_is_no_loss() {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let mut reader = journal.reader(1);
    append(&journal, 1, 2).unwrap();
    journal.skip_to(2);
    append(&journal, 2, 1).unwrap();
    journal.skip_to(10);
    journal.skip_to(12);
    assert_eq!(journal.figures().next_seq, 12);
    append(&journal, 3, 1).unwrap();
    append(&journal, 4, 1).unwrap();
    journal.skip_to(20);
    append(&journal, 5, 1).unwrap();
    let expected = [(1, 1, 2), (3, 2, 1), (12, 3, 1), (13, 4, 1), (20, 5, 1)];
    assert_eq!(frames(&journal, 1), expected);
    while reader.read().unwrap().is_some() {}
    assert_eq!(reader.lost(), []);
    drop(journal);
    let (journal, recovery) = open(&files, 1);
    assert_eq!((recovery.lost, recovery.damaged), (vec![], vec![]));
    assert_eq!((recovery.frames, recovery.next_seq), (5, 21));
    assert_eq!(frames(&journal, 1), expected);
    drop(journal);
    // What was journaled before and is lost is told all the same.
    let first = files.bytes("app.oplog.journal.000001");
    let kept = first.len() - frame_bytes(2, 1);
    files.put("app.oplog.journal.000001", first[..kept].to_vec());
    let (journal, recovery) = open(&files, 1);
    assert_eq!(recovery.lost, vec![3_u64..4]);
    let mut reader = journal.reader(1);
    while reader.read().unwrap().is_some() {}
    assert_eq!(reader.lost(), vec![3_u64..4]);
    drop(journal);
    // The store may be anywhere in between.
    for store_seq in [4, 7, 12] {
        let (_, recovery) = open(&files, store_seq);
        assert_eq!((recovery.lost, recovery.frames), (vec![], 3));
    }
}
