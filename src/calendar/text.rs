//! Times as text: ISO 8601 and RFC 3339 with their zones, as DuckDB and the usual libraries write them.

use super::unread::Unread;
use super::{zone, Zone, DAY_US, INFINITY_US, MINUS_INFINITY_US, SECOND_US};
use crate::excerpt::excerpt;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

/// The instant that a text names. One that names no zone is the local time of `zone`.
pub fn parse(text: &str, zone: &Zone) -> Result<i64, Unread> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" | "inf" | "+inf" => return Ok(INFINITY_US),
        "-infinity" | "-inf" => return Ok(MINUS_INFINITY_US),
        "epoch" => return Ok(0),
        _ => {}
    }
    let (date, rest) = date(text).ok_or(Unread::NoTime)?;
    let (time_us, rest) = time(rest).ok_or(Unread::NoTime)?;
    let local_us = date
        .and_time(NaiveTime::MIN)
        .and_utc()
        .timestamp()
        .checked_mul(SECOND_US)
        .and_then(|micros| micros.checked_add(time_us))
        // Room for any offset.
        .filter(|micros| micros.abs() < i64::MAX - 2 * DAY_US)
        .ok_or(Unread::NoTime)?;
    instant(local_us, rest, zone)
}

/// The instant of a local time, by the zone that follows it in the text.
fn instant(local_us: i64, zone_text: &str, zone: &Zone) -> Result<i64, Unread> {
    let (stated, brackets) = match zone_text.find('[') {
        Some(at) => zone_text.split_at(at),
        None => (zone_text, ""),
    };
    let named = brackets_zone(brackets)?;
    let stated = stated.trim();
    if stated.is_empty() {
        let zone = named.as_ref().unwrap_or(zone);
        zone.check().map_err(Unread::Zone)?;
        return Ok(zone.instant_us(local_us));
    }
    if let Some(offset_s) = zone::offset(stated) {
        let offset_us = offset_s * SECOND_US;
        // Z before a name says that the local time is that of UTC (RFC 9557).
        let utc = stated.eq_ignore_ascii_case("z");
        return match named {
            Some(named) if !utc && !named.has_offset(local_us, offset_us) => {
                Err(Unread::Zone(format!(
                    "its offset {stated} is not that of {} at the time: leave one of them out",
                    named.name()
                )))
            }
            _ => Ok(local_us - offset_us),
        };
    }
    // DuckDB's own way: a name after a blank.
    let looks_like_a_name = zone_text.starts_with([' ', '\t'])
        && stated
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        && stated.bytes().all(|byte| byte.is_ascii_graphic());
    if !looks_like_a_name {
        return Err(Unread::NoTime);
    }
    if named.is_some() {
        return Err(Unread::Zone(
            "it names two zones: leave one of them out".into(),
        ));
    }
    let zone = Zone::named(stated).map_err(Unread::Zone)?;
    Ok(zone.instant_us(local_us))
}

/// The zone in brackets behind a time: `[Europe/Berlin]`, `[!Europe/Berlin]`, `[+02:00]`.
fn brackets_zone(text: &str) -> Result<Option<Zone>, Unread> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or(Unread::NoTime)?;
    let name = name.strip_prefix('!').unwrap_or(name);
    if name.contains(['[', ']', '=']) {
        return Err(Unread::Zone(format!(
            "{} says more than a zone: leave the rest out",
            excerpt(text)
        )));
    }
    Zone::named(name).map(Some).map_err(Unread::Zone)
}

/// A date at the beginning: `2026-01-31`, `2026/1/31` or `20260131`.
fn date(text: &str) -> Option<(NaiveDate, &str)> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (year, rest) = digits(unsigned, 1, 8)?;
    // Without separators only the usual eight digits are no puzzle.
    if year.len() == 8 {
        let date = NaiveDate::parse_from_str(year, "%Y%m%d").ok()?;
        return (unsigned.len() == text.len()).then_some((date, rest));
    }
    let separator = rest
        .bytes()
        .next()
        .filter(|byte| matches!(byte, b'-' | b'/'))?;
    let (month, rest) = digits(&rest[1..], 1, 2)?;
    if rest.bytes().next() != Some(separator) {
        return None;
    }
    let (day, rest) = digits(&rest[1..], 1, 2)?;
    let date = NaiveDate::from_ymd_opt(
        sign * year.parse::<i32>().ok()?,
        month.parse().ok()?,
        day.parse().ok()?,
    )?;
    Some((date, rest))
}

