//! P-values of many tests at once.

/// Holm's correction: where no test has anything to find, the chance that any of the values comes out below a level is that
/// level at most, however the tests hang together (Holm 1979, "A simple sequentially rejective multiple test procedure").
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![0.0; count];
    let mut at_least = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let value = p_values[index] * (count - rank) as f64;
        at_least = at_least.max(value.min(1.0));
        corrected[index] = at_least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrected_values_are_those_of_statsmodels() {
        // statsmodels.stats.multitest.multipletests(…, method="holm"), in the order given.
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        let expected = [0.04, 0.09, 0.09, 0.025, 0.5];
        for (mine, theirs) in corrected.iter().zip(expected) {
            assert!((mine - theirs).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.7, 0.9]), [1.0, 1.0]);
    }
}
