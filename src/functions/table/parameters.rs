//! The named parameters of the reading functions: types, validation, and the SQL that each stands for.

use crate::calendar::{
    format_interval, parse_time, Buckets, Interval, Unread, Width, Zone, FIRST_US, INFINITY_US,
    LAST_US, MINUS_INFINITY_US,
};
use crate::duckdb::{Cell, TableBind, TypeId};
use crate::excerpt::excerpt;
use crate::record::{parse_id, Field, Value, LOGGED_STATUSES};
use crate::store::Parameter as Bound;
use std::ops::{Bound as End, RangeBounds};

/// What a parameter does to the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Keeps the rows for which the condition holds; `$name` is its value.
    Filter(&'static str),
    /// How far the time range reaches back.
    Period,
    /// Where the time range begins, or ends: a time of any type, since 1.5.6 would cast it without the session's zone.
    Time,
    /// The zone in which buckets begin.
    Zone,
    /// The columns that rows are grouped by.
    By,
    /// The same; the weekday and the hour of the day are among them.
    ByTime,
    /// How long the period before is that a period is compared with.
    Baseline,
    /// A number between these, bound as `$name`; NULL where there is none.
    Number {
        default: Option<f64>,
        range: (End<f64>, End<f64>),
        remedy: &'static str,
    },
    /// A count of rows, 0 or more, bound as `$name`.
    Rows { default: i64 },
    /// The width of a time bucket.
    Bucket,
    /// Whether operations of the archive are read too.
    Archive,
    /// The id of an operation, which the SQL uses as `$name`. Any type will do: 1.5.6 casts no text to UUID here.
    Id,
}

/// A parameter of a function that reads the log.
pub struct Parameter {
    pub name: &'static str,
    pub type_id: TypeId,
    pub role: Role,
    pub meaning: &'static str,
}

impl Parameter {
    /// The type as the documentation has it: some are declared to take anything, since DuckDB would cast otherwise.
    pub fn type_name(&self) -> &'static str {
        match self.role {
            Role::Id => "UUID",
            Role::Time => "TIMESTAMPTZ, TIMESTAMP, DATE or VARCHAR",
            _ => self.type_id.sql_name(),
        }
    }
}

const fn filter(
    name: &'static str,
    type_id: TypeId,
    condition: &'static str,
    meaning: &'static str,
) -> Parameter {
    Parameter {
        name,
        type_id,
        role: Role::Filter(condition),
        meaning,
    }
}

pub const PERIOD: Parameter = Parameter {
    name: "period",
    type_id: TypeId::Varchar,
    role: Role::Period,
    meaning: "how far back: '15m', '1h', '24h', '7d', '1 month', '1 year' or any interval; days, months and years are those of the calendar",
};
pub const SINCE: Parameter = Parameter {
    name: "since",
    type_id: TypeId::Any,
    role: Role::Time,
    meaning: "from this time on; in place of period; '-infinity' for everything",
};
pub const UNTIL: Parameter = Parameter {
    name: "until",
    type_id: TypeId::Any,
    role: Role::Time,
    meaning: "before this time; open by default",
};
pub const BY: Parameter = Parameter {
    name: "by",
    type_id: TypeId::Varchar,
    role: Role::By,
    meaning: "columns to group by, separated by commas: command, status, project_id, branch_id, bucket_name, table_name, error_code, source",
};
pub const BUCKET: Parameter = Parameter {
    name: "bucket",
    type_id: TypeId::Varchar,
    role: Role::Bucket,
    meaning: "width of a bucket, such as '1m', '1d', '1w' or '1 month'; by default one that gives about 60",
};
pub const ARCHIVE: Parameter = Parameter {
    name: "archive",
    type_id: TypeId::Boolean,
    role: Role::Archive,
    meaning: "whether to read the archive too: what retention has deleted, and oplog_archive_set has written to files before",
};
pub const METRIC: Parameter = filter(
    "metric",
    TypeId::Varchar,
    "metric GLOB $metric",
    "GLOB pattern of the metrics: FROM oplog_history_metrics() lists them",
);
pub const TIMEZONE: Parameter = Parameter {
    name: "timezone",
    type_id: TypeId::Varchar,
    role: Role::Zone,
    meaning: "zone whose days, weeks, months and hours the buckets are, such as 'Europe/Berlin'; by default that of the session",
};

