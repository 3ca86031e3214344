//! When something is full: `oplog_capacity()`.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::rows::{Answer, Value};
use crate::calendar::{parse_interval_us, DAY_US};
use crate::capacity::Resource;
use crate::engine::Engine;
use crate::excerpt::excerpt;

const DEFAULT_PERIOD: &str = "30d";

pub const ALL: &[EngineFunction] = &[EngineFunction {
    name: "oplog_capacity",
    summary: "What is used of disk, database, log and memory, how fast that grows, and when it is full; and how many operations a day \
        there are. From the history of samples.",
    example: "FROM oplog_capacity(period := '90d');",
    named: &[Parameter {
        name: "period",
        takes: Type::Varchar,
        default: "'30d'",
        meaning: "how far back growth is looked at, a day or longer",
    }],
    columns: &[
        ("resource", Type::Varchar, "`disk`, `log_disk` where the log has a disk of its own, `database`, `log`, `memory`, `operations_per_day`"),
        ("unit", Type::Varchar, "bytes or operations"),
        ("used", Type::Double, "what is used now; operations of this hour and the 23 before, as far as they are sampled; NULL where that is not known"),
        ("capacity", Type::Double, "what there is: the disk; for the database what the disk has room for; for the log `oplog_max_size`; the machine's memory, or that of its container"),
        ("used_share", Type::Double, "`used` / `capacity`, 0 to 1"),
        ("growth_per_day", Type::Double, "how much more is used each day; NULL where the history is too short"),
        ("growth_per_day_low", Type::Double, "the least that it may be: the interval of 95 %"),
        ("growth_per_day_high", Type::Double, "the most"),
        ("full_at", Type::TimestampTz, "when it is full at that rate; NULL with a `reason`"),
        ("full_at_earliest", Type::TimestampTz, "when it is at the highest rate"),
        ("full_at_latest", Type::TimestampTz, "when it is at the lowest; NULL where it may not be at all"),
        ("history_since", Type::TimestampTz, "since when it has a history, in the period"),
        ("reason", Type::Varchar, "why one of these is not known"),
    ],
    check: |arguments| period_us(arguments).map(drop),
    answer: capacity,
    ..BASE
}];

fn period_us(arguments: &Arguments) -> Result<i64, String> {
    let text = arguments.text("period");
    let text = text.as_deref().unwrap_or(DEFAULT_PERIOD);
    match parse_interval_us(text) {
        Some(us) if us >= DAY_US => Ok(us),
        Some(_) => Err(format!(
            "period is '{}': growth is looked at over a day or longer",
            excerpt(text)
        )),
        None => Err(format!(
            "period is '{}': give an interval such as '30d' or '6 months'",
            excerpt(text)
        )),
    }
}

fn capacity(engine: &Engine, arguments: &Arguments) -> Answer {
    let now_us = crate::system::clock::now_us();
    let since_us = now_us.saturating_sub(period_us(arguments)?);
    let resources = engine.answering().resources(since_us, now_us)?;
    Ok(resources
        .iter()
        .map(|resource| row(resource, now_us))
        .collect())
}

fn row(resource: &Resource, now_us: i64) -> Vec<Value> {
    let outlook = resource.outlook(now_us);
    let double = |value: Option<f64>| value.map_or(Value::Null, Value::Double);
    let time = |us: Option<i64>| us.map_or(Value::Null, Value::Time);
    let capacity = resource.capacity.ok();
    let share = resource.used.zip(capacity);
    vec![
        Value::text(resource.name),
        Value::text(resource.unit),
        double(resource.used),
        double(capacity),
        double(share.map(|(used, capacity)| used / capacity.max(1.0))),
        double(outlook.growth.map(|growth| growth.slope)),
        double(outlook.growth.map(|growth| growth.low)),
        double(outlook.growth.map(|growth| growth.high)),
        time(outlook.full_at_us),
        time(outlook.earliest_us),
        time(outlook.latest_us),
        time(outlook.since_us),
        Value::text(outlook.reason),
    ]
}
