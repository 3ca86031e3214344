//! Files that a forked child is to have no copy of.
//!
//! A child that is forked and goes on without exec(2) has copies of all files, `CLOEXEC` or not. A copy of a socket that
//! listens would keep its port when the process that answers there is gone.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Once;

/// Files beyond these are not closed in a child.
const FILES_MAX: usize = 512;
const NONE: RawFd = -1;

static FILES: [AtomicI32; FILES_MAX] = [const { AtomicI32::new(NONE) }; FILES_MAX];

/// Closes a file in every child that is forked while this lives. Drop it before the file: its number is given to another
/// one then.
pub struct ClosedInChild {
    slot: Option<&'static AtomicI32>,
}

impl ClosedInChild {
    pub fn new(file: &impl AsRawFd) -> Self {
        static REGISTER: Once = Once::new();
        REGISTER.call_once(|| {
            // SAFETY: the handler makes no calls but those that POSIX allows after fork. Where it cannot be registered for
            // want of memory, children have copies.
            unsafe { libc::pthread_atfork(None, None, Some(close_in_child)) };
        });
        let file = file.as_raw_fd();
        let is_free = |slot: &&AtomicI32| {
            slot.compare_exchange(NONE, file, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        Self {
            slot: FILES.iter().find(is_free),
        }
    }
}

impl Drop for ClosedInChild {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.store(NONE, Ordering::Release);
        }
    }
}

extern "C" fn close_in_child() {
    for slot in &FILES {
        let file = slot.swap(NONE, Ordering::AcqRel);
        if file != NONE {
            // SAFETY: the file is open: whoever closes it takes it out of the table before. In the child nobody else has
            // it, since the thread that does is not there.
            unsafe { libc::close(file) };
        }
    }
}