const fn is_filter(field: Field) -> bool {
    !field.filter().is_empty()
}

const FILTER_FIELDS: usize = {
    let (mut count, mut at) = (0, 0);
    while at < Field::ALL.len() {
        count += is_filter(Field::ALL[at]) as usize;
        at += 1;
    }
    count
};

/// The filters that every reading function takes: a field, or a duration.
pub const FILTERS: &[Parameter] = &{
    let mut filters = [const {
        filter(
            "min_duration_ms",
            TypeId::Double,
            "duration_ms >= $min_duration_ms",
            "operations that took this long or longer, in milliseconds",
        )
    }; FILTER_FIELDS + 1];
    let (mut count, mut at) = (0, 0);
    while at < Field::ALL.len() {
        let field = Field::ALL[at];
        if is_filter(field) {
            filters[count] = filter(
                field.name(),
                TypeId::Varchar,
                field.condition(),
                field.filter(),
            );
            count += 1;
        }
        at += 1;
    }
    filters
};

/// What rows can be grouped by.
const GROUPINGS: [&str; 8] = [
    "command",
    "status",
    "project_id",
    "branch_id",
    "bucket_name",
    "table_name",
    "error_code",
    "source",
];

/// What can be told of the hour in which an operation ended.
pub const WEEKDAY: &str = "weekday";
pub const DAY: &str = "day";
pub const HOUR: &str = "hour";

/// The time range of a question, resolved anew each time it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub period: Option<Interval>,
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    /// That of the session: of times without one, and of the days and months of a period.
    pub zone: Zone,
}

impl Range {
    /// The bounds in microseconds since 1970, where the range has them.
    pub fn bounds(&self, now_us: i64) -> Result<(Option<i64>, Option<i64>), String> {
        let since_us = match (self.since_us, self.period) {
            (None, Some(period)) => {
                if period.needs_calendar() {
                    self.zone.check()?;
                }
                Some(period.before(self.until_us.unwrap_or(now_us), &self.zone))
            }
            (since_us, _) => since_us,
        };
        Ok((since_us, self.until_us))
    }

    /// How long it is, in words; none where it has no beginning.
    pub fn length(&self, now_us: i64) -> Result<Option<String>, String> {
        if let (None, Some(period)) = (self.since_us, self.period) {
            if period.months != 0 {
                return Ok(Some(period.to_string()));
            }
            return Ok(Some(format_interval(period.length_us())));
        }
        let (since_us, until_us) = self.bounds(now_us)?;
        Ok(since_us.map(|since_us| {
            let length = until_us.unwrap_or(now_us) - since_us;
            // A bound that was calculated from now() is some milliseconds off.
            format_interval((length + 500_000).div_euclid(1_000_000) * 1_000_000)
        }))
    }
}

/// Values by the names that the SQL has for them.
pub type Named = Vec<(&'static str, Bound)>;

/// The parameters of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    pub conditions: Vec<&'static str>,
    pub bound: Named,
    pub range: Range,
    pub by: Vec<&'static str>,
    pub bucket: Option<Width>,
    pub baseline: Option<Interval>,
    /// The columns that are filtered by.
    pub filtered: Vec<&'static str>,
    /// Where it is not the session's.
    pub timezone: Option<Zone>,
    pub archive: bool,
}

