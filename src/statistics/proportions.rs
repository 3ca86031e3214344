//! Whether a larger share of operations fails.

use super::blocks::{self, Parts};
use super::{Block, Difference, OPERATIONS_MIN};

/// The difference of the shares that failed, now and before. None where there are too few operations.
///
/// Its p-value is the larger one of two: that of Fisher's exact test, which is right also for a handful of failures, and that of
/// the variance between blocks, which knows that failures come together.
pub fn compare(before: &[Block], now: &[Block]) -> Option<Difference> {
    let sums = |blocks: &[Block]| {
        let operations: u64 = blocks.iter().map(|block| block.operations).sum();
        let errors: u64 = blocks.iter().map(|block| block.errors).sum();
        (operations, errors)
    };
    let ((n_before, bad_before), (n_now, bad_now)) = (sums(before), sums(now));
    if n_before.min(n_now) < OPERATIONS_MIN {
        return None;
    }
    let share = |bad: u64, of: u64| bad as f64 / of as f64;
    let (of_before, of_now) = (share(bad_before, n_before), share(bad_now, n_now));
    let pooled = share(bad_before + bad_now, n_before + n_now);
    let independent = pooled * (1.0 - pooled) * (1.0 / n_before as f64 + 1.0 / n_now as f64);
    let parts_before = parts(before, -of_before, -1.0 / n_before as f64);
    let parts_now = parts(now, of_now, 1.0 / n_now as f64);
    let found = blocks::difference(of_now - of_before, &parts_before, &parts_now, independent)?;
    let exact = fisher(bad_now, n_now, bad_before, n_before);
    Some(Difference {
        p_value: found.p_value.max(exact),
        ..found
    })
}

/// What each block's failures are off the share of all, times a weight.
fn parts(blocks: &[Block], share: f64, weight: f64) -> Parts {
    let part = |block: &Block| {
        let off = block.errors as f64 - share.abs() * block.operations as f64;
        (block.operations > 0).then_some(weight * off)
    };
    blocks.iter().map(part).collect()
}

/// Fisher's exact test, two-sided: how likely are tables that are no likelier than this one, where `bad` of `n` and
/// `other_bad` of `other_n` failed.
fn fisher(bad: u64, n: u64, other_bad: u64, other_n: u64) -> f64 {
    let all_bad = bad + other_bad;
    let first = all_bad.saturating_sub(other_n);
    let last = all_bad.min(n);
    // From the likeliest table outwards, as parts of its likelihood, until they count for nothing.
    let mode = (u128::from(all_bad + 1) * u128::from(n + 1) / u128::from(n + other_n + 2)) as u64;
    let mode = mode.clamp(first, last);
    // The likelihood of x + 1 failures in parts of that of x.
    let ratio = |x: u64| {
        let up = (all_bad - x) as f64 * (n - x) as f64;
        let down = (x + 1) as f64 * (other_n - (all_bad - x) + 1) as f64;
        up / down
    };
    let mut likelihoods = vec![(mode, 1.0)];
    let mut likelihood = 1.0;
    for x in mode..last {
        likelihood *= ratio(x);
        if likelihood == 0.0 {
            break;
        }
        likelihoods.push((x + 1, likelihood));
    }
    likelihood = 1.0;
    for x in (first..mode).rev() {
        likelihood /= ratio(x);
        if likelihood == 0.0 {
            break;
        }
        likelihoods.push((x, likelihood));
    }
    let this = likelihoods.iter().find(|(x, _)| *x == bad);
    let this = this.map_or(0.0, |(_, likelihood)| *likelihood);
    let sum: f64 = likelihoods.iter().map(|(_, likelihood)| likelihood).sum();
    // Tables as likely as this one come out a little off.
    let rarer = likelihoods.iter().map(|(_, likelihood)| *likelihood);
    rarer
        .filter(|likelihood| *likelihood <= this * (1.0 + 1e-7))
        .sum::<f64>()
        / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_test_is_that_of_scipy() {
        // stats.fisher_exact([[bad, n - bad], [other_bad, other_n - other_bad]]).pvalue, scipy 1.17.1.
        for (bad, n, other_bad, other_n, theirs) in [
            (3, 20, 1, 30, 0.2885366912722537),
            (0, 10, 5, 12, 0.039644565960355434),
            (8, 10, 1, 12, 0.0015479876160990709),
            (120, 5000, 80, 5200, 0.0020572282535796732),
            (0, 10, 0, 10, 1.0),
            (10, 10, 3, 10, 0.0030959752321981426),
            (2, 1_000_000, 20, 1_000_000, 0.00012110727579686713),
        ] {
            let mine = fisher(bad, n, other_bad, other_n);
            assert!((mine - theirs).abs() <= 1e-8 * theirs, "{bad}/{n}: {mine}");
        }
    }

    fn blocks(counts: &[(u64, u64)]) -> Vec<Block> {
        let block = |(operations, errors): &(u64, u64)| Block {
            operations: *operations,
            errors: *errors,
            ..Block::default()
        };
        counts.iter().map(block).collect()
    }

    #[test]
    fn failures_that_come_together_say_less_than_as_many_alone() {
        let before = blocks(&[(1000, 5); 12]);
        let mut burst = vec![(1000, 5); 12];
        burst[3].1 = 200;
        let spread = blocks(&[(1000, 21); 12]);
        let found = compare(&before, &spread).unwrap();
        assert!(
            (found.value - 0.016).abs() < 1e-12 && found.p_value < 1e-5,
            "{found:?}"
        );
        let found = compare(&before, &blocks(&burst)).unwrap();
        assert!(found.value > 0.016 && found.p_value > 0.1, "{found:?}");
    }

    #[test]
    fn all_and_none_are_shares_too() {
        let none = blocks(&[(100, 0); 10]);
        let all = blocks(&[(100, 100); 10]);
        assert_eq!(compare(&none, &none).unwrap().p_value, 1.0);
        let found = compare(&none, &all).unwrap();
        assert!(found.value == 1.0 && found.p_value < 1e-9, "{found:?}");
        assert_eq!(compare(&none, &blocks(&[(9, 0)])), None);
    }
}
