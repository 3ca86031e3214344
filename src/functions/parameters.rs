//! The named parameters of the reading functions: types, validation, and the SQL that each stands for.

use crate::host::{TableBind, TypeId};
use crate::record::{parse_id, parse_time_us, Field, LOGGED_STATUSES};
use crate::settings::parse_interval_us;
use crate::store::Parameter as Bound;

/// What a parameter does to the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Keeps the rows for which the condition holds; `$name` is its value.
    Filter(&'static str),
    /// The time range: `since`, `until` and `period`.
    Range,
    /// The columns that rows are grouped by.
    By,
    /// A count of rows, 0 or more, bound as `$name`.
    Rows { default: i64 },
    /// The width of a time bucket.
    Bucket,
    /// The id of an operation, which the SQL uses as `$name`. Any type will do: 1.5.6 casts no text to UUID here.
    Id,
}

/// A parameter of a reading function.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub struct Parameter {
    pub name: &'static str,
    pub type_id: TypeId,
    pub role: Role,
    pub meaning: &'static str,
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
    role: Role::Range,
    meaning: "how far back: '15m', '1h', '24h', '7d', '30d' or any interval",
};
pub const SINCE: Parameter = Parameter {
    name: "since",
    type_id: TypeId::TimestampTz,
    role: Role::Range,
    meaning: "from this time on; in place of period",
};
pub const UNTIL: Parameter = Parameter {
    name: "until",
    type_id: TypeId::TimestampTz,
    role: Role::Range,
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
    meaning: "width of a bucket, such as '1m'; by default one that gives about 60",
};

/// The filters that every reading function takes.
pub const FILTERS: &[Parameter] = &[
    filter(
        "command",
        TypeId::Varchar,
        "command = $command",
        "this command only",
    ),
    filter(
        "status",
        TypeId::Varchar,
        "status = $status",
        "this status only",
    ),
    filter(
        "project_id",
        TypeId::Varchar,
        "project_id = $project_id",
        "this project only",
    ),
    filter(
        "branch_id",
        TypeId::Varchar,
        "branch_id = $branch_id",
        "this branch only",
    ),
    filter(
        "bucket_name",
        TypeId::Varchar,
        "bucket_name = $bucket_name",
        "this bucket only",
    ),
    filter(
        "table_name",
        TypeId::Varchar,
        "table_name = $table_name",
        "this table only",
    ),
    filter(
        "request_id",
        TypeId::Varchar,
        "request_id = $request_id",
        "this request only",
    ),
    filter(
        "connection_job_id",
        TypeId::Varchar,
        "connection_job_id = $connection_job_id",
        "this job only",
    ),
    filter(
        "connection_run_id",
        TypeId::Varchar,
        "connection_run_id = $connection_run_id",
        "this run of a job only",
    ),
    filter(
        "trace_id",
        TypeId::Varchar,
        "trace_id = $trace_id",
        "this trace only",
    ),
    filter(
        "min_duration_ms",
        TypeId::Double,
        "duration_ms >= $min_duration_ms",
        "operations that took this long or longer, in milliseconds",
    ),
];

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

/// Buckets that a timeline may have.
const BUCKETS_MAX: i64 = 10_000;
/// Buckets that a timeline has at most where no width is given.
const BUCKETS_DEFAULT_MAX: i64 = 60;

/// The time range of a question, resolved anew each time it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub period_us: Option<i64>,
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
}

impl Range {
    /// The bounds in microseconds since 1970, where the range has them.
    pub fn bounds(&self, now_us: i64) -> (Option<i64>, Option<i64>) {
        let since = self.since_us.or_else(|| {
            self.period_us
                .map(|period| self.until_us.unwrap_or(now_us).saturating_sub(period))
        });
        (since, self.until_us)
    }
}

/// The parameters of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    pub conditions: Vec<&'static str>,
    pub bound: Vec<(&'static str, Bound)>,
    pub range: Range,
    pub by: Vec<&'static str>,
    pub bucket_us: Option<i64>,
}