/// A time of day behind a date, in microseconds since midnight, and what follows it. No time is midnight.
fn time(text: &str) -> Option<(i64, &str)> {
    let begun = text
        .strip_prefix(['T', 't'])
        .or_else(|| text.strip_prefix(' ').map(str::trim_start))
        .filter(|rest| {
            rest.bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_digit())
        });
    let Some(rest) = begun else {
        return (!text.starts_with(['T', 't'])).then_some((0, text));
    };
    let (first, rest) = digits(rest, 1, 6)?;
    let ([hour, minute, second], rest) = match first.len() {
        1 | 2 => {
            let (minute, rest) = part(rest)?;
            let (second, rest) = if minute.is_empty() {
                ("", rest)
            } else {
                part(rest)?
            };
            ([first, minute, second], rest)
        }
        4 => ([&first[..2], &first[2..], ""], rest),
        6 => ([&first[..2], &first[2..4], &first[4..]], rest),
        _ => return None,
    };
    let (fraction_us, rest) = if second.is_empty() {
        (0, rest)
    } else {
        fraction(rest)?
    };
    let number = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<i64>().ok()
        }
    };
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    // A leap second has no number of its own among microseconds.
    let second = if second == 60 { 59 } else { second };
    let midnight = hour == 24 && minute == 0 && second == 0 && fraction_us == 0;
    if !(hour < 24 || midnight) || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    Some((seconds * SECOND_US + fraction_us, rest))
}

/// `:30`, where there is a colon.
fn part(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix(':') {
        Some(rest) => digits(rest, 1, 2),
        None => Some(("", text)),
    }
}

/// `.123456789`; what is finer than a microsecond is cut off, as DuckDB does.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else {
        return Some((0, text));
    };
    let (digits, rest) = digits(rest, 1, usize::MAX)?;
    let kept = &digits[..digits.len().min(6)];
    Some((
        kept.parse::<i64>().ok()? * 10_i64.pow(6 - kept.len() as u32),
        rest,
    ))
}

/// The digits at the beginning, of which there have to be so many.
fn digits(text: &str, least: usize, most: usize) -> Option<(&str, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    (least..=most).contains(&end).then(|| text.split_at(end))
}

/// An instant in RFC 3339, in UTC.
pub fn format_time(micros: i64) -> String {
    match civil(micros) {
        Ok(time) => format!("{}Z", written(time)),
        Err(text) => text,
    }
}

/// The day of a time, in UTC.
pub fn format_date(micros: i64) -> String {
    let mut day = format_local_time(micros);
    day.truncate(day.find(['T', ' ']).unwrap_or(day.len()));
    day
}

/// A local time, without a zone.
pub fn format_local_time(micros: i64) -> String {
    civil(micros).map_or_else(|text| text, written)
}

fn civil(micros: i64) -> Result<NaiveDateTime, String> {
    match micros {
        INFINITY_US => return Err("infinity".into()),
        i64::MIN..=MINUS_INFINITY_US => return Err("-infinity".into()),
        _ => {}
    }
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.naive_utc())
        .ok_or_else(|| {
            // Further away than any calendar goes.
            let years = micros.unsigned_abs() / 31_556_952_000_000;
            let side = if micros < 0 { "before" } else { "after" };
            format!("{years} years {side} 1970")
        })
}

