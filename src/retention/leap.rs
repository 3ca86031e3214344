//! What retention waits with when the clock has leapt.

/// Share of the operations in the log that is deleted at most because the clock has leapt, before it is known that the clock is
/// right. So what is old by a few minutes or days does not wait, and no leap empties a log.
pub const LEAP_SHARE_MAX: f64 = 0.1;

/// Whether operations wait that only a leap of the clock has made too old: so many are, of `stored` in the log, and so many were
/// `deleted` for that already.
pub fn waits_for_clock(leapt: u64, stored: u64, deleted: u64) -> bool {
    let before = stored.saturating_add(deleted);
    leapt.saturating_add(deleted) as f64 > before as f64 * LEAP_SHARE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_does_not_wait_and_more_does() {
        assert!(!waits_for_clock(0, 0, 0));
        assert!(!waits_for_clock(10, 100, 0));
        assert!(waits_for_clock(11, 100, 0));
        assert!(waits_for_clock(1, 1, 0));
    }

    #[test]
    fn many_small_leaps_are_one() {
        let (mut stored, mut deleted) = (1000, 0);
        while !waits_for_clock(40, stored, deleted) {
            stored -= 40;
            deleted += 40;
        }
        assert_eq!(deleted, 80);
    }
}
