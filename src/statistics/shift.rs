//! By how much durations differ: the shift of Hodges and Lehmann, among the bins of rollups.

/// The differences of all pairs of a duration now and one before, in bins, whose bounds are powers of one number: so many bins are
/// a ratio of durations.
pub struct Differences {
    /// From the least difference on, how many pairs have it.
    pairs: Vec<f64>,
    least: i32,
    /// Pairs in which the one of now is no time at all, and those in which the one before is.
    vanished: f64,
    appeared: f64,
    all: f64,
}

/// The bin of durations that are no time at all; it is infinitely far from the others.
const ZERO: i16 = i16::MIN;

/// The differences of two samples, whose bins are in order. None where one is empty.
pub fn differences(before: &[(i16, u64)], now: &[(i16, u64)]) -> Option<Differences> {
    let sum = |bins: &[(i16, u64)]| bins.iter().map(|(_, count)| *count as f64).sum::<f64>();
    let all = sum(before) * sum(now);
    let (zero_before, before) = without_zero(before);
    let (zero_now, now) = without_zero(now);
    let (some_before, some_now) = (sum(before), sum(now));
    let ends = |bins: &[(i16, u64)]| Some((i32::from(bins.first()?.0), i32::from(bins.last()?.0)));
    let (least, most) = match (ends(before), ends(now)) {
        (Some((first_before, last_before)), Some((first_now, last_now))) => (
            (first_now - last_before).min(0),
            (last_now - first_before).max(0),
        ),
        _ => (0, 0),
    };
    let mut pairs = vec![0.0; (most - least) as usize + 1];
    for (bin_now, count_now) in now {
        for (bin_before, count_before) in before {
            let at = i32::from(*bin_now) - i32::from(*bin_before) - least;
            pairs[at as usize] += *count_now as f64 * *count_before as f64;
        }
    }
    // Two that are no time at all do not differ.
    pairs[-least as usize] += zero_before * zero_now;
    (all > 0.0).then_some(Differences {
        pairs,
        least,
        vanished: zero_now * some_before,
        appeared: zero_before * some_now,
        all,
    })
}

fn without_zero(bins: &[(i16, u64)]) -> (f64, &[(i16, u64)]) {
    match bins {
        [(ZERO, count), rest @ ..] => (*count as f64, rest),
        bins => (0.0, bins),
    }
}

impl Differences {
    /// The difference that a share of the pairs is below, 0.5 for the shift of Hodges and Lehmann. None where it is infinite.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share * self.all;
        if share <= 0.0 || share >= 1.0 || rank <= self.vanished {
            return None;
        }
        if rank > self.all - self.appeared {
            return None;
        }
        let mut below = self.vanished;
        for (at, count) in self.pairs.iter().enumerate() {
            if below + count >= rank && *count > 0.0 {
                // Within a bin of differences the pairs lie evenly.
                let within = (rank - below) / count - 0.5;
                return Some(f64::from(self.least) + at as f64 + within);
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_found_whatever_the_shape() {
        let before = [(3, 5), (4, 10), (7, 3), (20, 1)];
        let now = before.map(|(bin, count)| (bin + 11, count * 3));
        let found = differences(&before, &now).unwrap();
        let shift = found.quantile(0.5).unwrap();
        assert!((shift - 11.0).abs() < 1e-9, "{shift}");
        let (low, high) = (found.quantile(0.25).unwrap(), found.quantile(0.75).unwrap());
        assert!(low < shift && shift < high);
        let same = differences(&before, &before).unwrap();
        assert!(same.quantile(0.5).unwrap().abs() < 1e-9);
    }

    #[test]
    fn the_median_of_all_pairs_is_meant() {
        // By hand: the differences are -2, 1, 3, 6, and half of the pairs are below the end of the bin of 1.
        let found = differences(&[(1, 1), (4, 1)], &[(2, 1), (7, 1)]).unwrap();
        assert_eq!(found.quantile(0.5), Some(1.5));
        assert_eq!(found.quantile(0.75), Some(3.5));
    }

    #[test]
    fn no_time_at_all_is_infinitely_less() {
        let found = differences(&[(ZERO, 9), (5, 1)], &[(5, 1)]).unwrap();
        assert_eq!(found.quantile(0.5), None);
        let found = differences(&[(5, 1)], &[(ZERO, 9), (5, 1)]).unwrap();
        assert_eq!(found.quantile(0.5), None);
        let found = differences(&[(ZERO, 9), (5, 1)], &[(ZERO, 9), (5, 1)]).unwrap();
        let shift = found.quantile(0.5).unwrap();
        assert!(shift.abs() < 1e-9, "{shift}");
        assert!(differences(&[], &[(5, 1)]).is_none());
    }
}
