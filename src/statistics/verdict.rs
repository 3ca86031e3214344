//! What has become slower or fails more than before, of many groups at once, in words.

use super::distribution::student_quantile;
use super::shift::differences;
use super::{holm, merged, proportions, ranks, Block, Difference};

/// How likely one wrong verdict or more may be, of all groups and both tests.
pub const LEVEL: f64 = 0.05;

/// The blocks of a group, in the order of their times; those of one place are at one index where both periods have as many.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub before: Vec<Block>,
    pub now: Vec<Block>,
}

/// What is found out about a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// How many times as long a duration now is as one before, with the bounds between which that is in 95 of 100 cases. None
    /// where nothing is known, and for a bound that is infinite.
    pub ratio: Option<f64>,
    pub ratio_low: Option<f64>,
    pub ratio_high: Option<f64>,
    /// How likely a difference like the one of the durations, or of the failures, is by chance, corrected for all tests.
    pub duration_p: Option<f64>,
    pub error_p: Option<f64>,
    pub verdict: String,
}

/// Judges all groups. A difference counts from this share on: 0.1 for 10 %. The bounds of a bin are apart by `bin_width`, as
/// logarithms.
pub fn judge(groups: &[Group], min_change: f64, bin_width: f64) -> Vec<Outcome> {
    let tests: Vec<[Option<Difference>; 2]> = groups
        .iter()
        .map(|group| {
            [
                ranks::compare(&group.before, &group.now),
                proportions::compare(&group.before, &group.now),
            ]
        })
        .collect();
    let done = tests.iter().flatten().flatten();
    let p_values: Vec<f64> = done.map(|test| test.p_value).collect();
    let mut corrected = holm(&p_values).into_iter();
    let pairs = groups.iter().zip(&tests);
    pairs
        .map(|(group, [durations, errors])| {
            let mut outcome = Outcome {
                duration_p: durations.and_then(|_| corrected.next()),
                error_p: errors.and_then(|_| corrected.next()),
                ..Outcome::default()
            };
            if let Some(found) = durations {
                outcome.measure(group, found, bin_width);
            }
            outcome.verdict = outcome.in_words(group, min_change);
            outcome
        })
        .collect()
}

impl Outcome {
    /// The shift of Hodges and Lehmann, with the bounds that the test would not have found to differ.
    fn measure(&mut self, group: &Group, found: &Difference, bin_width: f64) {
        let pairs = differences(&merged(&group.before), &merged(&group.now));
        let ratio = |share: f64| {
            let difference = pairs.as_ref()?.quantile(share)?;
            Some((difference * bin_width).exp())
        };
        let reach = student_quantile(LEVEL, found.freedom) * found.standard_error;
        self.ratio = ratio(0.5);
        self.ratio_low = ratio(0.5 - reach);
        self.ratio_high = ratio(0.5 + reach);
    }

    fn in_words(&self, group: &Group, min_change: f64) -> String {
        let (before, now) = (operations(&group.before), operations(&group.now));
        if before.0 == 0 {
            return "only now".into();
        }
        if now.0 == 0 {
            return "only before".into();
        }
        let is_sure = |p: Option<f64>| p.is_some_and(|p| p < LEVEL);
        let rate = |(operations, errors): (u64, u64)| errors as f64 / operations as f64;
        let mut words = Vec::new();
        if is_sure(self.duration_p) {
            words.extend(change(
                self.ratio.unwrap_or(1.0),
                min_change,
                "slower",
                "faster",
            ));
        }
        if is_sure(self.error_p) {
            let ratio = rate(now) / rate(before);
            words.extend(change(ratio, min_change, "fails more", "fails less"));
        }
        match (words.as_slice(), self.duration_p.or(self.error_p)) {
            ([], None) => "too few".into(),
            ([], _) => "no difference".into(),
            (words, _) => words.join(", "),
        }
    }
}

/// What a ratio says, where it is far enough from 1 in either direction.
fn change(
    ratio: f64,
    min_change: f64,
    more: &'static str,
    less: &'static str,
) -> Option<&'static str> {
    if ratio >= 1.0 + min_change {
        Some(more)
    } else if ratio * (1.0 + min_change) <= 1.0 {
        Some(less)
    } else {
        None
    }
}

fn operations(blocks: &[Block]) -> (u64, u64) {
    let sums = blocks.iter().map(|block| (block.operations, block.errors));
    sums.fold((0, 0), |(all, bad), (operations, errors)| {
        (all + operations, bad + errors)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: f64 = 0.02;

    fn blocks(count: usize, bins: &[(i16, u64)], errors: u64) -> Vec<Block> {
        let block = Block {
            operations: bins.iter().map(|(_, count)| count).sum(),
            errors,
            bins: bins.to_vec(),
        };
        vec![block; count]
    }

    fn verdict(before: Vec<Block>, now: Vec<Block>) -> Outcome {
        judge(&[Group { before, now }], 0.1, WIDTH).remove(0)
    }

    #[test]
    fn verdicts_are_words() {
        let usual = || blocks(12, &[(100, 50), (110, 50)], 1);
        let of = |now: Vec<Block>| verdict(usual(), now).verdict;
        assert_eq!(of(usual()), "no difference");
        assert_eq!(of(blocks(12, &[(120, 50), (130, 50)], 1)), "slower");
        assert_eq!(
            of(blocks(12, &[(80, 50), (90, 50)], 30)),
            "faster, fails more"
        );
        assert_eq!(of(blocks(12, &[(100, 50), (110, 50)], 0)), "fails less");
        assert_eq!(of(blocks(3, &[(200, 50)], 50)), "too few");
        assert_eq!(of(Vec::new()), "only before");
        assert_eq!(verdict(Vec::new(), usual()).verdict, "only now");
        // A difference beyond doubt, of two bins and so of 4 %.
        let small = verdict(usual(), blocks(12, &[(102, 50), (112, 50)], 1));
        assert!(
            small.duration_p.unwrap() < 0.01 && small.verdict == "no difference",
            "{small:?}"
        );
    }

    #[test]
    fn a_ratio_lies_between_its_bounds() {
        let outcome = verdict(
            blocks(12, &[(100, 20), (105, 60), (110, 20)], 1),
            blocks(12, &[(120, 20), (125, 60), (130, 20)], 1),
        );
        let (low, ratio, high) = (outcome.ratio_low, outcome.ratio, outcome.ratio_high);
        assert!(
            (ratio.unwrap() - (20.0 * WIDTH).exp()).abs() < 1e-9,
            "{ratio:?}"
        );
        assert!(low < ratio && ratio < high, "{outcome:?}");
    }

    #[test]
    fn what_is_found_among_many_has_to_be_surer() {
        let same = || blocks(12, &[(100, 50), (110, 50)], 1);
        let group = |now| Group {
            before: same(),
            now,
        };
        let slower = || blocks(12, &[(101, 50), (112, 50)], 1);
        let alone = judge(&[group(slower())], 0.0, WIDTH)[0].duration_p.unwrap();
        let mut groups = vec![group(slower())];
        groups.extend((0..9).map(|_| group(same())));
        let among = judge(&groups, 0.0, WIDTH)[0].duration_p.unwrap();
        assert!((among / alone - 10.0).abs() < 1e-6, "{among} {alone}");
    }
}
