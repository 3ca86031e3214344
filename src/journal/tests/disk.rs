//! The same on the file system, and what only a real one shows.

use super::*;
use crate::journal::error::OpenError;

#[test]
fn a_journal_lives_and_leaves_nothing() {
    let directory = Directory::new("life");
    let sidecar = directory.0.join("app.oplog");
    let (journal, _) = Journal::open(&sidecar, 1, small()).unwrap();
    assert_eq!(directory.names(), ["app.oplog.journal.lock"]);
    for tag in 0..9 {
        let position = append(&journal, tag, 2).unwrap();
        journal.sync_to(position).unwrap();
    }
    assert_eq!(frames(&journal, 1).len(), 9);
    drop(journal);
    let (journal, recovery) = Journal::open(&sidecar, 5, small()).unwrap();
    assert_eq!((recovery.frames, recovery.next_seq), (7, 19));
    assert_eq!(frames(&journal, 5).len(), 7);
    journal.release(19).unwrap();
    drop(journal);
    assert_eq!(directory.names(), [""; 0]);
}

#[test]
fn a_torn_end_is_cut_off_the_file() {
    let directory = Directory::new("torn");
    let sidecar = directory.0.join("app.oplog");
    let (journal, _) = Journal::open(&sidecar, 1, small()).unwrap();
    append(&journal, 1, 2).unwrap();
    append(&journal, 2, 1).unwrap();
    drop(journal);
    let path = directory.0.join("app.oplog.journal.000001");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (journal, recovery) = Journal::open(&sidecar, 1, small()).unwrap();
    let whole = 40 + frame_bytes(1, 2) as u64;
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
    assert_eq!(recovery.torn_bytes, bytes.len() as u64 - 1 - whole);
    assert_eq!((recovery.lost, recovery.damaged), (vec![], vec![]));
    assert_eq!(frames(&journal, 1), [(1, 1, 2)]);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let path = Path::new("/nowhere/app.oplog");
    let Err(error) = Journal::open(path, 1, small()) else {
        panic!("it was opened");
    };
    let error = error.to_string();
    assert!(
        error.starts_with("cannot lock /nowhere/app.oplog.journal.lock: "),
        "{error}"
    );
}

#[test]
fn one_journal_of_one_process_owns_the_files() {
    let directory = Directory::new("owner");
    let sidecar = directory.0.join("app.oplog");
    let (journal, _) = Journal::open(&sidecar, 1, small()).unwrap();
    // By another name too.
    let other = directory
        .0
        .join("../")
        .join(directory.0.file_name().unwrap());
    for sidecar in [&sidecar, &other.join("app.oplog")] {
        let again = Journal::open(sidecar, 1, small());
        assert!(matches!(again, Err(OpenError::Held { .. })));
    }
    assert_eq!(from_another_process(&sidecar), "held");
    append(&journal, 1, 1).unwrap();
    drop(journal);
    assert_eq!(from_another_process(&sidecar), "1 frames");
    assert!(Journal::open(&sidecar, 1, small()).is_ok());
}

const SIDECAR_VARIABLE: &str = "OPLOG_TEST_SIDECAR";

/// Opens the journal in a process of its own.
fn from_another_process(sidecar: &Path) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "journal::tests::disk::the_other_process",
            "--nocapture",
        ])
        .env(SIDECAR_VARIABLE, sidecar)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("it says: "));
    line.unwrap_or_else(|| panic!("{said}")).1.to_owned()
}

/// Does nothing unless [`from_another_process`] runs it.
#[test]
fn the_other_process() {
    let Some(sidecar) = std::env::var_os(SIDECAR_VARIABLE) else {
        return;
    };
    match Journal::open(Path::new(&sidecar), 1, small()) {
        Ok((_, recovery)) => println!("\nit says: {} frames", recovery.frames),
        Err(OpenError::Held { .. }) => println!("\nit says: held"),
        Err(error) => println!("\nit says: {error}"),
    }
}
