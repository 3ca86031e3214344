//! Files of spans whose bytes have changed: nothing panics, no span is invented, and what is not hit is found.

use super::*;
use proptest::prelude::*;

const HEADER_BYTES: usize = 16;

/// A file in which spans 0 to 5 started, and 1 and 4 ended.
struct Original {
    bytes: Vec<u8>,
    spans: Vec<Started>,
    /// For each frame: where it begins and ends, and the number of the span that it starts; none if it ends one.
    frames: Vec<(usize, usize, Option<usize>)>,
}

fn original() -> Original {
    let files = Files::new();
    let all = spans(0..6);
    let running = begin(&files);
    let mut frames = Vec::new();
    let mut end = HEADER_BYTES;
    let mut note = |files: &Arc<Files>, what| {
        let begin = std::mem::replace(&mut end, files.bytes(FILE).len());
        frames.push((begin, end, what));
    };
    for (number, span) in all.iter().enumerate() {
        let span = std::slice::from_ref(span);
        running.start(span, Durability::Process).unwrap();
        note(&files, Some(number));
        if let 2 | 5 = number {
            finish(&running, all[number - 1].id);
            note(&files, None);
        }
    }
    Original {
        bytes: files.bytes(FILE),
        spans: all,
        frames,
    }
}

/// What must hold whatever the bytes are; returns the numbers of the spans that are found, and whether damage is noted.
fn recover(original: &Original, bytes: Vec<u8>) -> (Vec<usize>, bool) {
    let files = Files::new();
    files.put(FILE, bytes.clone());
    let (file, found) = open(&files);
    let number_of = |span: &Started| {
        let known = original.spans.iter().position(|known| known == span);
        known.unwrap_or_else(|| panic!("invented: {span:?}"))
    };
    let numbers: Vec<usize> = found.interrupted.iter().map(number_of).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let noted = found.note.is_some();
    // It goes on from there, and what was damaged is kept.
    let spans = Spans::new(Some(file), found.interrupted);
    let more = super::spans(10..11);
    spans.start(&more, Durability::Process).unwrap();
    let after = found_after_kill(&files);
    assert_eq!(after.len(), numbers.len() + 1);
    assert_eq!(after.last(), more.last());
    let mut aside = files.names();
    aside.retain(|name| name.contains(".damaged-"));
    assert_eq!(aside.len(), usize::from(noted));
    assert!(aside.iter().all(|name| files.bytes(name) == bytes));
    (numbers, noted)
}

impl Original {
    /// The spans that run where only these frames are read.
    fn running(&self, is_read: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let mut running = Vec::new();
        for (begin, end, starts) in &self.frames {
            match starts {
                _ if !is_read(*begin, *end) => {}
                Some(number) => running.push(*number),
                // The one before the last that was started.
                None => {
                    let started = self.frames.iter().filter(|f| f.0 < *begin);
                    let last = started.filter_map(|f| f.2).max().unwrap();
                    running.retain(|number| *number != last - 1);
                }
            }
        }
        running
    }
}

#[test]
fn it_is_what_the_other_tests_think_it_is() {
    let original = original();
    assert_eq!(original.frames.len(), 8);
    assert_eq!(original.running(|_, _| true), [0, 2, 3, 5]);
    let recovered = recover(&original, original.bytes.clone());
    assert_eq!(recovered, (vec![0, 2, 3, 5], false));
}

#[test]
fn a_changed_byte_costs_the_frame_that_it_is_in_and_no_other() {
    let original = original();
    let last = original.frames.last().unwrap().0;
    for at in 0..original.bytes.len() {
        // Among them single bits, lengths that are too short, and lengths that lead to other frames.
        for change in (0..8).map(|bit| 1 << bit).chain([0x41, 0xFF]) {
            let mut bytes = original.bytes.clone();
            bytes[at] ^= change;
            let (found, noted) = recover(&original, bytes);
            if at < HEADER_BYTES {
                assert_eq!((found.as_slice(), noted), ([].as_slice(), true));
                continue;
            }
            let expected = original.running(|begin, end| at < begin || at >= end);
            assert_eq!(found, expected, "byte {at} ^ {change:#x}");
            // Nothing follows the last one, so its damage looks like a torn end.
            assert_eq!(noted, at < last, "byte {at} ^ {change:#x}");
        }
    }
}

