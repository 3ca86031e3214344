//! Who may hold a connection. Where there is a token, connections that have not brought it yet are strangers: they have
//! fewer places, and make room for each other, so that they cannot keep out those who have it.

use super::limits::{CONNECTIONS_MAX, STRANGERS_MAX};
use crate::locks::lock;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

pub struct Slots {
    /// Without a token nobody can show who they are.
    has_token: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: usize,
    next: u64,
    /// The oldest first.
    strangers: Vec<Stranger>,
}

struct Stranger {
    number: u64,
    address: IpAddr,
    eviction: Arc<Eviction>,
}

#[derive(Default)]
struct Eviction {
    told: Notify,
    /// It counts no more, though it may not be gone yet.
    done: AtomicBool,
}

/// The place of a connection, until it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    number: u64,
    eviction: Arc<Eviction>,
}

impl Slots {
    pub fn new(has_token: bool) -> Arc<Self> {
        Arc::new(Self {
            has_token,
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A place for a connection from this address, none where there is no more room. Says too whether a stranger had to
    /// go for it.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<(Slot, bool)> {
        let mut state = self.lock();
        let is_full = state.open >= CONNECTIONS_MAX;
        let mut evicts = false;
        if self.has_token && (is_full || state.strangers.len() >= STRANGERS_MAX) {
            evicts = state.evict();
        }
        if is_full && !evicts {
            return None;
        }
        let number = state.next;
        let eviction = Arc::<Eviction>::default();
        state.next += 1;
        state.open += 1;
        if self.has_token {
            state.strangers.push(Stranger {
                number,
                address,
                eviction: Arc::clone(&eviction),
            });
        }
        let slot = Slot {
            slots: Arc::clone(self),
            number,
            eviction,
        };
        Some((slot, evicts))
    }
}

impl State {
    /// Has a stranger go: the oldest one of the address that has the most.
    fn evict(&mut self) -> bool {
        let of = |address| {
            let strangers = self.strangers.iter();
            strangers.filter(|other| other.address == address).count()
        };
        // The first of several that are equal.
        let oldest = (0..self.strangers.len())
            .rev()
            .max_by_key(|at| of(self.strangers[*at].address));
        let Some(oldest) = oldest else {
            return false;
        };
        let eviction = self.strangers.remove(oldest).eviction;
        eviction.done.store(true, Ordering::Relaxed);
        eviction.told.notify_one();
        self.open -= 1;
        true
    }

    fn forget(&mut self, number: u64) {
        self.strangers.retain(|stranger| stranger.number != number);
    }
}

impl Slot {
    /// Its client has shown that it may ask.
    pub fn welcome(&self) {
        self.slots.lock().forget(self.number);
    }

    /// Waits until the connection has to make room for another one.
    pub async fn evicted(&self) {
        self.eviction.told.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        if !self.eviction.done.load(Ordering::Relaxed) {
            state.open -= 1;
            state.forget(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_evicted(slot: &Slot) -> bool {
        slot.eviction.done.load(Ordering::Relaxed)
    }

    #[test]
    fn without_a_token_the_first_ones_stay() {
        let slots = Slots::new(false);
        let mut held: Vec<Slot> = (0..CONNECTIONS_MAX)
            .filter_map(|_| slots.take(address(1)))
            .map(|(slot, _)| slot)
            .collect();
        assert_eq!(held.len(), CONNECTIONS_MAX);
        assert!(slots.take(address(2)).is_none());
        held.pop();
        assert!(slots.take(address(2)).is_some());
        assert!(!held.iter().any(is_evicted));
    }

    #[test]
    fn strangers_make_room_for_each_other_and_for_nobody_else() {
        let slots = Slots::new(true);
        let (welcome, _) = slots.take(address(1)).unwrap();
        welcome.welcome();
        let strangers: Vec<Slot> = (0..STRANGERS_MAX + 5)
            .map(|_| slots.take(address(1)).unwrap().0)
            .collect();
        let evicted: Vec<bool> = strangers.iter().map(is_evicted).collect();
        assert_eq!(evicted[..5], [true; 5]);
        assert!(!evicted[5..].contains(&true) && !is_evicted(&welcome));
        drop(strangers);
        assert_eq!(slots.lock().open, 1);
        assert!(slots.lock().strangers.is_empty());
    }

    #[test]
    fn one_address_cannot_keep_out_another() {
        let slots = Slots::new(true);
        let (quiet, _) = slots.take(address(2)).unwrap();
        let crowd: Vec<Slot> = (0..STRANGERS_MAX * 3)
            .map(|_| slots.take(address(1)).unwrap().0)
            .collect();
        assert!(!is_evicted(&quiet));
        assert!(is_evicted(&crowd[0]));
    }

    #[test]
    fn whoever_has_the_token_may_have_all_places() {
        let slots = Slots::new(true);
        let known: Vec<Slot> = (0..CONNECTIONS_MAX)
            .map(|_| slots.take(address(1)).unwrap().0)
            .inspect(Slot::welcome)
            .collect();
        assert!(slots.take(address(1)).is_none());
        assert!(!known.iter().any(is_evicted));
        drop(known);
        assert!(slots.take(address(1)).is_some());
    }
}
