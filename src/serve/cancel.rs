//! Giving up what nobody waits for any more.

use std::sync::{Mutex, MutexGuard};

type Interrupt = Box<dyn Fn() + Send>;

/// Shared between whoever works out an answer and whoever may give up on it.
#[derive(Default)]
pub struct Cancel {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cancelled: bool,
    interrupt: Option<Interrupt>,
}

impl Cancel {
    /// What to do to the work that begins now; fails where nobody waits for it any more.
    pub fn on_cancel(&self, interrupt: impl Fn() + Send + 'static) -> Result<(), String> {
        let mut state = self.lock();
        if state.cancelled {
            return Err("nobody waits for the answer any more".into());
        }
        state.interrupt = Some(Box::new(interrupt));
        Ok(())
    }

    /// Interrupts the work. It can be called again: work that was about to begin may have missed it.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.cancelled = true;
        if let Some(interrupt) = &state.interrupt {
            interrupt();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;

    #[test]
    fn work_is_interrupted_each_time_and_none_begins_afterwards() {
        let interrupted = Arc::new(AtomicU32::new(0));
        let cancel = Cancel::default();
        let count = Arc::clone(&interrupted);
        let begun = cancel.on_cancel(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(begun, Ok(()));
        cancel.cancel();
        cancel.cancel();
        assert_eq!(interrupted.load(Ordering::Relaxed), 2);
        assert!(cancel.on_cancel(|| ()).is_err());
    }
}