impl Arguments {
    /// Reads and checks the parameters that were given. `given` has the value of one, in the kind of its type.
    pub fn read(
        given: impl Fn(&Parameter) -> Result<Option<Bound>, String>,
        parameters: &[&Parameter],
        default_period: Option<&str>,
        default_by: &[&'static str],
        zone: Zone,
    ) -> Result<Self, String> {
        let mut arguments = Self {
            by: default_by.to_vec(),
            ..Self::default()
        };
        let mut range = Range {
            zone,
            ..Range::default()
        };
        let mut everything = false;
        for parameter in parameters {
            let name = parameter.name;
            let Some(value) = given(parameter)? else {
                arguments
                    .bound
                    .extend(left_out(parameter).map(|bound| (name, bound)));
                continue;
            };
            match (parameter.role, value) {
                (Role::Filter(condition), value) => {
                    let bound = match value {
                        Bound::Text(text) => Bound::Text(checked(name, text)?),
                        number => number,
                    };
                    arguments.conditions.push(condition);
                    arguments.filtered.push(name);
                    arguments.bound.push((name, bound));
                }
                (Role::Number { range, remedy, .. }, Bound::Double(number)) => {
                    if !range.contains(&number) {
                        return Err(format!("{name} is {number}: {remedy}"));
                    }
                    arguments.bound.push((name, Bound::Double(number)));
                }
                (Role::Time, Bound::Time(micros)) if name == "since" => {
                    everything = micros == MINUS_INFINITY_US;
                    range.since_us = (!everything).then_some(micros);
                }
                (Role::Time, Bound::Time(micros)) => {
                    range.until_us = (micros != INFINITY_US).then_some(micros);
                }
                (Role::Period, Bound::Text(text)) => {
                    range.period = Some(period(name, &text)?);
                }
                (Role::Baseline, Bound::Text(text)) => {
                    arguments.baseline = Some(period(name, &text)?);
                }
                (Role::By, Bound::Text(text)) => arguments.by = groupings(&text, &GROUPINGS)?,
                (Role::ByTime, Bound::Text(text)) => {
                    let known = [GROUPINGS.as_slice(), &[WEEKDAY, HOUR]].concat();
                    arguments.by = groupings(&text, &known)?;
                }
                (Role::Bucket, Bound::Text(text)) => {
                    arguments.bucket = Some(width(name, &text)?);
                }
                (Role::Zone, Bound::Text(text)) => {
                    let zone = Zone::named(&text);
                    arguments.timezone = Some(zone.map_err(|error| format!("{name}: {error}"))?);
                }
                (Role::Rows { .. }, Bound::Integer(rows)) => {
                    if rows < 0 {
                        return Err(format!("{name} is {rows}: give 0 or more"));
                    }
                    arguments.bound.push((name, Bound::Integer(rows)));
                }
                (Role::Archive, Bound::Integer(given)) => arguments.archive = given != 0,
                (Role::Id, Bound::Text(text)) => {
                    arguments.bound.push((name, Bound::Text(id(name, text)?)));
                }
                (_, value) => return Err(format!("{name} cannot be {value:?}")),
            }
        }
        if range.period.is_some() && (range.since_us.is_some() || everything) {
            return Err("period and since are both given: give one of them".into());
        }
        if let (Some(since), Some(until)) = (range.since_us, range.until_us) {
            if since > until {
                return Err("since is later than until: exchange them".into());
            }
        }
        if range.since_us.is_none() && range.period.is_none() && !everything {
            range.period = default_period.and_then(Interval::parse);
        }
        arguments.range = range;
        if let Some(at) = arguments.by.iter().position(|column| *column == WEEKDAY) {
            arguments.by.insert(at + 1, DAY);
        }
        Ok(arguments)
    }

    /// The columns of the log that rows are grouped by.
    pub fn columns(&self) -> Vec<&'static str> {
        let by = self.by.iter().copied();
        by.filter(|column| GROUPINGS.contains(column)).collect()
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let mut bound = self.bound.iter().filter(|(bound, _)| *bound == name);
        match bound.next() {
            Some((_, Bound::Double(number))) => Some(*number),
            _ => None,
        }
    }