impl Arguments {
    /// Reads and checks the parameters that were given. `given` has the value of one, in the kind of its type.
    pub fn read(
        given: impl Fn(&Parameter) -> Result<Option<Bound>, String>,
        parameters: &[&Parameter],
        default_period: Option<&str>,
        default_by: &[&'static str],
    ) -> Result<Self, String> {
        let mut arguments = Self {
            by: default_by.to_vec(),
            ..Self::default()
        };
        for parameter in parameters {
            let name = parameter.name;
            let Some(value) = given(parameter)? else {
                if let Role::Rows { default } = parameter.role {
                    arguments.bound.push((name, Bound::Integer(default)));
                }
                continue;
            };
            match (parameter.role, value) {
                (Role::Filter(condition), value) => {
                    let bound = match value {
                        Bound::Text(text) => Bound::Text(checked(name, text)?),
                        number => number,
                    };
                    arguments.conditions.push(condition);
                    arguments.bound.push((name, bound));
                }
                (Role::Range, Bound::Time(micros)) if name == "since" => {
                    arguments.range.since_us = Some(micros);
                }
                (Role::Range, Bound::Time(micros)) => arguments.range.until_us = Some(micros),
                (Role::Range, Bound::Text(text)) => {
                    arguments.range.period_us = Some(positive_interval(name, &text)?);
                }
                (Role::By, Bound::Text(text)) => arguments.by = groupings(&text)?,
                (Role::Bucket, Bound::Text(text)) => {
                    arguments.bucket_us = Some(positive_interval(name, &text)?);
                }
                (Role::Rows { .. }, Bound::Integer(rows)) => {
                    if rows < 0 {
                        return Err(format!("{name} is {rows}: give 0 or more"));
                    }
                    arguments.bound.push((name, Bound::Integer(rows)));
                }
                (Role::Id, Bound::Text(text)) => {
                    arguments.bound.push((name, Bound::Text(id(name, text)?)));
                }
                (_, value) => return Err(format!("{name} cannot be {value:?}")),
            }
        }
        let range = &mut arguments.range;
        if range.period_us.is_some() && range.since_us.is_some() {
            return Err("period and since are both given: give one of them".into());
        }
        if let (Some(since), Some(until)) = (range.since_us, range.until_us) {
            if since > until {
                return Err("since is later than until: exchange them".into());
            }
        }
        if range.since_us.is_none() && range.period_us.is_none() {
            range.period_us = default_period.and_then(parse_interval_us);
        }
        Ok(arguments)
    }

    /// The condition that stands for `{filters}`, and its parameters.
    pub fn filters(&self, now_us: i64) -> (String, Vec<(&'static str, Bound)>) {
        let mut conditions = self.conditions.clone();
        let mut bound = self.bound.clone();
        let (since, until) = self.range.bounds(now_us);
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
        (text, bound)
    }

    /// The first bucket's start, the end of the last and the width, aligned to whole widths since 1970.
    pub fn buckets(&self, now_us: i64) -> Result<(i64, i64, i64), String> {
        /// Widths that people read easily.
        const WIDTHS_S: [i64; 17] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200,
            86_400,
        ];
        let (since, until) = self.range.bounds(now_us);
        let until = until.unwrap_or(now_us);
        let since = since.unwrap_or(until);
        let length = until.saturating_sub(since);
        let width = self.bucket_us.unwrap_or_else(|| {
            WIDTHS_S
                .into_iter()
                .map(|seconds| seconds * 1_000_000)
                .find(|width| length / width <= BUCKETS_DEFAULT_MAX)
                .unwrap_or_else(|| {
                    (length / BUCKETS_DEFAULT_MAX / 86_400_000_000 + 1) * 86_400_000_000
                })
        });
        if length / width >= BUCKETS_MAX {
            return Err(format!(
                "bucket gives {} buckets: {BUCKETS_MAX} are the limit, give a wider one or a shorter period",
                length / width + 1
            ));
        }
        let first = since.div_euclid(width) * width;
        Ok((first, until.max(first + 1), width))
    }
}

/// A named parameter of a call in SQL, none where it is left out or NULL.
pub fn from_call(bind: &TableBind<'_>, parameter: &Parameter) -> Option<Bound> {
    let value = bind.named(parameter.name)?;
    Some(match parameter.type_id {
        TypeId::Double => Bound::Double(value.double()),
        TypeId::TimestampTz => Bound::Time(value.timestamp_us()),
        TypeId::BigInt => Bound::Integer(value.int64()),
        _ => Bound::Text(value.text()),
    })
}

/// A parameter that is given as text.
pub fn from_text(parameter: &Parameter, text: &str) -> Result<Bound, String> {
    let (value, remedy) = match parameter.type_id {
        TypeId::Double => (
            text.parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Bound::Double),
            "give a number",
        ),
        TypeId::TimestampTz => (
            parse_time_us(text).map(Bound::Time),
            "give a time such as 2026-01-31T12:00:00Z",
        ),
        TypeId::BigInt => (
            text.parse().ok().map(Bound::Integer),
            "give a whole number of 0 or more",
        ),
        _ => (Some(Bound::Text(text.to_owned())), ""),
    };
    value.ok_or_else(|| format!("{} is '{text}': {remedy}", parameter.name))
}

