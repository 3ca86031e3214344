//! Sizes and intervals as people write them.

/// The unit `s`, `m`, `h`, … or its words, in microseconds. A month counts 30 days, as where DuckDB compares intervals.
fn unit_us(unit: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000;
    Some(match unit.to_ascii_lowercase().as_str() {
        "us" | "microsecond" | "microseconds" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => 86_400 * SECOND,
        "w" | "week" | "weeks" => 7 * 86_400 * SECOND,
        "mon" | "mons" | "month" | "months" => 30 * 86_400 * SECOND,
        "y" | "year" | "years" => 360 * 86_400 * SECOND,
        _ => return None,
    })
}

/// Reads `15m`, `1 day 12 hours`, or DuckDB's own `1 day 02:00:00.5`, in microseconds.
pub fn interval_us(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(clock) = clock_us(rest) {
            return total.checked_add(clock);
        }
        let number_end = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
            .unwrap_or(rest.len());
        let number: f64 = rest[..number_end].parse().ok()?;
        let tail = rest[number_end..].trim_start();
        let unit_end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let micros = number * unit_us(&tail[..unit_end])? as f64;
        // Far beyond any retention, and exact in a double.
        if micros.abs() > 9e15 {
            return None;
        }
        total = total.checked_add(micros.round() as i64)?;
        rest = tail[unit_end..].trim_start();
    }
    Some(total)
}

/// `[-]hh:mm:ss[.fraction]` to the end of the text.
fn clock_us(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    if parts.next().is_some() || !(0..60).contains(&minutes) || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    let micros = hours
        .checked_mul(3_600_000_000)?
        .checked_add(minutes * 60_000_000)?
        .checked_add((seconds * 1e6).round() as i64)?;
    Some(if negative { -micros } else { micros })
}

/// An interval in the largest units that show it exactly.
pub fn format_interval(micros: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
        (1_000, "ms"),
    ];
    for (unit, name) in UNITS {
        if micros != 0 && micros % unit == 0 {
            let count = micros / unit;
            let plural = if count == 1 || name == "ms" { "" } else { "s" };
            return format!("{count} {name}{plural}");
        }
    }
    if micros == 0 {
        return "0 seconds".into();
    }
    format!("{micros} us")
}

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
    fn intervals_are_read_as_people_and_duckdb_write_them() {
        for (text, micros) in [
            ("15m", 900_000_000),
            ("1h", 3_600_000_000),
            ("24h", 86_400_000_000),
            ("7d", 604_800_000_000),
            ("500 ms", 500_000),
            ("1.5 s", 1_500_000),
            ("1 day 12 hours", 129_600_000_000),
            ("1 day 02:00:00.5", 93_600_500_000),
            ("00:15:00", 900_000_000),
            ("-01:00:00", -3_600_000_000),
            ("1 month", 2_592_000_000_000),
            ("0 s", 0),
        ] {
            assert_eq!(interval_us(text), Some(micros), "{text}");
        }
        for bad in [
            "",
            "banana",
            "7",
            "5 parsecs",
            "1h banana",
            "1:99:00",
            "99999999999 years",
        ] {
            assert_eq!(interval_us(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_formatted_reads_back() {
        for micros in [
            0,
            1,
            999,
            1_000,
            60_000_000,
            5_400_000_000,
            604_800_000_000,
            -60_000_000,
        ] {
            let text = format_interval(micros);
            assert_eq!(interval_us(&text), Some(micros), "{text}");
        }
        for count in [1, 999, 1_000, 1 << 20, 1_000_000_000, 1 << 30, 123_456_789] {
            let text = format_bytes(count);
            assert_eq!(bytes(&text), Some(count), "{text}");
        }
        assert_eq!(format_bytes(1_000_000_000), "1GB");
        assert_eq!(format_bytes(1 << 30), "1GiB");
        assert_eq!(format_interval(604_800_000_000), "7 days");
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
