//! The test of Mann and Whitney on histograms, for operations that come in blocks.

use super::blocks::{self, Parts};
use super::{merged, Block, Difference, OPERATIONS_MIN};
use std::collections::HashMap;

/// How much more likely than not a duration of now is longer than one of before: 0 where that is as likely as the other way
/// round, 0.5 where all are longer. Equal ones count half. None where there are too few.
///
/// The variance is made of what each block adds, which is what its durations' ranks among those of the other sample are off their
/// mean (DeLong et al. 1988, for clusters Obuchowski 1997), and at least that of the test of Mann and Whitney with its
/// correction for ties.
pub fn compare(before: &[Block], now: &[Block]) -> Option<Difference> {
    let (all_before, all_now) = (merged(before), merged(now));
    let (n_before, n_now) = (total(&all_before), total(&all_now));
    if n_before.min(n_now) < OPERATIONS_MIN as f64 {
        return None;
    }
    // How likely one of now is longer than one of before that is in a bin, and the other way round.
    let longer = below(&all_now, &all_before).map(|share| 1.0 - share);
    let shorter = below(&all_before, &all_now);
    let likely: f64 = all_now
        .iter()
        .map(|(bin, count)| *count as f64 * shorter.of(*bin))
        .sum::<f64>()
        / n_now;
    let parts_before = parts(before, &longer, likely, n_before);
    let parts_now = parts(now, &shorter, likely, n_now);
    let independent = variance_of_independent(&all_before, &all_now);
    blocks::difference(likely - 0.5, &parts_before, &parts_now, independent)
}

fn total(bins: &[(i16, u64)]) -> f64 {
    bins.iter().map(|(_, count)| *count as f64).sum()
}

/// A share for each bin.
struct Shares(HashMap<i16, f64>);

impl Shares {
    fn of(&self, bin: i16) -> f64 {
        self.0.get(&bin).copied().unwrap_or(0.5)
    }

    fn map(mut self, change: impl Fn(f64) -> f64) -> Self {
        for share in self.0.values_mut() {
            *share = change(*share);
        }
        self
    }
}

/// The share of a sample that is below each bin of another one; of its own bin half counts.
fn below(sample: &[(i16, u64)], bins: &[(i16, u64)]) -> Shares {
    let all = total(sample);
    let mut counted = 0.0;
    let mut rest = sample.iter().peekable();
    let mut shares = HashMap::with_capacity(bins.len());
    for (bin, _) in bins {
        while let Some((_, count)) = rest.next_if(|(other, _)| other < bin) {
            counted += *count as f64;
        }
        let same = rest.peek().filter(|(other, _)| other == bin);
        let half = same.map_or(0.0, |(_, count)| *count as f64 / 2.0);
        shares.insert(*bin, (counted + half) / all);
    }
    Shares(shares)
}

fn parts(blocks: &[Block], shares: &Shares, mean: f64, all: f64) -> Parts {
    let part = |block: &Block| {
        let off = block.bins.iter();
        let off = off.map(|(bin, count)| *count as f64 * (shares.of(*bin) - mean));
        (!block.bins.is_empty()).then(|| off.sum::<f64>() / all)
    };
    blocks.iter().map(part).collect()
}

/// The variance where nothing differs and each operation stands for itself, with the correction for ties (Lehmann 1975, 1.4).
pub fn variance_of_independent(before: &[(i16, u64)], now: &[(i16, u64)]) -> f64 {
    let mut ties: HashMap<i16, f64> = HashMap::new();
    for (bin, count) in before.iter().chain(now) {
        *ties.entry(*bin).or_default() += *count as f64;
    }
    let (m, n) = (total(before), total(now));
    let all = m + n;
    let tied: f64 = ties
        .values()
        .map(|count| count * (count * count - 1.0))
        .sum();
    (all + 1.0 - tied / (all * (all - 1.0))) / (12.0 * m * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block for each list of bins.
    fn blocks(lists: &[&[i16]]) -> Vec<Block> {
        let block = |list: &&[i16]| {
            let mut bins: Vec<(i16, u64)> = list.iter().map(|bin| (*bin, 1)).collect();
            bins.sort_unstable();
            let block = Block {
                bins,
                ..Block::default()
            };
            Block {
                bins: merged(&[block]),
                ..Block::default()
            }
        };
        lists.iter().map(block).collect()
    }

    #[test]
    fn ranks_and_ties_are_those_of_scipy() {
        // U and z = norm.isf(p / 2) of stats.mannwhitneyu(now, before, method="asymptotic", use_continuity=False), scipy 1.17.1.
        let cases: [(&[i16], &[i16], f64, f64); 3] = [
            (&[1, 2, 3, 4, 5], &[4, 5, 6, 7], 18.0, 1.976128727022284),
            (
                &[1, 1, 1, 2, 2, 9, 9],
                &[1, 2, 2, 2, 9, 9, 9, 9, 30],
                44.5,
                1.4469587099581156,
            ),
            (&[5, 5, 5, 5], &[5, 5, 5, 6], 10.0, 1.0),
        ];
        for (before, now, u, z) in cases {
            let (before, now) = (merged(&blocks(&[before])), merged(&blocks(&[now])));
            let shares = below(&before, &now);
            let likely: f64 = now
                .iter()
                .map(|(bin, count)| *count as f64 * shares.of(*bin))
                .sum();
            assert!((likely * total(&before) - u).abs() < 1e-9, "{likely}");
            let off = likely / total(&now) - 0.5;
            let mine = off / variance_of_independent(&before, &now).sqrt();
            assert!((mine - z).abs() < 1e-9, "{mine}");
        }
    }

    #[test]
    fn blocks_that_go_up_and_down_are_no_difference() {
        // Each block is of one duration: ten blocks say less than a thousand operations.
        let each = |bins: [i16; 10]| -> Vec<Block> {
            let block = |bin| Block {
                bins: vec![(bin, 100)],
                ..Block::default()
            };
            bins.map(block).to_vec()
        };
        let before = each([10, 14, 9, 15, 11, 13, 10, 14, 12, 12]);
        let now = each([12, 15, 11, 14, 13, 13, 12, 15, 10, 14]);
        let found = compare(&before, &now).unwrap();
        assert!(found.value > 0.1 && found.p_value > 0.05, "{found:?}");
        let longer = each([30, 34, 29, 35, 31, 33, 30, 34, 32, 32]);
        let found = compare(&before, &longer).unwrap();
        assert_eq!(found.value, 0.5);
        assert!(found.p_value < 1e-6, "{found:?}");
        assert_eq!(compare(&before, &now[..4]), None);
    }
}