    /// The condition that stands for `{filters}`, and its parameters.
    pub fn filters(&self, now_us: i64) -> Result<(String, Named), String> {
        let mut conditions = self.conditions.clone();
        let mut bound = self.bound.clone();
        let (since, until) = self.range.bounds(now_us)?;
        if let Some(since) = since {
            conditions.push("timestamp >= $since");
            bound.push(("since", Bound::Time(since)));
        }
        if let Some(until) = until {
            conditions.push("timestamp < $until");
            bound.push(("until", Bound::Time(until)));
        }
        let text = if conditions.is_empty() {
            "true".to_owned()
        } else {
            conditions.join(" AND ")
        };
        Ok((text, bound))
    }

    /// The buckets of a timeline.
    pub fn buckets(&self, now_us: i64) -> Result<Buckets, String> {
        let (since, until) = self.range.bounds(now_us)?;
        let since =
            since.ok_or("since is -infinity: give a time, so that there is a first bucket")?;
        let until = until.unwrap_or(now_us);
        let width = self
            .bucket
            .unwrap_or_else(|| Width::for_length(until.saturating_sub(since)));
        let zone = self.timezone.as_ref().unwrap_or(&self.range.zone);
        Buckets::between(since, until, width, zone)
    }
}

/// What is bound for a parameter that is left out, where anything is.
fn left_out(parameter: &Parameter) -> Option<Bound> {
    match parameter.role {
        Role::Rows { default } => Some(Bound::Integer(default)),
        Role::Number { default, .. } => Some(default.map_or(Bound::Null, Bound::Double)),
        _ => None,
    }
}

/// A named parameter of a call in SQL, none where it is left out or NULL. `zone` is that of times without one.
pub fn from_call(
    bind: &TableBind<'_>,
    parameter: &Parameter,
    zone: &Zone,
) -> Result<Option<Bound>, String> {
    let Some(value) = bind.named(parameter.name) else {
        return Ok(None);
    };
    Ok(Some(match (parameter.role, parameter.type_id) {
        (Role::Time, _) => Bound::Time(time(parameter.name, value.time_cell(), zone)?),
        (_, TypeId::Double) => Bound::Double(value.double()),
        (_, TypeId::BigInt) => Bound::Integer(value.int64()),
        (_, TypeId::Boolean) => Bound::Integer(value.boolean().into()),
        _ => Bound::Text(
            value
                .text()
                .map_err(|problem| format!("{} is {problem}", parameter.name))?,
        ),
    }))
}

/// A parameter that is given as text, where there is no session: a time without a zone is UTC.
pub fn from_text(parameter: &Parameter, text: &str) -> Result<Bound, String> {
    let (value, remedy) = match (parameter.role, parameter.type_id) {
        (Role::Time, _) => {
            let cell = Cell::Text(text.into());
            return time(parameter.name, cell, &Zone::utc()).map(Bound::Time);
        }
        (_, TypeId::Double) => (
            text.parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Bound::Double),
            "give a number",
        ),
        (_, TypeId::BigInt) => (
            text.parse().ok().map(Bound::Integer),
            "give a whole number of 0 or more",
        ),
        (_, TypeId::Boolean) => (
            text.parse()
                .ok()
                .map(|given: bool| Bound::Integer(given.into())),
            "give true or false",
        ),
        _ => (Some(Bound::Text(text.to_owned())), ""),
    };
    value.ok_or_else(|| format!("{} is '{}': {remedy}", parameter.name, excerpt(text)))
}

