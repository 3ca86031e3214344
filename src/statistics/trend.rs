//! How fast something grows, and how sure that is: the slope of Theil and Sen.

use super::distribution::student_quantile;

/// How likely an interval is to miss what it is about.
const MISS: f64 = 0.05;

/// The quantile of the normal distribution for [`MISS`], in both directions.
const NORMAL: f64 = 1.959963984540054;

/// From this correlation of neighbours on, a series may be one that wanders: each point goes on from where the last one was.
const WANDERS_FROM: f64 = 0.5;

/// The most that neighbours are believed to be correlated.
const CORRELATION_MAX: f64 = 0.99;

/// By how much the variance of the slope through a series that wanders exceeds that of its mean step (Durlauf, Phillips 1988).
const OF_WANDERING: f64 = 1.2;

/// Fewer points say nothing of how they are correlated.
pub const POINTS_MIN: usize = 7;

/// Growth by the step, and the interval in which it is for 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    pub slope: f64,
    pub low: f64,
    pub high: f64,
}

impl Trend {
    /// The same for so many steps.
    pub fn times(self, steps: f64) -> Self {
        Self {
            slope: self.slope * steps,
            low: self.low * steps,
            high: self.high * steps,
        }
    }
}

/// The trend of points, each with the number of its step, in their order; none for fewer than [`POINTS_MIN`].
///
/// The slope is the median of the slopes between all pairs (Sen 1968), so that a few points that are far off do not matter. Its interval
/// is the one that goes with Kendall's test, wider by the correlation of neighbours (Bartlett 1935). Where that is strong, the
/// interval is at least that of the mean step of a series that wanders: the one before would be far too narrow.
pub fn trend(points: &[(i64, f64)]) -> Option<Trend> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let slopes = slopes(points);
    let slope = median(&slopes)?;
    let correlation = correlation(points, slope);
    let (mut low, mut high) = interval(&slopes, points, correlation);
    if correlation > WANDERS_FROM || !(high - low).is_finite() {
        let off = off_by_steps(points, slope);
        let or = |bound: f64, other: f64| if bound.is_finite() { bound } else { other };
        low = or(low, slope).min(slope - off);
        high = or(high, slope).max(slope + off);
    }
    Some(Trend { slope, low, high })
}

/// Between all pairs of points, the lowest first.
fn slopes(points: &[(i64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * (points.len() - 1) / 2);
    for (index, (step, value)) in points.iter().enumerate() {
        let later = points[index + 1..].iter();
        slopes.extend(later.map(|(after, other)| (other - value) / (after - step) as f64));
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes
}

/// The middle of numbers in their order.
fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        _ if sorted.is_empty() => None,
        0 => Some(f64::midpoint(sorted[half - 1], sorted[half])),
        _ => Some(sorted[half]),
    }
}

/// How much of what a point is off the trend is in the one a step later, 0 for less than that.
fn correlation(points: &[(i64, f64)], slope: f64) -> f64 {
    let mut off: Vec<f64> = points
        .iter()
        .map(|(step, value)| value - slope * (step - points[0].0) as f64)
        .collect();
    let mut sorted = off.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = median(&sorted).unwrap_or_default();
    for value in &mut off {
        *value -= middle;
    }
    let all: f64 = off.iter().map(|value| value * value).sum();
    let neighbours = points.windows(2).zip(off.windows(2));
    let together: f64 = neighbours
        .filter(|(pair, _)| pair[1].0 - pair[0].0 == 1)
        .map(|(_, off)| off[0] * off[1])
        .sum();
    let seen = if all > 0.0 { together / all } else { 0.0 };
    // What is seen once a trend has been taken away is less than what is (Marriott, Pope 1954).
    let corrected = seen + (2.0 + 4.0 * seen) / points.len() as f64;
    corrected.clamp(0.0, CORRELATION_MAX)
}

/// The interval of the median slope; infinite where the points are too few for the correlation that they have.
fn interval(slopes: &[f64], points: &[(i64, f64)], correlation: f64) -> (f64, f64) {
    let count = points.len() as f64;
    // So many points are as good as one that is independent.
    let alike = ((1.0 + correlation) / (1.0 - correlation)).min(count);
    let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - ties(points)) / 18.0;
    let width = NORMAL * (alike * variance.max(0.0)).sqrt();
    let pairs = slopes.len() as f64;
    // Ranks, counted from 1.
    let below = ((pairs - width) / 2.0).round();
    let above = ((pairs + width) / 2.0).round() + 1.0;
    if below < 1.0 || above > pairs {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    (slopes[below as usize - 1], slopes[above as usize - 1])
}

