//! A memory cell that reads zero in every forked child.

use std::sync::atomic::AtomicU32;

/// A cell for the rest of the process's life; none where the system does not have such memory.
///
/// The kernel clears it (`MADV_WIPEONFORK`, Linux 4.14), so no way to fork goes around it, as raw clone(2) and `_Fork()`
/// go around the handlers of pthread_atfork(3). A child that shares its parent's memory (vfork(2)) sees the parent's
/// value; all that such a child may do is to call exec.
#[cfg(target_os = "linux")]
pub fn fork_mark() -> Option<&'static AtomicU32> {
    const BYTES: usize = size_of::<AtomicU32>();
    // SAFETY: a new mapping, which nobody else knows; what is unmapped has not been given to anybody.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        // An emulated kernel may ignore what it does not know: then it accepts advice that does not exist too.
        let is_honest = libc::madvise(page, BYTES, -1) != 0;
        if is_honest && libc::madvise(page, BYTES, libc::MADV_WIPEONFORK) == 0 {
            // The page is aligned for anything, zeroed, and never unmapped.
            return Some(&*page.cast::<AtomicU32>());
        }
        libc::munmap(page, BYTES);
        None
    }
}

#[cfg(not(target_os = "linux"))]
pub fn fork_mark() -> Option<&'static AtomicU32> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    /// What a child of `fork` answers.
    fn in_child(fork: impl FnOnce() -> libc::pid_t, body: impl FnOnce() -> bool) -> bool {
        let child = fork();
        assert!(child >= 0, "fork failed");
        if child == 0 {
            let code = i32::from(!body());
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(code) }
        }
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        let ended = unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(ended, child);
        status == 0
    }

    fn fork() -> libc::pid_t {
        // SAFETY: the child runs what needs no lock and no memory, and ends.
        unsafe { libc::fork() }
    }

    /// As fork(2) is made, but past the C library and its handlers.
    fn raw_clone() -> libc::pid_t {
        // SAFETY: as above; without flags and a stack, clone(2) is fork(2).
        unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as libc::pid_t }
    }

    #[test]
    fn a_child_reads_zero_and_its_parent_what_it_wrote() {
        let mark = fork_mark().expect("this kernel has such memory");
        for fork in [fork, raw_clone] {
            mark.store(7, Ordering::Relaxed);
            assert!(in_child(fork, || {
                let wiped = mark.swap(8, Ordering::Relaxed) == 0;
                // A grandchild knows neither.
                wiped && in_child(fork, || mark.load(Ordering::Relaxed) == 0)
            }));
            assert_eq!(mark.load(Ordering::Relaxed), 7);
        }
    }
}
