//! Whoever waits for what a thread does, and may give up on it: a session whose query is interrupted, an HTTP client that
//! has gone.
//!
//! What waits looks now and then whether the caller still does. What runs in DuckDB cannot look: a [`Watcher`] does, and
//! interrupts it.

use crate::locks::lock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

/// How often whoever waits looks for the caller.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Looks without work after which a watcher's thread ends.
const IDLE_LOOKS_MAX: u32 = 50;

/// What is said to a caller that has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl From<Interrupted> for String {
    fn from(interrupted: Interrupted) -> Self {
        interrupted.to_string()
    }
}

/// Says whether the caller has given up.
pub type GivesUp = Arc<dyn Fn() -> bool + Send + Sync>;

/// Says for whom a thread works that nobody has said it for.
static HOST: OnceLock<fn() -> Option<GivesUp>> = OnceLock::new();

thread_local! {
    static CALLER: RefCell<Option<GivesUp>> = const { RefCell::new(None) };
}

/// From now on `host` is asked for the caller of a thread.
pub fn ask(host: fn() -> Option<GivesUp>) {
    HOST.get_or_init(|| host);
}

/// Works for this caller.
pub fn on_behalf_of<T>(caller: GivesUp, work: impl FnOnce() -> T) -> T {
    struct Restored(Option<GivesUp>);
    impl Drop for Restored {
        fn drop(&mut self) {
            CALLER.replace(self.0.take());
        }
    }
    let _restored = Restored(CALLER.replace(Some(caller)));
    work()
}

/// Does work for which this thread's caller waits so long and no longer.
pub fn within<T>(time_max: Duration, work: impl FnOnce() -> T) -> T {
    let until = Instant::now() + time_max;
    let caller = current();
    let gives_up =
        move || Instant::now() >= until || caller.as_ref().is_some_and(|caller| caller());
    on_behalf_of(Arc::new(gives_up), work)
}

fn current() -> Option<GivesUp> {
    CALLER
        .with_borrow(Clone::clone)
        .or_else(|| HOST.get().and_then(|host| host()))
}

/// Whether the caller of this thread has given up. A thread without a caller works on.
pub fn has_given_up() -> bool {
    current().is_some_and(|gives_up| gives_up())
}

/// Interrupts what runs for callers that have given up. Its thread runs while there is something to watch.
#[derive(Default)]
pub struct Watcher {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    watched: Mutex<Vec<Weak<Work>>>,
    runs: AtomicBool,
}

/// Work of a caller, which may run, pause and run again.
pub struct Watched {
    work: Option<Arc<Work>>,
    state: Arc<State>,
}

struct Work {
    gives_up: GivesUp,
    interrupt: Box<dyn Fn() + Send + Sync>,
    /// Held while the caller is asked: what says whether a caller has given up may be gone when the work has ended.
    runs: Mutex<bool>,
}

impl Watcher {
    /// Work of this thread's caller. `interrupt` makes it fail; it is called again and again, since work that is about to
    /// begin may miss it.
    pub fn watch(&self, interrupt: impl Fn() + Send + Sync + 'static) -> Watched {
        let work = current().map(|gives_up| {
            Arc::new(Work {
                gives_up,
                interrupt: Box::new(interrupt),
                runs: Mutex::new(false),
            })
        });
        if let Some(work) = &work {
            lock(&self.state.watched).push(Arc::downgrade(work));
        }
        Watched {
            work,
            state: Arc::clone(&self.state),
        }
    }
}

impl Watched {
    /// Does some of the work. Where the caller gives up, its error says just that.
    pub fn run<T, E: From<Interrupted>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(watched) = &self.work else {
            return work();
        };
        struct Running<'a>(&'a Mutex<bool>);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                *lock(self.0) = false;
            }
        }
        *lock(&watched.runs) = true;
        let running = Running(&watched.runs);
        self.state.start();
        let outcome = work();
        drop(running);
        outcome.map_err(|error| {
            if (watched.gives_up)() {
                Interrupted.into()
            } else {
                error
            }
        })
    }
}

