//! How much a difference varies, told by the blocks of time that it is made of.

use super::distribution::student_two_sided;
use super::{Difference, BLOCKS_MIN};

/// What each block adds to a difference, by its place in its period; none for one without operations.
pub type Parts = Vec<Option<f64>>;

/// The difference `value` of two samples with what their blocks add to it. `independent` is the variance that it would have if
/// operations had nothing to do with one another: a few blocks that are alike by chance must not make it less. None where the
/// blocks are too few to tell.
pub fn difference(value: f64, before: &Parts, now: &Parts, independent: f64) -> Option<Difference> {
    if occupied(before) < BLOCKS_MIN || occupied(now) < BLOCKS_MIN {
        return None;
    }
    let (between, freedom) = match before.len() == now.len() {
        true => paired(before, now),
        false => apart(before, now),
    };
    let standard_error = between.max(independent).sqrt();
    let p_value = match standard_error > 0.0 {
        true => student_two_sided(value / standard_error, freedom),
        false if value == 0.0 => 1.0,
        false => 0.0,
    };
    Some(Difference {
        value,
        standard_error,
        freedom,
        p_value,
    })
}

fn occupied(parts: &Parts) -> usize {
    parts.iter().flatten().count()
}

/// Periods of one length: each block stands against the one at its place, so that what comes every hour or every day at the same
/// time is in both and cancels out.
fn paired(before: &Parts, now: &Parts) -> (f64, f64) {
    let pairs = before.iter().zip(now);
    let sums: Parts = pairs
        .map(|pair| match pair {
            (None, None) => None,
            (before, now) => Some(before.unwrap_or(0.0) + now.unwrap_or(0.0)),
        })
        .collect();
    variance(&sums)
}

/// Periods of different lengths: two variances add up, with the degrees of freedom of Welch and Satterthwaite.
fn apart(before: &Parts, now: &Parts) -> (f64, f64) {
    let ((of_before, freedom_before), (of_now, freedom_now)) = (variance(before), variance(now));
    let sum = of_before + of_now;
    let weighted = of_before * of_before / freedom_before + of_now * of_now / freedom_now;
    let freedom = match weighted > 0.0 {
        true => sum * sum / weighted,
        false => freedom_before + freedom_now,
    };
    (sum, freedom)
}

const FREEDOM_MIN: f64 = 3.0;

/// How much of a block is in the one after it, as far as that is believed.
const MEMORY_MAX: f64 = 0.8;

/// The variance of a sum of blocks whose mean is 0, and its degrees of freedom. Blocks may be like those before them: of a series that
/// remembers a share of what was, so much fewer blocks are as good as independent ones (Bartlett 1935).
fn variance(parts: &Parts) -> (f64, f64) {
    let count = occupied(parts) as f64;
    let values: Vec<f64> = parts.iter().map(|part| part.unwrap_or(0.0)).collect();
    let alone: f64 = values.iter().map(|value| value * value).sum();
    let next = values.iter().zip(values.iter().skip(1));
    let together: f64 = next.map(|(left, right)| left * right).sum();
    let seen = if alone > 0.0 { together / alone } else { 0.0 };
    // What is seen is less than what is, the more so the fewer the blocks (Kendall 1954).
    let memory = (seen + (1.0 + 3.0 * seen) / count).clamp(0.0, MEMORY_MAX);
    let worth = (1.0 - memory) / (1.0 + memory);
    let freedom = (count * worth).max(FREEDOM_MIN + 1.0) - 1.0;
    (alone * count / (count - 1.0) / worth, freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Parts {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn what_both_periods_have_at_the_same_time_cancels_out() {
        let cycle = [3.0, -3.0, 3.0, -3.0, 2.0, -2.0];
        let before = some(&cycle.map(|value| -value));
        let (between, freedom) = paired(&before, &some(&cycle));
        assert_eq!(between, 0.0);
        assert!(freedom > 3.0, "{freedom}");
        let (between, _) = apart(&before, &some(&cycle));
        assert!(between > 80.0, "{between}");
    }

    #[test]
    fn neighbours_that_are_alike_make_it_vary_more_and_never_less() {
        let (alike, few) = variance(&some(&[1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]));
        let (mixed, many) = variance(&some(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]));
        assert!((mixed - 8.0 * 8.0 / 7.0).abs() < 1e-12, "{mixed}");
        // 5 of 8 are seen to be remembered, and with what is not seen more than is believed: nine blocks are as good as one.
        assert!((alike - 9.0 * mixed).abs() < 1e-9, "{alike}");
        assert!((many, few) == (7.0, FREEDOM_MIN));
    }

    #[test]
    fn few_blocks_say_nothing() {
        let four = [Some(1.0), Some(-1.0), None, Some(1.0), Some(-1.0)].to_vec();
        let five = some(&[1.0, -1.0, 1.0, -1.0, 0.0]);
        assert_eq!(difference(0.1, &four, &five, 1.0), None);
        let found = difference(0.0, &five, &five, 1.0).unwrap();
        assert_eq!((found.p_value, found.freedom), (1.0, 4.0));
    }
}