/// The text of a UUID: 32 hexadecimal digits, dashes wherever.
pub fn id(name: &str, text: String) -> Result<String, String> {
    if parse_id(&text).is_some() {
        return Ok(text);
    }
    Err(format!(
        "{name} is '{text}': give the UUID that oplog_record returned"
    ))
}

/// Text that has few valid values is checked, so that a slip is no empty answer.
fn checked(name: &str, text: String) -> Result<String, String> {
    if name == Field::Status.name() && !LOGGED_STATUSES.contains(&text.as_str()) {
        return Err(format!(
            "status is '{text}': a status is {}",
            LOGGED_STATUSES.join(", ")
        ));
    }
    Ok(text)
}

fn positive_interval(name: &str, text: &str) -> Result<i64, String> {
    match parse_interval_us(text) {
        Some(micros) if micros > 0 => Ok(micros),
        _ => Err(format!(
            "{name} is '{text}': give a positive interval such as '15m', '1h', '7d' or '1 day 12 hours'"
        )),
    }
}

fn groupings(text: &str) -> Result<Vec<&'static str>, String> {
    let mut by = Vec::new();
    for name in text.split(',').map(str::trim) {
        let lower = name.to_ascii_lowercase();
        let Some(grouping) = GROUPINGS.into_iter().find(|known| *known == lower) else {
            return Err(format!(
                "by is '{text}': '{name}' is no column to group by; give any of {}",
                GROUPINGS.join(", ")
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
            groupings(" Command,status , command"),
            Ok(vec!["command", "status"])
        );
        assert!(groupings("command,comand").unwrap_err().starts_with(
            "by is 'command,comand': 'comand' is no column to group by; give any of command,"
        ));
        assert!(groupings("").is_err());
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
    fn a_period_counts_back_from_until() {
        let range = Range {
            period_us: Some(10),
            since_us: None,
            until_us: Some(100),
        };
        assert_eq!(range.bounds(500), (Some(90), Some(100)));
        let open = Range {
            until_us: None,
            ..range
        };
        assert_eq!(open.bounds(500), (Some(490), None));
    }

    #[test]
    fn filters_name_only_what_was_given() {
        let mut arguments = Arguments::default();
        assert_eq!(arguments.filters(0).0, "true");
        arguments.conditions.push("command = $command");
        arguments.range.since_us = Some(5);
        let (text, bound) = arguments.filters(0);
        assert_eq!(text, "command = $command AND timestamp >= $since");
        assert_eq!(bound, [("since", Bound::Time(5))]);
    }

    #[test]
    fn buckets_are_aligned_and_limited() {
        const HOUR: i64 = 3_600_000_000;
        let mut arguments = Arguments {
            range: Range {
                period_us: Some(HOUR),
                ..Range::default()
            },
            ..Arguments::default()
        };
        let now = 500_000 * HOUR + 90_000_000;
        assert_eq!(
            arguments.buckets(now),
            Ok((499_999 * HOUR + 60_000_000, now, 60_000_000))
        );
        arguments.bucket_us = Some(1);
        assert!(arguments
            .buckets(now)
            .unwrap_err()
            .contains("10000 are the limit"));
    }
}
