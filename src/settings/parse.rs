//! Sizes as people write them.

/// Powers of 1000 and of 1024, as DuckDB's `memory_limit` reads them.
const BYTE_UNITS: [(&str, u64); 8] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads `500MB`, `1.5 GiB`, `1048576B`.
pub fn bytes(text: &str) -> Option<u64> {
    let upper = text.trim().to_ascii_uppercase();
    let (number, unit) = BYTE_UNITS
        .iter()
        .find_map(|(name, unit)| Some((upper.strip_suffix(name)?, *unit)))
        .or_else(|| Some((upper.strip_suffix('B')?, 1)))?;
    let bytes = number.trim().parse::<f64>().ok()? * unit as f64;
    (bytes.is_finite() && (0.0..9e18).contains(&bytes)).then_some(bytes as u64)
}

/// A size in the largest unit that shows it exactly.
pub fn format_bytes(bytes: u64) -> String {
    BYTE_UNITS
        .iter()
        .filter(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        .max_by_key(|(_, unit)| *unit)
        .map_or_else(
            || format!("{bytes}B"),
            |(name, unit)| format!("{}{}", bytes / unit, name.replace('I', "i")),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_formatted_reads_back() {
        for count in [1, 999, 1_000, 1 << 20, 1_000_000_000, 1 << 30, 123_456_789] {
            let text = format_bytes(count);
            assert_eq!(bytes(&text), Some(count), "{text}");
        }
        assert_eq!(format_bytes(1_000_000_000), "1GB");
        assert_eq!(format_bytes(1 << 30), "1GiB");
    }

    #[test]
    fn sizes_need_a_unit() {
        assert_eq!(bytes("1.5 GiB"), Some(1_610_612_736));
        assert_eq!(bytes("10mb"), Some(10_000_000));
        for bad in ["", "10", "-1MB", "MB", "infMB", "10 bananas"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
