//! Time zones by the names that DuckDB has for them, and what their clocks show.

use super::unread::Unread;
use super::{FIRST_US, LAST_US, SECOND_US};
use crate::excerpt::excerpt;
use crate::nearest::nearest_by;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Names that only ICU knows, which is what DuckDB's sessions take theirs from.
const ICU_NAMES: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Maputo"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("Canada/East-Saskatchewan", "America/Regina"),
    ("EAT", "Africa/Nairobi"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("SystemV/AST4", "America/Puerto_Rico"),
    ("SystemV/AST4ADT", "America/Halifax"),
    ("SystemV/CST6", "America/Regina"),
    ("SystemV/CST6CDT", "America/Chicago"),
    ("SystemV/EST5", "EST"),
    ("SystemV/EST5EDT", "America/New_York"),
    ("SystemV/HST10", "Pacific/Honolulu"),
    ("SystemV/MST7", "America/Phoenix"),
    ("SystemV/MST7MDT", "America/Denver"),
    ("SystemV/PST8", "Pacific/Pitcairn"),
    ("SystemV/PST8PDT", "America/Los_Angeles"),
    ("SystemV/YST9", "Pacific/Gambier"),
    ("SystemV/YST9YDT", "America/Anchorage"),
    ("US/Pacific-New", "America/Los_Angeles"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// Further from UTC than any zone ever was.
const OFFSET_S_MAX: i64 = 16 * 3600;

enum Rules {
    Fixed { offset_s: i64 },
    Changing(tz::TimeZone),
}

struct Named {
    name: String,
    /// Read when they are first needed: most statements have no local time in them.
    rules: OnceLock<Option<Rules>>,
}

/// A time zone. The name may be one that oplog does not know; then only what needs its rules fails.
#[derive(Clone, Default)]
pub struct Zone {
    /// None is UTC.
    named: Option<Arc<Named>>,
}

impl Zone {
    pub const fn utc() -> Self {
        Self { named: None }
    }

    /// The zone of a session, by what its setting `TimeZone` says.
    pub fn of_session(name: String) -> Self {
        let named = (name != "UTC").then(|| {
            Arc::new(Named {
                name,
                rules: OnceLock::new(),
            })
        });
        Self { named }
    }

    /// A zone that somebody names: as in the time zone database, in any case, or an offset from UTC such as `+02:00`.
    pub fn named(name: &str) -> Result<Self, String> {
        let zone = Self::of_session(name.trim().to_owned());
        if zone.is_known() {
            return Ok(zone);
        }
        let shown = excerpt(name);
        Err(match probable(name) {
            Some(nearest) => format!("'{shown}' is no time zone; did you mean '{nearest}'?"),
            None => format!("'{shown}' is no time zone: give a name such as 'Europe/Berlin', or an offset such as '+02:00'"),
        })
    }

    pub fn name(&self) -> &str {
        self.named.as_ref().map_or("UTC", |named| &named.name)
    }

    /// None for UTC, and for a zone whose rules are unknown.
    fn rules(&self) -> Option<&Rules> {
        let named = self.named.as_ref()?;
        named.rules.get_or_init(|| rules(&named.name)).as_ref()
    }

    fn is_known(&self) -> bool {
        self.named.is_none() || self.rules().is_some()
    }

    /// Fails where the zone is that of a session and its rules are unknown.
    pub fn check(&self) -> Result<(), String> {
        if self.is_known() {
            return Ok(());
        }
        Err(format!(
            "TimeZone is '{}', whose rules oplog does not know: give times with an offset, such as \
             2026-01-31T12:00:00Z, or SET TimeZone to another name",
            self.name()
        ))
    }

    /// What the clocks are ahead of UTC at an instant. A zone that fails [`Zone::check`] counts as UTC.
    fn offset_us(&self, instant_us: i64) -> i64 {
        let offset_s = match self.rules() {
            None => 0,
            Some(Rules::Fixed { offset_s }) => *offset_s,
            Some(Rules::Changing(zone)) => zone
                .find_local_time_type(instant_us.div_euclid(SECOND_US))
                .map_or(0, |local| local.ut_offset().into()),
        };
        offset_s * SECOND_US
    }

    /// What the clocks show at an instant.
    pub fn local_us(&self, instant_us: i64) -> i64 {
        instant_us + self.offset_us(instant_us)
    }

    /// Whether the clocks show this local time when they are so much ahead of UTC.
    pub fn has_offset(&self, local_us: i64, offset_us: i64) -> bool {
        self.offset_us(local_us - offset_us) == offset_us
    }

    /// The offsets before and after any change of clocks that is near a local time.
    fn offsets_around(&self, local_us: i64) -> (i64, i64) {
        let reach_us = OFFSET_S_MAX * SECOND_US;
        (
            self.offset_us(local_us - reach_us),
            self.offset_us(local_us + reach_us),
        )
    }

    /// The instant of a local time, as ICU has it: of two the later one, and one that is skipped as if the clocks had not
    /// been changed yet.
    pub fn instant_us(&self, local_us: i64) -> i64 {
        let (before, after) = self.offsets_around(local_us);
        if self.has_offset(local_us, after) {
            local_us - after
        } else {
            local_us - before
        }
    }

    /// The same for a time that somebody has given. An infinite or very distant one is none in any zone, and stays what
    /// it is.
    pub fn resolve(&self, local_us: i64) -> Result<i64, Unread> {
        if !(FIRST_US..=LAST_US).contains(&local_us) {
            return Ok(local_us);
        }
        self.check().map_err(Unread::Zone)?;
        Ok(self.instant_us(local_us))
    }

    /// The first instant at which the clocks show a local time or a later one of the same day.
    pub(super) fn first_instant_us(&self, local_us: i64) -> i64 {
        let (before, after) = self.offsets_around(local_us);
        if self.has_offset(local_us, before) {
            local_us - before
        } else if self.has_offset(local_us, after) {
            local_us - after
        } else {
            self.change_us(local_us - after, local_us - before)
        }
    }

    pub(super) fn same_offset(&self, instant_us: i64, other_us: i64) -> bool {
        self.offset_us(instant_us) == self.offset_us(other_us)
    }

    /// The first instant after a change of clocks, which lies between the two.
    pub(super) fn change_us(&self, mut before_us: i64, mut after_us: i64) -> i64 {
        let after = self.offset_us(after_us);
        while after_us - before_us > 1 {
            let middle_us = before_us + (after_us - before_us) / 2;
            if self.offset_us(middle_us) == after {
                after_us = middle_us;
            } else {
                before_us = middle_us;
            }
        }
        after_us
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Zone").field(&self.name()).finish()
    }
}

fn rules(name: &str) -> Option<Rules> {
    let known = ICU_NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map_or(name, |(_, zone)| zone);
    if let Some(data) = tzdb_data::find_raw(known.as_bytes()) {
        return tz::TimeZone::from_tz_data(data).ok().map(Rules::Changing);
    }
    let offset_s = offset(name).or_else(|| {
        // ICU's own: GMT+2, UTC+02:30.
        let prefix = name.get(..3)?;
        let known = ["GMT", "UTC"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(prefix));
        offset(&name[3..]).filter(|_| known)
    })?;
    Some(Rules::Fixed { offset_s })
}

/// An offset from UTC in seconds: `Z`, `+2`, `+02`, `+0230`, `+02:30`, `-02:30:15`.
pub(super) fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts: Vec<&str> = if rest.contains(':') {
        rest.split(':').collect()
    } else {
        match rest.len() {
            1 | 2 => vec![rest],
            4 => vec![rest.get(..2)?, rest.get(2..)?],
            6 => vec![rest.get(..2)?, rest.get(2..4)?, rest.get(4..)?],
            _ => return None,
        }
    };
    let mut seconds = 0;
    for (at, part) in parts.iter().enumerate() {
        let digits =
            (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (at > 0 && part.len() != 2) || at > 2 {
            return None;
        }
        let number: i64 = part.parse().ok()?;
        if number > if at == 0 { 15 } else { 59 } {
            return None;
        }
        seconds += number * [3600, 60, 1][at];
    }
    Some(sign * seconds)
}

/// The name that was probably meant. A city without its continent is a common slip.
fn probable(name: &str) -> Option<&'static str> {
    let names = tzdb_data::TZ_NAMES.iter().copied();
    let cities = names
        .clone()
        .filter_map(|known| Some((known.rsplit_once('/')?.1, known)));
    let known = names.map(|known| (known, known)).chain(cities);
    nearest_by(name, known, |(part, _)| part).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::super::HOUR_US;
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        super::super::parse_time(text, &Zone::utc()).unwrap()
    }

    fn resolved(name: &str, local: &str) -> i64 {
        zone(name).instant_us(at(local))
    }

    #[test]
    fn a_local_time_that_comes_twice_is_the_later_and_a_skipped_one_counts_on() {
        for (name, local, instant) in [
            ("Europe/Berlin", "2026-07-01 12:00", "2026-07-01 10:00"),
            ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 01:30"),
            ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:30"),
            ("America/New_York", "2026-11-01 01:30", "2026-11-01 06:30"),
            (
                "Australia/Lord_Howe",
                "2026-04-05 01:45",
                "2026-04-04 15:15",
            ),
            ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00"),
            ("Europe/Berlin", "9999-07-01 12:00", "9999-07-01 10:00"),
            ("PST", "2026-07-01 12:00", "2026-07-01 19:00"),
            ("utc+05:30", "2026-07-01 12:00", "2026-07-01 06:30"),
            ("-03", "2026-07-01 12:00", "2026-07-01 15:00"),
        ] {
            assert_eq!(resolved(name, local), at(instant), "{name} {local}");
        }
    }

    #[test]
    fn the_first_instant_of_a_day_may_be_a_change_of_clocks() {
        // Clocks went from midnight to one o'clock.
        let sao_paulo = zone("America/Sao_Paulo");
        let start = sao_paulo.first_instant_us(at("2018-11-04 00:00"));
        assert_eq!(start, at("2018-11-04 03:00"));
        assert_eq!(sao_paulo.local_us(start), at("2018-11-04 01:00"));
        // Midnight came twice.
        let havana = zone("America/Havana");
        assert_eq!(
            havana.first_instant_us(at("2025-11-02 00:00")),
            at("2025-11-02 04:00")
        );
    }

    #[test]
    fn the_ends_of_the_range_can_be_looked_up_in_every_zone() {
        for name in tzdb_data::TZ_NAMES {
            let zone = zone(name);
            for local in [FIRST_US, LAST_US] {
                let instant = zone.instant_us(local);
                assert!((instant - local).abs() < 16 * HOUR_US, "{name}");
            }
        }
    }

    #[test]
    fn every_other_name_stands_for_a_zone() {
        for (name, _) in ICU_NAMES {
            assert!(zone(name).check().is_ok(), "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_is_told_the_nearest() {
        for (name, nearest) in [
            ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
            ("berlin", "did you mean 'Europe/Berlin'?"),
            ("new_york", "did you mean 'America/New_York'?"),
            ("zzzzzzzzzz", "give a name such as 'Europe/Berlin'"),
            ("", "give a name such as"),
            ("+25:00", "give a name such as"),
        ] {
            let error = Zone::named(name).unwrap_err();
            assert!(error.contains(nearest), "{error}");
        }
        assert!(Zone::of_session("Mars/Crater".into())
            .check()
            .unwrap_err()
            .starts_with("TimeZone is 'Mars/Crater', whose rules oplog does not know: "));
    }

    #[test]
    fn offsets_are_read_in_their_usual_forms() {
        for (text, seconds) in [
            ("Z", 0),
            ("+2", 7200),
            ("+02", 7200),
            ("-0230", -9000),
            ("+02:30", 9000),
            ("-00:30:15", -1815),
        ] {
            assert_eq!(offset(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "2",
            "+",
            "+2:3",
            "+200",
            "+02:60",
            "+16",
            "+02:30:15:1",
            "+é",
        ] {
            assert_eq!(offset(bad), None, "{bad}");
        }
    }
}
