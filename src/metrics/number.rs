//! Numbers as both exposition formats write them.

/// Whole numbers up to here are exact in a double, and written without an exponent.
const WHOLE_MAX: f64 = 1e15;

pub fn push(out: &mut Vec<u8>, value: f64) {
    if value.fract() == 0.0 && value.abs() < WHOLE_MAX {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(not_finite(value).as_bytes());
    }
}

/// A bucket's bound. It is a label, so it is text: `1.0` and `1` would be two series to a scraper, and OpenMetrics wants
/// the first.
pub fn bound(value: f64) -> String {
    if value.is_finite() {
        zmij::Buffer::new().format_finite(value).to_owned()
    } else {
        not_finite(value).to_owned()
    }
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_reads_back_as_itself() {
        for value in [
            0.0,
            -0.0,
            1.0,
            -7.0,
            0.1,
            1e15,
            1e-7,
            123_456.789,
            f64::MAX,
            f64::MIN_POSITIVE,
            1e300,
        ] {
            let mut out = Vec::new();
            push(&mut out, value);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.parse::<f64>().unwrap(), value, "{text}");
            assert!(text.len() < 26, "{text}");
        }
        let mut out = Vec::new();
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
            .into_iter()
            .for_each(|value| push(&mut out, value));
        assert_eq!(out, b"NaN+Inf-Inf");
        assert_eq!(
            [1.0, 0.005, 120.0, f64::INFINITY].map(bound),
            ["1.0", "0.005", "120.0", "+Inf"]
        );
    }
}
