//! Journals whose bytes have changed: nothing panics, nothing is invented, and what stands before the damage is kept.

use super::*;
use crate::files::FileLayer;
use proptest::prelude::*;

/// A journal of several small segments: its files, and its frames with the segment that holds each and their ends.
struct Original {
    files: Arc<Files>,
    frames: Vec<(u64, u64, usize)>,
    /// For each frame: the name of its file, and where in it the frame begins and ends.
    places: Vec<(String, usize, usize)>,
}

fn original() -> Original {
    let files = Files::new();
    let (journal, _) = open(&files, 1);
    let mut frames = Vec::new();
    let mut places = Vec::new();
    for (tag, rows) in [2, 1, 3, 9, 1, 2, 2].into_iter().enumerate() {
        let next_seq = append(&journal, tag as u64, rows).unwrap();
        frames.push((next_seq - rows as u64, tag as u64, rows));
        let name = files.names().pop().unwrap();
        let end = files.bytes(&name).len();
        places.push((name, end - frame_bytes(tag as u64, rows), end));
    }
    let files = files.after_kill();
    assert!(files.names().len() >= 2);
    Original {
        files,
        frames,
        places,
    }
}

impl Original {
    /// Recovers with one file changed from byte `at` on, and checks what must hold whatever the change was. Returns
    /// what was read.
    fn recover(&self, name: &str, at: usize, bytes: Vec<u8>) -> (Vec<(u64, u64, usize)>, Recovery) {
        let files = self.files.after_kill();
        files.put(name, bytes);
        let (journal, recovery) = open(&files, 1);
        let mut reader = journal.reader(1);
        let mut read = Vec::new();
        while let Some(pending) = reader.read().unwrap() {
            read.push(checked(&pending));
        }
        // Nothing is invented, nothing comes twice, and the order is kept.
        let mut known = self.frames.iter();
        assert!(
            read.iter().all(|frame| known.any(|k| k == frame)),
            "{read:?}"
        );
        // What stands before the damage is there.
        for (frame, (file, _, end)) in self.frames.iter().zip(&self.places) {
            if file.as_str() < name || (file == name && *end <= at) {
                assert!(read.contains(frame), "{frame:?} before byte {at} of {name}");
            }
        }
        // What is missing is either told or was at the very end.
        let mut next = 1;
        let mut lost = Vec::new();
        for (first_seq, _, rows) in &read {
            if *first_seq > next {
                lost.push(next..*first_seq);
            }
            next = first_seq + *rows as u64;
        }
        assert_eq!(recovery.lost, lost);
        assert_eq!(reader.lost(), lost);
        assert_eq!(recovery.next_seq, next);
        assert_eq!(recovery.frames, read.len() as u64);
        // A second recovery finds the same, and it can be written behind it.
        drop(journal);
        let (journal, again) = open(&files, 1);
        assert_eq!((again.lost.clone(), again.next_seq), (lost, next));
        append(&journal, 1000, 1).unwrap();
        assert_eq!(frames(&journal, next), [(next, 1000, 1)]);
        // Once the store has it all, what is damaged is set aside and the rest is gone.
        journal.release(next + 1).unwrap();
        drop(journal);
        let damaged = files
            .names()
            .iter()
            .filter(|n| n.contains(".damaged-"))
            .count();
        assert_eq!(damaged, files.names().len(), "{:?}", files.names());
        assert_eq!(damaged, recovery.damaged.len());
        (read, recovery)
    }
}

#[test]
fn a_flipped_bit_loses_no_frame_but_its_own_and_those_behind_it_in_the_file() {
    let original = original();
    for name in original.files.names() {
        let bytes = original.files.bytes(&name);
        for at in 0..bytes.len() {
            for bit in [0, 3, 7] {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let (read, recovery) = original.recover(&name, at, changed);
                // Later files lose nothing.
                for (frame, (file, begin, _)) in original.frames.iter().zip(&original.places) {
                    let behind = file.as_str() > name.as_str();
                    let header = at < 40;
                    // A damaged body leaves the frames behind it alone.
                    let other = file == &name && *begin > at && {
                        let hit = original
                            .places
                            .iter()
                            .find(|(f, b, e)| f == &name && *b <= at && at < *e);
                        hit.is_some_and(|(_, begin, _)| at >= begin + 60)
                    };
                    if behind || header || other {
                        assert!(read.contains(frame), "{frame:?}, byte {at} of {name}");
                    }
                }
                let told = recovery.torn_bytes > 0 || !recovery.damaged.is_empty();
                assert!(told, "byte {at} of {name}");
            }
        }
    }
}

