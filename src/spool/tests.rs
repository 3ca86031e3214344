//! Spools as guests leave them, and what others put beside the log.

use super::taken::Taken;
use super::*;
use crate::files::Names;
use crate::journal::tests::{append, batch, Directory};
use crate::journal::Journal;
use std::collections::HashSet;

impl Directory {
    fn log(&self) -> PathBuf {
        self.0.join("app.oplog")
    }

    /// A spool with frames of these rows in small segments, whose guest is gone. Gives its segments.
    fn spool(&self, number: u32, rows: &[usize]) -> Vec<PathBuf> {
        let spool = self.0.join(format!("app.oplog.spool-1-1-{number}"));
        let limits = Limits {
            segment_bytes: 400,
            total_bytes: 4000,
        };
        let (journal, _) = Journal::open(&spool, 1, limits).unwrap();
        for (tag, rows) in rows.iter().enumerate() {
            append(&journal, tag as u64, *rows).unwrap();
        }
        drop(journal);
        let names = Names::beside(&spool);
        (1..)
            .map(|number| names.segment(number))
            .take_while(|path| path.exists())
            .collect()
    }
}

fn look(spools: &mut Spools) -> Taken {
    spools.look(&mut |_| Ok(HashSet::new())).unwrap()
}

fn rows(taken: &Taken) -> usize {
    taken.batches.iter().map(|(_, batch)| batch.rows()).sum()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_taken_in_is_deleted_and_leaves_nothing() {
    let directory = Directory::new("spool-taken");
    assert!(directory.spool(0, &[3, 2, 9, 9, 9]).len() > 1);
    let mut spools = Spools::beside(vec![directory.log()], &[]);
    let taken = look(&mut spools);
    assert_eq!((rows(&taken), taken.lost_operations), (32, 0));
    assert_eq!(taken.notes, [""; 0]);
    taken.discard().unwrap();
    assert_eq!(directory.names(), [""; 0]);
    // Nor does a guest that died before it recorded anything.
    std::fs::write(directory.0.join("app.oplog.spool-1-2-3.journal.lock"), "").unwrap();
    look(&mut spools).discard().unwrap();
    assert_eq!(directory.names(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_left_alone_and_keeps_nobody_out() {
    let directory = Directory::new("spool-strange");
    directory.spool(5, &[1, 2]);
    let path = |name: &str| directory.0.join(format!("app.oplog.spool-{name}"));
    std::fs::create_dir(path("1-1-0.journal.000001")).unwrap();
    std::fs::create_dir(path("1-1-1.journal.lock")).unwrap();
    std::fs::write(path("1-1-1.journal.000001"), "").unwrap();
    let fifo = path("1-1-2.journal.000001");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("nowhere", path("1-1-3.journal.000001")).unwrap();
    std::fs::write(path("x.journal.000001"), "of somebody else").unwrap();
    let before = directory.names();
    let mut spools = Spools::beside(vec![directory.log()], &[]);
    let taken = look(&mut spools);
    assert_eq!(rows(&taken), 3);
    assert_eq!(taken.notes.len(), 4, "{:?}", taken.notes);
    let failing = taken.failing.clone().unwrap_or_default();
    assert!(failing.contains("1-1-1.journal.lock"), "{failing}");
    drop(taken);
    let taken = look(&mut spools);
    assert_eq!(taken.notes, [""; 0], "they are told once");
    drop(taken);
    assert!(directory.names().iter().all(|name| before.contains(name)));
}

#[test]
fn a_flipped_bit_is_told_and_costs_its_frame_only() {
    let directory = Directory::new("spool-flipped");
    let segments = directory.spool(0, &[3, 2, 9, 9, 9]);
    let whole = directory.spool(1, &[4]);
    // In the body of the first frame.
    flip(&segments[0], 130);
    let mut spools = Spools::beside(vec![directory.log()], &[]);
    let taken = look(&mut spools);
    assert_eq!((rows(&taken), taken.lost_operations), (29 + 4, 3));
    let note = taken.notes.concat();
    assert!(note.contains("000001 was damaged"), "{note}");
    taken.discard().unwrap();
    let names = directory.names();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].starts_with("app.oplog.journal.000001.damaged-"));
    assert!(!whole[0].exists());
}

#[test]
fn damage_to_a_head_and_to_the_last_frame_is_told_too() {
    for (at_end, lost) in [(false, 3 + 2), (true, 9)] {
        let directory = Directory::new("spool-ends");
        let segments = directory.spool(0, &[3, 2, 9, 9, 9]);
        if at_end {
            let last = segments.last().unwrap();
            flip(last, std::fs::metadata(last).unwrap().len() as usize - 1);
        } else {
            flip(&segments[0], 50);
        }
        let taken = look(&mut Spools::beside(vec![directory.log()], &[]));
        assert_eq!(taken.lost_operations, lost, "{:?}", taken.notes);
        assert_eq!(taken.notes.len(), 1, "{:?}", taken.notes);
    }
}

#[test]
fn a_spool_of_a_newer_format_waits_for_a_newer_owner() {
    let directory = Directory::new("spool-newer");
    let segments = directory.spool(0, &[3]);
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    bytes[8] = 9;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..40]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&segments[0], &bytes).unwrap();
    directory.spool(1, &[4]);
    let taken = look(&mut Spools::beside(vec![directory.log()], &[]));
    assert_eq!(rows(&taken), 4);
    assert!(taken
        .failing
        .is_some_and(|error| error.contains("format version 9")));
    assert_eq!(std::fs::read(&segments[0]).unwrap(), bytes);
}

#[test]
fn a_header_of_another_segment_is_damage() {
    let directory = Directory::new("spool-header");
    let segments = directory.spool(0, &[3]);
    let other = segments[0].with_extension("000007");
    std::fs::rename(&segments[0], &other).unwrap();
    let taken = look(&mut Spools::beside(vec![directory.log()], &[]));
    assert_eq!((rows(&taken), taken.lost_operations), (3, 0));
    assert!(taken.notes.concat().contains("that of another segment"));
}

#[test]
fn the_batches_are_those_that_were_recorded() {
    let directory = Directory::new("spool-batches");
    directory.spool(0, &[3, 1]);
    let taken = look(&mut Spools::beside(vec![directory.log()], &[]));
    let read: Vec<_> = taken
        .batches
        .iter()
        .map(|(_, read)| (**read).clone())
        .collect();
    assert_eq!(read, [batch(0, 3), batch(1, 1)]);
}
