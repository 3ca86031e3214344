//! Which process this is. A forked child has copies of everything that its parent had, and must leave the parent's files
//! alone, so every call asks; that needs no system call where the system marks the memory of forked children.

use super::fork_mark::fork_mark;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

/// Holds the process's id, and reads zero in a child until the child has asked.
///
/// It is one for all host instances, as the id is.
static MARK: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();

/// From now on a memory cell is asked that the system sets to zero in every forked child. Without one the system is.
pub fn watch() {
    MARK.get_or_init(fork_mark);
}

/// The id of this process.
pub fn id() -> u32 {
    let Some(Some(mark)) = MARK.get() else {
        return std::process::id();
    };
    known(mark)
}

fn known(mark: &AtomicU32) -> u32 {
    match mark.load(Ordering::Relaxed) {
        0 => {
            let id = std::process::id();
            mark.store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_asked_once_and_again_when_the_mark_is_gone() {
        let mark = AtomicU32::new(0);
        assert_eq!(known(&mark), std::process::id());
        mark.store(7, Ordering::Relaxed);
        assert_eq!(known(&mark), 7);
        mark.store(0, Ordering::Relaxed);
        assert_eq!(known(&mark), std::process::id());
    }
}