#[test]
fn a_file_may_end_anywhere() {
    let original = original();
    for name in original.files.names() {
        let bytes = original.files.bytes(&name);
        for kept in 0..bytes.len() {
            original.recover(&name, kept, bytes[..kept].to_vec());
        }
    }
}

#[test]
fn what_is_put_behind_the_end_changes_nothing() {
    let original = original();
    let all = original.files.names();
    for name in &all {
        let bytes = original.files.bytes(name);
        let frames = &bytes[40..];
        for extra in [
            &[0; 1][..],
            &[0; 4096],
            &[0xFF; 70],
            &frames[..30],
            &frames[..61],
            frames,
        ] {
            let changed = [&bytes, extra].concat();
            let (read, recovery) = original.recover(name, bytes.len(), changed);
            assert_eq!(read, original.frames);
            assert_eq!(recovery.lost, []);
        }
    }
}

#[test]
fn a_segment_that_is_gone_leaves_a_gap_that_is_told() {
    let original = original();
    let files = original.files.after_kill();
    let name = files.names()[1].clone();
    files.remove(&Path::new("dir").join(&name)).unwrap();
    let (journal, recovery) = open(&files, 1);
    let places = original.frames.iter().zip(&original.places);
    let others = places.filter(|(_, (file, _, _))| *file != name);
    let kept: Vec<_> = others.map(|(frame, _)| *frame).collect();
    assert_eq!(frames(&journal, 1), kept);
    assert_eq!(recovery.lost.len(), 1);
    assert_eq!(recovery.damaged, []);
}

#[test]
fn damaged_segments_do_not_pile_up() {
    let files = Files::new();
    let mut next_seq = 1;
    for tag in 0..20 {
        let (journal, _) = open(&files, next_seq);
        append(&journal, tag, 1).unwrap();
        let name = files
            .names()
            .into_iter()
            .find(|name| !name.contains("damaged"))
            .unwrap();
        drop(journal);
        let mut bytes = files.bytes(&name);
        bytes[13] ^= 1;
        files.put(&name, bytes);
        let (journal, recovery) = open(&files, next_seq);
        assert_eq!(recovery.damaged.len(), 1);
        assert_eq!(frames(&journal, next_seq).len(), 1);
        next_seq = recovery.next_seq;
        journal.release(next_seq).unwrap();
    }
    assert_eq!(files.names().len(), crate::files::SET_ASIDE_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn several_changes_at_once_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let original = original();
        let files = original.files.after_kill();
        for (file, at, byte) in changes {
            let names = files.names();
            let name = &names[file.index(names.len())];
            let mut bytes = files.bytes(name);
            let at = at.index(bytes.len());
            match byte % 3 {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            files.put(name, bytes);
        }
        let (journal, recovery) = open(&files, 1);
        let read = frames(&journal, 1);
        let mut known = original.frames.iter();
        prop_assert!(read.iter().all(|frame| known.any(|k| k == frame)));
        prop_assert_eq!(recovery.frames, read.len() as u64);
    }

    #[test]
    fn arbitrary_files_do_no_harm(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        with_header in any::<bool>(),
        next_seq in 0..u64::MAX,
    ) {
        let files = Files::new();
        for (number, content) in contents.iter().enumerate() {
            let number = number as u64 + 1;
            let header = crate::journal::segment::header(number, next_seq, next_seq);
            let header = if with_header { &header[..] } else { &[] };
            files.put(&format!("app.oplog.journal.{number:06}"), [header, content].concat());
        }
        let (journal, recovery) = open(&files, next_seq);
        prop_assert_eq!(frames(&journal, next_seq), []);
        prop_assert_eq!(recovery.next_seq, next_seq);
    }
}