/// A bound of the time range. It may be infinite on its own side.
fn time(name: &str, given: Cell<'_>, zone: &Zone) -> Result<i64, String> {
    let (value, instant) = match given {
        Cell::Text(text) => {
            let instant = parse_time(&text, zone);
            (Value::Text(text), instant)
        }
        Cell::Timestamp(micros) => (Value::Time(micros), Ok(micros)),
        Cell::LocalTimestamp(micros) => (Value::LocalTime(micros), zone.resolve(micros)),
        Cell::Other(type_id) => {
            return Err(format!(
                "{name} is of type {}: give a TIMESTAMPTZ, a TIMESTAMP, a DATE or text; for seconds since 1970 use \
                 to_timestamp()",
                type_id.sql_name()
            ));
        }
        _ => return Err(format!("{name} is no time: give a TIMESTAMPTZ")),
    };
    let open_us = if name == "since" {
        MINUS_INFINITY_US
    } else {
        INFINITY_US
    };
    match instant {
        Ok(micros) if micros == open_us || (FIRST_US..=LAST_US).contains(&micros) => Ok(micros),
        Ok(_) => Err(format!(
            "{name} is {value}: give a time in the years 1 to 9999, or '{}' for an open end",
            if name == "since" {
                "-infinity"
            } else {
                "infinity"
            }
        )),
        Err(Unread::Zone(problem)) => Err(format!("{name} is {value}: {problem}")),
        Err(Unread::NoTime) => Err(format!(
            "{name} is {value}: give a time such as 2026-01-31T12:00:00Z"
        )),
    }
}

/// The text of a UUID: 32 hexadecimal digits, dashes wherever.
pub fn id(name: &str, text: String) -> Result<String, String> {
    if parse_id(&text).is_some() {
        return Ok(text);
    }
    Err(format!(
        "{name} is '{}': give the UUID that oplog_record returned",
        excerpt(&text)
    ))
}

/// Text that has few valid values is checked, so that a slip is no empty answer.
fn checked(name: &str, text: String) -> Result<String, String> {
    if name == Field::Status.name() && !LOGGED_STATUSES.contains(&text.as_str()) {
        return Err(format!(
            "status is '{}': a status is {}",
            excerpt(&text),
            LOGGED_STATUSES.join(", ")
        ));
    }
    Ok(text)
}

fn period(name: &str, text: &str) -> Result<Interval, String> {
    match Interval::parse(text) {
        Some(interval) if interval.length_us() > 0 => Ok(interval),
        _ => Err(format!(
            "{name} is {}: give a positive interval such as '15m', '1h', '7d' or '1 day 12 hours'",
            Value::Text(text.into())
        )),
    }
}

fn width(name: &str, text: &str) -> Result<Width, String> {
    Width::of(Interval::parse(text).unwrap_or_default())
        .map_err(|remedy| format!("{name} is {}: {remedy}", Value::Text(text.into())))
}