#[test]
fn a_cut_end_costs_what_was_cut_and_is_no_damage() {
    let original = original();
    for cut in 0..=original.bytes.len() {
        let found = recover(&original, original.bytes[..cut].to_vec());
        let expected = original.running(|_, end| end <= cut);
        assert_eq!(found, (expected, false), "cut at {cut}");
    }
}

#[test]
fn what_is_put_behind_the_end_changes_nothing() {
    let original = original();
    for more in [vec![0; 100], vec![1; 100], vec![0xFF; 9], vec![7]] {
        let found = recover(&original, [original.bytes.clone(), more].concat());
        assert_eq!(found, (vec![0, 2, 3, 5], false));
    }
}

#[test]
fn bytes_that_are_missing_or_too_many_cost_the_frame_that_they_are_in_and_no_other() {
    let original = original();
    let last = original.frames.last().unwrap().0;
    let check = |bytes: Vec<u8>, what: &str| {
        // Where equal bytes are next to each other, a frame may be whole all the same.
        let expected = original.running(|begin, end| {
            let frame = &original.bytes[begin..end];
            bytes.windows(frame.len()).any(|window| window == frame)
        });
        assert!(expected.len() >= 2, "{what}");
        assert_eq!(recover(&original, bytes), (expected, true), "{what}");
    };
    for at in HEADER_BYTES..last - 7 {
        let (before, behind) = original.bytes.split_at(at);
        for count in [1, 2, 7] {
            check(
                [before, &behind[count..]].concat(),
                &format!("{count} gone at {at}"),
            );
            let more = [before, &[0x5A; 7][..count], behind].concat();
            check(more, &format!("{count} more at {at}"));
        }
    }
}

#[test]
fn a_text_that_looks_like_a_frame_is_none_where_the_length_leads_on() {
    // Of a frame whose bytes are all text: the checksum is searched for.
    let forged = (0..)
        .map(|n| 1_700_000_000_000_000 + n * 1000)
        .find_map(|at_us| {
            let mut batch = spans(0..1)[0].batch.as_ref().clone();
            batch.set_text(Field::Command, "forged");
            let id = IdGenerator::new().take(at_us, 1).id(0)
                & !0x8080_8080_8080_8080_8080_8080_8080_8080;
            let frame = started(&Started {
                id,
                started_at_us: at_us & 0x7F7F_7F7F_7F7F_7F7F,
                batch: Arc::new(batch),
            });
            String::from_utf8(frame).ok()
        })
        .unwrap();
    let mut carrier = spans(0..1)[0].clone();
    let mut batch = carrier.batch.as_ref().clone();
    batch.set_text(Field::ErrorMessage, &forged);
    carrier.batch = Arc::new(batch);
    let files = Files::new();
    let running = begin(&files);
    let next = spans(5..6);
    running.start(&[carrier], Durability::Process).unwrap();
    running.start(&next, Durability::Process).unwrap();
    let mut bytes = files.bytes(FILE);
    let alone = Files::new();
    alone.put(FILE, [&bytes[..HEADER_BYTES], forged.as_bytes()].concat());
    assert_eq!(open(&alone).1.interrupted.len(), 1);
    // In its body, before that text.
    bytes[HEADER_BYTES + 30] ^= 1;
    files.put(FILE, bytes);
    assert_eq!(open(&files).1.interrupted, next);
}

proptest! {
    #[test]
    fn whatever_happens_nothing_is_invented(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4_usize), 1..12)
    ) {
        let original = original();
        let mut bytes = original.bytes.clone();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes.insert(at, byte),
                1 if bytes.len() > 1 => {
                    bytes.remove(at);
                }
                2 => bytes.rotate_left(at),
                _ => bytes[at] = byte,
            }
        }
        recover(&original, bytes);
    }
}
