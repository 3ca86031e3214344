//! Retention rules: what they apply to, how long they keep it, and in which order they decide.
//!
//! Pure. Which operations there are is the store's matter.

mod keep;
mod leap;
mod rule;

pub use keep::Keep;
pub use leap::{waits_for_clock, LEAP_SHARE_MAX};
pub use rule::{in_order, unknown, RetentionChange, RetentionRule};

/// How many rules a log may have: each is held against every kind of operation that there is.
pub const RULES_MAX: usize = 100;