fn groupings(text: &str, known: &[&'static str]) -> Result<Vec<&'static str>, String> {
    let mut by = Vec::new();
    for name in text.split(',').map(str::trim) {
        let lower = name.to_ascii_lowercase();
        let Some(grouping) = known.iter().copied().find(|known| *known == lower) else {
            return Err(format!(
                "by is '{}': '{}' is no column to group by; give any of {}",
                excerpt(text),
                excerpt(name),
                known.join(", ")
            ));
        };
        if !by.contains(&grouping) {
            by.push(grouping);
        }
    }
    Ok(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groupings_come_in_any_case_and_spacing_once_each() {
        assert_eq!(
            groupings(" Command,status , command", &GROUPINGS),
            Ok(vec!["command", "status"])
        );
        assert!(groupings("command,comand", &GROUPINGS)
            .unwrap_err()
            .starts_with(
                "by is 'command,comand': 'comand' is no column to group by; give any of command,"
            ));
        assert!(groupings("", &GROUPINGS).is_err());
    }

    #[test]
    fn text_is_read_as_the_type_of_its_parameter() {
        let duration = FILTERS.last().unwrap();
        assert_eq!(from_text(duration, "1.5e3"), Ok(Bound::Double(1500.0)));
        assert_eq!(
            from_text(&SINCE, "1970-01-01T00:00:01+00:00"),
            Ok(Bound::Time(1_000_000))
        );
        assert_eq!(from_text(&PERIOD, "1h"), Ok(Bound::Text("1h".into())));
        for (parameter, text) in [(duration, "NaN"), (duration, ""), (&SINCE, "yesterday")] {
            let error = from_text(parameter, text).unwrap_err();
            let start = format!("{} is '{text}': give a ", parameter.name);
            assert!(error.starts_with(&start), "{error}");
        }
    }

    #[test]
    fn a_period_counts_back_from_until_by_the_calendar_of_the_session() {
        const DAY: i64 = 86_400_000_000;
        let month = Range {
            period: Interval::parse("1 month"),
            since_us: None,
            until_us: Some(31 * DAY),
            zone: Zone::utc(),
        };
        assert_eq!(month.bounds(500), Ok((Some(0), Some(31 * DAY))));
        assert_eq!(month.length(500), Ok(Some("1 month".into())));
        let open = Range {
            period: Interval::parse("400 us"),
            until_us: None,
            ..month.clone()
        };
        assert_eq!(open.bounds(500), Ok((Some(100), None)));
        let unknown = Range {
            zone: Zone::of_session("Mars/Crater".into()),
            ..month
        };
        assert!(unknown.bounds(500).is_err());
    }

    #[test]
    fn a_time_range_may_be_open_and_no_bound_is_out_of_range() {
        let text = |text: &'static str| Cell::Text(text.into());
        assert_eq!(
            time("since", text("-infinity"), &Zone::utc()),
            Ok(MINUS_INFINITY_US)
        );
        assert_eq!(
            time("until", text("infinity"), &Zone::utc()),
            Ok(INFINITY_US)
        );
        for (name, cell, error) in [
            (
                "since",
                text("infinity"),
                "since is 'infinity': give a time in the years 1 to 9999, or '-infinity' for an open end",
            ),
            (
                "until",
                Cell::LocalTimestamp(MINUS_INFINITY_US),
                "until is -infinity: give a time in the years 1 to 9999, or 'infinity' for an open end",
            ),
            (
                "until",
                Cell::Timestamp(LAST_US + 1),
                "until is +10000-01-01T00:00:00Z: give a time in the years 1 to 9999, or 'infinity' for an open end",
            ),
            (
                "since",
                Cell::Other(TypeId::Integer),
                "since is of type INTEGER: give a TIMESTAMPTZ, a TIMESTAMP, a DATE or text; for seconds since 1970 use to_timestamp()",
            ),
        ] {
            assert_eq!(time(name, cell, &Zone::utc()), Err(error.into()));
        }
    }

    #[test]
    fn filters_name_only_what_was_given() {
        let mut arguments = Arguments::default();
        assert_eq!(arguments.filters(0).unwrap().0, "true");
        arguments.conditions.push("command = $command");
        arguments.range.since_us = Some(5);
        let (text, bound) = arguments.filters(0).unwrap();
        assert_eq!(text, "command = $command AND timestamp >= $since");
        assert_eq!(bound, [("since", Bound::Time(5))]);
    }

    #[test]
    fn buckets_need_a_beginning() {
        const HOUR: i64 = 3_600_000_000;
        let mut arguments = Arguments::default();
        arguments.range.period = Interval::parse("1h");
        let now = 500_000 * HOUR + 90_000_000;
        let buckets = arguments.buckets(now).unwrap();
        assert_eq!(buckets.starts_us[0], 499_999 * HOUR + 60_000_000);
        assert_eq!((buckets.end_us, buckets.gap_us), (now, 60_000_000));
        arguments.range.period = None;
        assert!(arguments
            .buckets(now)
            .unwrap_err()
            .starts_with("since is -infinity: give a time"));
    }
}
