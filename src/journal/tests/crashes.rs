//! Random lives of a journal, with kills, power losses and failing disks, against a model of what must be there.

use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Debug)]
enum Event {
    Append(usize),
    Sync,
    /// The store commits so many frames, and the journal releases them.
    Commit(usize),
    Kill,
    PowerLoss(u64),
    Space(Option<usize>),
    ShortWrites(bool),
    NoTruncate(bool),
    NoSync(bool),
    NoRemove(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (1..5_usize).prop_map(Event::Append),
        1 => Just(Event::Append(40)),
        4 => Just(Event::Sync),
        3 => (0..4_usize).prop_map(Event::Commit),
        1 => Just(Event::Kill),
        1 => any::<u64>().prop_map(Event::PowerLoss),
        1 => prop::option::of(0..400_usize).prop_map(Event::Space),
        1 => any::<bool>().prop_map(Event::ShortWrites),
        1 => any::<bool>().prop_map(Event::NoTruncate),
        1 => any::<bool>().prop_map(Event::NoSync),
        1 => any::<bool>().prop_map(Event::NoRemove),
    ];
    prop::collection::vec(event, 1..80)
}

/// How sure it is that a frame survives a power loss.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sync {
    NotYet,
    Acknowledged,
    /// A sync failed, or the process was gone before one.
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Appended {
    frame: (u64, u64, usize),
    sync: Sync,
}

struct Life {
    files: Arc<Files>,
    journal: Option<Journal>,
    /// What has been acknowledged and not been committed.
    frames: Vec<Appended>,
    /// Everything below is committed.
    store_seq: u64,
    next_seq: u64,
    tag: u64,
}

impl Life {
    fn new() -> Self {
        let files = Files::new();
        let journal = Some(open(&files, 1).0);
        Self {
            files,
            journal,
            frames: Vec::new(),
            store_seq: 1,
            next_seq: 1,
            tag: 0,
        }
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    fn happen(&mut self, event: &Event) {
        let faults = Arc::clone(&self.files.faults);
        let set = |fault: &AtomicBool, on: &bool| fault.store(*on, Ordering::SeqCst);
        match event {
            Event::Append(rows) => {
                self.tag += 1;
                let mut frame = Frame::new(&batch(self.tag, *rows), Vec::new());
                if let Ok(end) = self.journal().append(&mut frame, &stamp(self.next_seq)) {
                    assert_eq!(end, self.next_seq + *rows as u64);
                    self.frames.push(Appended {
                        frame: (self.next_seq, self.tag, *rows),
                        sync: Sync::NotYet,
                    });
                    self.next_seq = end;
                }
            }
            Event::Sync => {
                // Each caller waits for its own frame, and gets its own answer.
                for at in 0..self.frames.len() {
                    let (first_seq, _, rows) = self.frames[at].frame;
                    let synced = self.journal().sync_to(first_seq + rows as u64);
                    let frame = &mut self.frames[at];
                    match (synced, frame.sync) {
                        (Ok(()), Sync::NotYet) => frame.sync = Sync::Acknowledged,
                        (Err(_), Sync::NotYet) => frame.sync = Sync::Never,
                        (Err(error), Sync::Acknowledged) => panic!("taken back: {error}"),
                        _ => {}
                    }
                }
            }
            Event::Commit(count) => {
                let mut reader = self.journal().reader(self.store_seq);
                for _ in 0..*count {
                    let Some(pending) = reader.read().unwrap() else {
                        assert_eq!(self.frames.len(), 0);
                        break;
                    };
                    let expected = self.frames.remove(0).frame;
                    assert_eq!(checked(&pending), expected);
                    self.store_seq = expected.0 + expected.2 as u64;
                }
                // It may not be possible to delete anything now.
                let _ = self.journal().release(self.store_seq);
            }
            Event::Kill => {
                let files = self.files.after_kill();
                let read = self.reopen(files);
                let expected: Vec<_> = self.frames.iter().map(|f| f.frame).collect();
                assert_eq!(read, expected);
                for frame in &mut self.frames {
                    if frame.sync == Sync::NotYet {
                        frame.sync = Sync::Never;
                    }
                }
            }
            Event::PowerLoss(seed) => {
                let files = self
                    .files
                    .after_power_loss(&mut fastrand::Rng::with_seed(*seed));
                let read = self.reopen(files);
                let mut known = self.frames.iter().map(|frame| frame.frame);
                assert!(
                    read.iter().all(|frame| known.any(|k| k == *frame)),
                    "{read:?}"
                );
                for frame in &self.frames {
                    let there = read.contains(&frame.frame);
                    assert!(there || frame.sync != Sync::Acknowledged, "{frame:?}");
                }
                self.frames.retain(|frame| read.contains(&frame.frame));
                // What came back from the disk is on the disk.
                for frame in &mut self.frames {
                    frame.sync = Sync::Acknowledged;
                }
            }
            Event::Space(space) => *faults.space.lock().unwrap() = *space,
            Event::ShortWrites(on) => set(&faults.short_writes, on),
            Event::NoTruncate(on) => set(&faults.no_truncate, on),
            Event::NoSync(on) => set(&faults.no_sync, on),
            Event::NoRemove(on) => set(&faults.no_remove, on),
        }
    }

    /// The next process opens what is left.
    fn reopen(&mut self, files: Arc<Files>) -> Vec<(u64, u64, usize)> {
        let (journal, recovery) = open(&files, self.store_seq);
        let read = frames(&journal, self.store_seq);
        let mut next_seq = self.store_seq;
        let mut lost = Vec::new();
        for (first_seq, _, rows) in &read {
            if *first_seq > next_seq {
                lost.push(next_seq..*first_seq);
            }
            next_seq = first_seq + *rows as u64;
        }
        assert_eq!((recovery.next_seq, &recovery.lost), (next_seq, &lost));
        assert_eq!(recovery.frames, read.len() as u64);
        self.next_seq = next_seq;
        self.files = files;
        self.journal = Some(journal);
        read
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_was_acknowledged_is_there_once_and_nothing_else_is(events in events()) {
        let mut life = Life::new();
        for event in &events {
            life.happen(event);
        }
        life.happen(&Event::Kill);
        life.happen(&Event::PowerLoss(1));
        life.happen(&Event::Commit(1000));
        prop_assert_eq!(life.frames.len(), 0);
        // Nothing stays behind but what is damaged.
        life.journal = None;
        let left = life.files.names();
        prop_assert!(left.iter().all(|name| name.contains(".damaged-")), "{:?}", left);
    }
}
