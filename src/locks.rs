//! Locks that outlive a panic. Each change under one of oplog's locks is complete before anything that could panic, so what
//! a thread that panicked leaves behind is whole, and those who come later go on with it.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until somebody says that there is news.
pub fn wait<'a, T>(news: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    news.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// The same for so long at most.
pub fn wait_at_most<'a, T>(
    news: &Condvar,
    guard: MutexGuard<'a, T>,
    at_most: Duration,
) -> MutexGuard<'a, T> {
    let waited = news.wait_timeout(guard, at_most);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_a_panic_leaves_behind_is_gone_on_with() {
        let mutex = Arc::new(Mutex::new(1));
        let rw_lock = Arc::new(RwLock::new(1));
        let (in_mutex, in_rw_lock) = (Arc::clone(&mutex), Arc::clone(&rw_lock));
        let panicked = std::thread::spawn(move || {
            let (mut a, mut b) = (lock(&in_mutex), write(&in_rw_lock));
            (*a, *b) = (2, 2);
            panic!("with both locks held");
        });
        assert!(panicked.join().is_err());
        assert!(mutex.is_poisoned() && rw_lock.is_poisoned());
        assert_eq!(*lock(&mutex), 2);
        assert_eq!(*read(&rw_lock), 2);
        let guard = wait_at_most(&Condvar::new(), lock(&mutex), Duration::ZERO);
        assert_eq!(*guard, 2);
    }
}