/// What equal values take off the variance.
fn ties(points: &[(i64, f64)]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
        .chunk_by(|left, right| left == right)
        .map(|tied| tied.len() as f64)
        .map(|tied| tied * (tied - 1.0) * (2.0 * tied + 5.0))
        .sum()
}

/// How far off the growth of a series that wanders may be, by how much its steps differ.
fn off_by_steps(points: &[(i64, f64)], slope: f64) -> f64 {
    let steps = points.windows(2).map(|pair| {
        let taken = (pair[1].0 - pair[0].0) as f64;
        let off = pair[1].1 - pair[0].1 - slope * taken;
        off * off / taken
    });
    let freedom = points.len() as f64 - 2.0;
    let variance = steps.sum::<f64>() / freedom;
    let span = (points[points.len() - 1].0 - points[0].0) as f64;
    student_quantile(MISS, freedom) * (OF_WANDERING * variance / span).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::simulated::normal;
    use super::*;
    use fastrand::Rng;

    fn of(values: &[f64]) -> Vec<(i64, f64)> {
        (0..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn slope_and_interval_are_those_of_scipy() {
        // stats.theilslopes(values, range(12), 0.95), scipy 1.17.1; these values are not correlated.
        let values = [
            3.0, 5.5, 4.1, 9.0, 7.2, 12.5, 10.1, 15.0, 13.3, 19.9, 16.2, 23.0,
        ];
        let slopes = slopes(&of(&values));
        let slope = median(&slopes).unwrap();
        assert!((slope - 1.5916666666666668).abs() < 1e-12, "{slope}");
        let (low, high) = interval(&slopes, &of(&values), 0.0);
        assert!(
            (low - 1.25).abs() < 1e-12 && (high - 2.0).abs() < 1e-12,
            "{low} {high}"
        );
    }

    #[test]
    fn a_line_is_known_exactly_and_outliers_do_not_matter() {
        let mut points: Vec<(i64, f64)> = (0..30).map(|step| (step, 2.5 * step as f64)).collect();
        let exact = Trend {
            slope: 2.5,
            low: 2.5,
            high: 2.5,
        };
        assert_eq!(trend(&points), Some(exact));
        points[7].1 = 1e9;
        points[20].1 = 0.0;
        let found = trend(&points).unwrap();
        assert!((found.slope - 2.5).abs() < 1e-9, "{found:?}");
        // A gap is as long as it is.
        points.drain(10..19);
        let found = trend(&points).unwrap();
        assert!((found.slope - 2.5).abs() < 1e-9, "{found:?}");
        assert_eq!(trend(&of(&[1.0; 30])).unwrap().high, 0.0);
        assert_eq!(trend(&points[..POINTS_MIN - 1]), None);
    }

    /// A series that remembers so much of what it was off before; one that remembers all of it wanders.
    fn series(random: &mut Rng, count: usize, memory: f64) -> Vec<(i64, f64)> {
        let mut off = match memory < 1.0 {
            true => normal(random) / (1.0 - memory * memory).sqrt(),
            false => 0.0,
        };
        let point = |step| {
            let point = (step, 3.0 * step as f64 + off);
            off = memory * off + normal(random);
            point
        };
        (0..count as i64).map(point).collect()
    }

    /// Of 100 intervals, how many have what they are about in them.
    fn right(count: usize, memory: f64) -> f64 {
        const TIMES: usize = 400;
        let mut random = Rng::with_seed(11);
        let hits = (0..TIMES).filter(|_| {
            let found = trend(&series(&mut random, count, memory)).unwrap();
            assert!(found.low <= found.slope && found.slope <= found.high);
            found.low <= 3.0 && 3.0 <= found.high
        });
        hits.count() as f64 * 100.0 / TIMES as f64
    }

    #[test]
    fn intervals_have_what_they_are_about() {
        for count in [14, 30, 90] {
            for memory in [0.0, 0.5, 0.8, 0.95, 1.0] {
                let right = right(count, memory);
                println!("{count} points, memory {memory}: {right} %");
                // Few points cannot tell that they wander.
                let least = if memory > 0.5 && count < 90 {
                    80.0
                } else {
                    89.0
                };
                assert!(right >= least, "{count} points, memory {memory}: {right} %");
            }
        }
    }

    #[test]
    fn more_points_say_more() {
        let width = |count| {
            let mut random = Rng::with_seed(5);
            let found = trend(&series(&mut random, count, 0.3)).unwrap();
            found.high - found.low
        };
        assert!(width(90) < width(30) / 2.0 && width(30) < width(10) / 2.0);
    }
}
