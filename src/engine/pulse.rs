//! Whether the writer gets on. It may take long, and then it is waited for; it may hang, in a disk that does not answer,
//! and then nobody can wait for it.

use crate::locks::lock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A writer that has not had the processor for so long hangs: idle, it wakes up more often.
pub const HUNG_AFTER: Duration = Duration::from_secs(10);
/// How long its end is waited for in any case, and where nobody can know whether it gets on.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(300);
const BLIND_CLOSE_TIME_MAX: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The writer's signs of life, looked at by those who wait for it.
#[derive(Default)]
pub struct Pulse {
    thread: OnceLock<i32>,
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    sign: String,
    since: Instant,
}

impl Pulse {
    /// Called on the writer's thread.
    pub fn begin(&self) {
        #[cfg(target_os = "linux")]
        let _ = self
            .thread
            .set(rustix::thread::gettid().as_raw_nonzero().get());
    }

    /// How long the writer has not had the processor, as far as anybody has looked; none where that cannot be known.
    fn silence(&self) -> Option<Duration> {
        let thread = self.thread.get()?;
        // It changes whenever the thread gets the processor.
        let sign = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        let mut seen = lock(&self.seen);
        match &*seen {
            Some(seen) if seen.sign == sign => Some(seen.since.elapsed()),
            _ => {
                let since = Instant::now();
                *seen = Some(Seen { sign, since });
                Some(Duration::ZERO)
            }
        }
    }

    pub fn hangs(&self) -> bool {
        self.silence().is_some_and(|silence| silence >= HUNG_AFTER)
    }

    /// Waits until the other end of the channel is gone, with the writer; false where it hangs.
    pub fn wait_for_end(&self, ended: &Receiver<()>) -> bool {
        wait(ended, || self.silence(), CLOSE_TIME_MAX)
    }
}

fn wait(ended: &Receiver<()>, silence: impl Fn() -> Option<Duration>, time_max: Duration) -> bool {
    let begun = Instant::now();
    loop {
        match ended.recv_timeout(LOOK_INTERVAL) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let time_max = match silence() {
            Some(silence) if silence >= HUNG_AFTER => return false,
            Some(_) => time_max,
            None => time_max.min(BLIND_CLOSE_TIME_MAX),
        };
        if begun.elapsed() >= time_max {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::mpsc;

    #[test]
    fn an_end_is_seen_at_once() {
        let (sender, ended) = mpsc::channel::<()>();
        drop(sender);
        assert!(wait(&ended, || None, CLOSE_TIME_MAX));
    }

    #[test]
    fn a_writer_that_gets_on_is_waited_for() {
        let (sender, ended) = mpsc::channel::<()>();
        let (sender, looks) = (Cell::new(Some(sender)), Cell::new(0));
        let silence = || {
            looks.set(looks.get() + 1);
            if looks.get() == 3 {
                drop(sender.take());
            }
            Some(HUNG_AFTER / 2)
        };
        assert!(wait(&ended, silence, CLOSE_TIME_MAX));
        assert_eq!(looks.get(), 3);
    }

    #[test]
    fn a_writer_that_hangs_is_left_alone_and_so_is_one_without_end() {
        let (_sender, ended) = mpsc::channel::<()>();
        assert!(!wait(&ended, || Some(HUNG_AFTER), CLOSE_TIME_MAX));
        assert!(!wait(&ended, || Some(Duration::ZERO), LOOK_INTERVAL));
        assert!(!wait(&ended, || None, LOOK_INTERVAL));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_is_silent_until_it_gets_the_processor() {
        let pulse = std::sync::Arc::new(Pulse::default());
        assert_eq!(pulse.silence(), None);
        let (begun, has_begun) = mpsc::channel();
        let (wake, woken) = mpsc::channel::<()>();
        let in_thread = std::sync::Arc::clone(&pulse);
        let thread = std::thread::spawn(move || {
            in_thread.begin();
            begun.send(()).unwrap();
            while woken.recv().is_ok() {
                begun.send(()).unwrap();
            }
        });
        has_begun.recv().unwrap();
        let nap = Duration::from_millis(5);
        let is_silent = |pulse: &Pulse| {
            (0..200).any(|_| {
                std::thread::sleep(nap);
                pulse.silence() >= Some(nap)
            })
        };
        assert!(is_silent(&pulse));
        wake.send(()).unwrap();
        has_begun.recv().unwrap();
        assert!(pulse.silence() < Some(HUNG_AFTER) && !pulse.hangs());
        drop(wake);
        thread.join().unwrap();
        assert_eq!(pulse.silence(), None);
    }
}