fn written(time: NaiveDateTime) -> String {
    let micros = time.and_utc().timestamp_subsec_micros();
    let mut text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    if micros > 0 {
        text += format!(".{micros:06}").trim_end_matches('0');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{FIRST_US, LAST_US};
    use super::*;

    fn utc(text: &str) -> Result<i64, Unread> {
        parse(text, &Zone::utc())
    }

    #[test]
    fn the_usual_forms_are_read() {
        let noon = 1_782_907_200_000_000;
        for text in [
            "2026-07-01T12:00:00Z",
            "2026-07-01t12:00:00z",
            "2026-07-01 12:00:00",
            "2026-07-01 12:00",
            "2026-07-01T12",
            "2026/7/1 12:00:00",
            "20260701T120000Z",
            "20260701T1200",
            "2026-07-01T12:00:00.000000000Z",
            "2026-07-01T12:00:00,0Z",
            "  2026-07-01 14:00:00+02  ",
            "2026-07-01 14:00:00 +0200",
            "2026-07-01T14:00:00+02:00[Europe/Berlin]",
            "2026-07-01T12:00:00Z[Europe/Berlin]",
            "2026-07-01T14:00:00[Europe/Berlin]",
            "2026-07-01T14:00:00[!europe/berlin]",
            "2026-07-01T14:00:00[+02:00]",
            "2026-07-01 14:00:00 Europe/Berlin",
            "2026-07-01 05:00:00 PST",
            "2026-07-01 12:00:00 UTC",
            "2026-07-01 14:00:00 GMT+2",
        ] {
            assert_eq!(utc(text), Ok(noon), "{text}");
        }
        assert_eq!(utc("2026-07-01"), Ok(noon - DAY_US / 2));
        assert_eq!(utc("2026-06-30 24:00:00"), Ok(noon - DAY_US / 2));
        assert_eq!(utc("2026-07-01T12:00:00.1234567Z"), Ok(noon + 123_456));
        assert_eq!(utc("1969-12-31T23:59:59.5Z"), Ok(-500_000));
        assert_eq!(utc("epoch"), Ok(0));
    }

    #[test]
    fn a_local_time_is_that_of_the_zone() {
        let new_york = Zone::named("America/New_York").unwrap();
        assert_eq!(
            parse("2026-07-01 08:00:00", &new_york),
            utc("2026-07-01T12:00:00Z")
        );
        assert_eq!(
            parse("2026-07-01 08:00:00Z", &new_york),
            utc("2026-07-01T08:00:00Z")
        );
        assert_eq!(parse("2026-07-01", &new_york), utc("2026-07-01T04:00:00Z"));
    }

    #[test]
    fn zones_are_respected_or_refused() {
        for (text, problem) in [
            (
                "2026-07-01T12:00:00+03:00[Europe/Berlin]",
                "its offset +03:00 is not that of Europe/Berlin at the time: leave one of them out",
            ),
            (
                "2026-07-01T12:00:00[Europe/Berln]",
                "'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?",
            ),
            (
                "2026-07-01 12:00:00 Europe/Berln",
                "'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?",
            ),
            (
                "2026-07-01T12:00:00[u-ca=hebrew]",
                "[u-ca=hebrew] says more than a zone: leave the rest out",
            ),
            (
                "2026-07-01T12:00:00[Europe/Berlin][u-ca=iso8601]",
                "[Europe/Berlin][u-ca=iso8601] says more than a zone: leave the rest out",
            ),
            (
                "2026-07-01 12:00:00 UTC[Europe/Berlin]",
                "it names two zones: leave one of them out",
            ),
        ] {
            assert_eq!(utc(text), Err(Unread::Zone(problem.into())), "{text}");
        }
        let unknown = Zone::of_session("Mars/Crater".into());
        assert!(matches!(
            parse("2026-07-01 12:00:00", &unknown),
            Err(Unread::Zone(_))
        ));
        assert!(parse("2026-07-01 12:00:00Z", &unknown).is_ok());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "12:00:00",
            "2026",
            "2026-07",
            "2026-07/01",
            "2026-02-30",
            "2026-13-01",
            "2026-07-01T",
            "2026-07-01T25:00:00Z",
            "2026-07-01T24:00:01Z",
            "2026-07-01T12:60:00Z",
            "2026-07-01T12:00:61Z",
            "2026-07-01T12:00:00.Z",
            "2026-07-01T12:00:00 02:00",
            "2026-07-01T12:00:00Zulu",
            "2026-07-01 12:00:00Europe/Berlin",
            "2026-07-01T12:00:00[Europe/Berlin",
            "2026-07-01 12:00:00 (BC)",
            "2026-07-01 é",
            "-20260701",
            "0",
            "999999999999-01-01",
        ] {
            assert_eq!(utc(text), Err(Unread::NoTime), "{text}");
        }
    }

    #[test]
    fn the_years_1_to_9999_are_written_and_read_back() {
        for (micros, text) in [
            (FIRST_US, "0001-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (0, "1970-01-01T00:00:00Z"),
            (1_500_000, "1970-01-01T00:00:01.5Z"),
            (LAST_US, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(format_time(micros), text);
            assert_eq!(utc(text), Ok(micros));
        }
        assert_eq!(format_local_time(0), "1970-01-01T00:00:00");
        assert_eq!(utc("10000-01-01"), Ok(LAST_US + 1));
        assert_eq!(format_time(LAST_US + 1), "+10000-01-01T00:00:00Z");
        assert_eq!(utc("+10000-01-01T00:00:00Z"), Ok(LAST_US + 1));
        assert_eq!(format_time(INFINITY_US), "infinity");
        assert_eq!(format_time(i64::MIN), "-infinity");
        assert_eq!(utc("-Infinity"), Ok(MINUS_INFINITY_US));
        assert_eq!(format_time(INFINITY_US - 1), "292277 years after 1970");
    }
}