impl State {
    /// Has the thread run. Where there can be none, work is not interrupted.
    fn start(self: &Arc<Self>) {
        if self.runs.swap(true, Ordering::SeqCst) {
            return;
        }
        let state = Arc::clone(self);
        let started = std::thread::Builder::new()
            .name("oplog-watch".into())
            .spawn(move || state.watch());
        if started.is_err() {
            self.runs.store(false, Ordering::SeqCst);
        }
    }

    fn watch(&self) {
        let mut idle_looks = 0;
        loop {
            std::thread::sleep(LOOK_INTERVAL);
            idle_looks = if self.look() { 0 } else { idle_looks + 1 };
            if idle_looks < IDLE_LOOKS_MAX {
                continue;
            }
            self.runs.store(false, Ordering::SeqCst);
            // What began in between has found a thread that ran, or has started another one.
            if !self.look() || self.runs.swap(true, Ordering::SeqCst) {
                return;
            }
            idle_looks = 0;
        }
    }

    /// Interrupts what runs for nobody; says whether anything runs.
    fn look(&self) -> bool {
        let mut watched = lock(&self.watched);
        watched.retain(|work| work.strong_count() > 0);
        let watched: Vec<Arc<Work>> = watched.iter().filter_map(Weak::upgrade).collect();
        let mut runs = false;
        for work in watched {
            let running = lock(&work.runs);
            if *running && (work.gives_up)() {
                (work.interrupt)();
            }
            runs |= *running;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::sync::mpsc;

    #[test]
    fn a_thread_works_for_the_caller_that_it_was_given() {
        assert!(!has_given_up());
        let gone: GivesUp = Arc::new(|| true);
        on_behalf_of(gone, || {
            assert!(has_given_up());
            on_behalf_of(Arc::new(|| false), || assert!(!has_given_up()));
            assert!(has_given_up());
        });
        assert!(!has_given_up());
    }

    #[test]
    fn a_caller_that_waits_so_long_may_give_up_before() {
        within(Duration::from_secs(3600), || assert!(!has_given_up()));
        within(Duration::ZERO, || assert!(has_given_up()));
        let gone: GivesUp = Arc::new(|| true);
        on_behalf_of(gone, || {
            within(Duration::from_secs(3600), || assert!(has_given_up()))
        });
    }

    #[test]
    fn work_is_interrupted_until_it_ends() {
        let (interrupted, interrupts) = mpsc::channel();
        let watcher = Watcher::default();
        let outcome: Result<(), String> = on_behalf_of(Arc::new(|| true), || {
            let watched = watcher.watch(move || {
                let _ = interrupted.send(());
            });
            watched.run(|| {
                // The first one may have come before there was anything to interrupt.
                interrupts.recv().unwrap();
                interrupts.recv().unwrap();
                Err("INTERRUPT Error".into())
            })
        });
        assert_eq!(outcome, Err(Interrupted.into()));
    }

    #[test]
    fn work_that_pauses_is_left_alone_and_the_thread_ends() {
        let interrupts = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&interrupts);
        let watcher = Watcher::default();
        let watched = on_behalf_of(Arc::new(|| true), || {
            watcher.watch(move || {
                count.fetch_add(1, Ordering::SeqCst);
            })
        });
        assert_eq!(watched.run(|| Ok::<_, Interrupted>(7)), Ok(7));
        assert!(!watcher.state.look());
        assert_eq!(interrupts.load(Ordering::SeqCst), 0);
        while watcher.state.runs.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    #[test]
    fn errors_of_callers_that_wait_are_passed_on() {
        let watcher = Watcher::default();
        let waits: GivesUp = Arc::new(|| false);
        let watched = on_behalf_of(waits, || watcher.watch(|| ()));
        let outcome: Result<(), String> = watched.run(|| Err("no space".into()));
        assert_eq!(outcome, Err("no space".into()));
    }
}
