//! Retention: `oplog_retention()`, its rules, and `oplog_purge()`.

use super::engine_function::{Arguments, Column, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::record::LOGGED_STATUSES;
use crate::retention::{RetentionChange, RetentionRule};
use crate::settings::Setting;
use crate::store::{DecidedBy, Runs, Standing};

const NAME: Parameter = Parameter {
    name: "name",
    takes: Type::Varchar,
    default: "required",
    meaning: "the rule",
};

const RULE_COLUMNS: &[Column] = &[
    ("name", Type::Varchar, "the rule"),
    (
        "command",
        Type::Varchar,
        "GLOB pattern of the commands that it applies to; NULL for all",
    ),
    (
        "project_id",
        Type::Varchar,
        "GLOB pattern of the projects that it applies to; NULL for all",
    ),
    (
        "status",
        Type::Varchar,
        "the statuses that it applies to; NULL for all",
    ),
    (
        "keep",
        Type::Varchar,
        "how long what it applies to is kept, from when it ended; `forever` where it has no end",
    ),
];

const RULE_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "command",
        takes: Type::Varchar,
        default: "",
        meaning: "GLOB pattern of the commands that it applies to, such as `'audit*'`; `''` for all",
    },
    Parameter {
        name: "project_id",
        takes: Type::Varchar,
        default: "",
        meaning: "GLOB pattern of the projects that it applies to; `''` for all",
    },
    Parameter {
        name: "status",
        takes: Type::Varchar,
        default: "",
        meaning: "the statuses that it applies to, separated by commas, such as `'error,timeout'`; `''` for all",
    },
    Parameter {
        name: "keep",
        takes: Type::Varchar,
        default: "",
        meaning: "how long to keep it, such as `'90 days'` or `'1 year'`, or `'forever'`; a new rule needs it",
    },
];

pub const ALL: &[EngineFunction] = &[
    EngineFunction {
        name: "oplog_retention",
        summary: "What decides how long operations are kept, what that would delete now, and what it has deleted: the rules, in the \
            order in which they decide (the longest `keep` first), then the settings. The first one that applies to an operation \
            decides on it.",
        example: "FROM oplog_retention();",
        columns: &[
            ("rule", Type::Varchar, "the rule; NULL for a setting"),
            ("setting", Type::Varchar, "the setting; NULL for a rule"),
            ("applies_to", Type::Varchar, "what a rule applies to; the statuses that a setting is about, where no rule applies"),
            ("keep", Type::Varchar, "its value in force"),
            ("expires_before", Type::TimestampTz, "what ended before this goes; NULL where age expires nothing"),
            ("operations", Type::BigInt, "operations in the log on which it decides; for `oplog_max_size` all"),
            ("expired_operations", Type::BigInt, "those that a purge would delete now"),
            ("held_back_operations", Type::BigInt, "those that only a leap of the clock makes too old: they wait until the clock has been \
                steady for an hour"),
            ("last_deleted_at", Type::TimestampTz, "when it last deleted any"),
            ("last_deleted_operations", Type::BigInt, "how many those were"),
            ("deleted_operations", Type::BigInt, "how many it has deleted so far"),
        ],
        answer: retention,
        ..BASE
    },
    EngineFunction {
        name: "oplog_retention_set",
        summary: "Adds a retention rule, or changes what is given of the one of that name; the rule as it is then. An operation is kept \
            as long as the rule says that keeps it longest, and as the settings say where no rule applies to it. Rules are kept with \
            the log.",
        example: "CALL oplog_retention_set('audit', command := 'audit*', keep := '1 year');",
        positional: &[NAME],
        named: RULE_PARAMETERS,
        columns: RULE_COLUMNS,
        effects: &[Effect::Configures],
        answer: set,
        ..BASE
    },
    EngineFunction {
        name: "oplog_retention_drop",
        summary: "Drops a retention rule: what it applied to is kept as long as the other rules and the settings say.",
        example: "CALL oplog_retention_drop('audit');",
        positional: &[NAME],
        columns: &[("name", Type::Varchar, "the rule that is gone")],
        effects: &[Effect::Configures],
        answer: |engine, arguments| {
            let name = arguments.text("name").unwrap_or_default();
            engine.drop_retention_rule(&name)?;
            Ok(vec![vec![Value::text(name)]])
        },
        ..BASE
    },
    EngineFunction {
        name: "oplog_purge",
        summary: "Applies retention now; what it deleted, by age and by size. Where the clock has leapt, operations that only this \
            makes too old may be held back (`FROM oplog_retention()`): `force := true` deletes them too, and has retention go by the \
            clock from then on.",
        example: "CALL oplog_purge();",
        named: &[Parameter {
            name: "force",
            takes: Type::Boolean,
            default: "false",
            meaning: "whether the clock is right, although it leapt",
        }],
        columns: &[
            ("deleted", Type::BigInt, "operations deleted"),
            ("deleted_by_age", Type::BigInt, "those that were too old"),
            ("deleted_by_size", Type::BigInt, "those that were too many"),
        ],
        answer: |engine, arguments| {
            let purged = engine.purge(arguments.boolean("force").unwrap_or(false))?;
            Ok(vec![vec![
                Value::Integer((purged.by_age + purged.by_size) as i64),
                Value::Integer(purged.by_age as i64),
                Value::Integer(purged.by_size as i64),
            ]])
        },
        ..BASE
    },
];

fn retention(engine: &Engine, _: &Arguments) -> Answer {
    let retained = engine.answering().retained()?;
    let settings = engine.settings();
    let mut rows = Vec::new();
    for standing in &retained.standings {
        let keep = |setting: Setting| settings.get(setting).to_string();
        let (rule, setting, applies_to, keep) = match &standing.by {
            DecidedBy::Rule(rule) => {
                let keep = rule.keep.to_string();
                (rule.name.as_str(), None, rule.applies_to(), keep)
            }
            DecidedBy::Retention => {
                let setting = Setting::Retention;
                let success = LOGGED_STATUSES[0].to_owned();
                ("", Some(setting), success, keep(setting))
            }
            DecidedBy::ErrorRetention => {
                let setting = Setting::ErrorRetention;
                let failures = LOGGED_STATUSES[1..].join(", ");
                ("", Some(setting), failures, keep(setting))
            }
        };
        let mut row = vec![
            Value::text(rule),
            Value::text(setting.map_or("", Setting::name)),
            Value::text(applies_to),
            Value::text(keep),
        ];
        row.extend(counts(standing));
        rows.push(row);
    }
    let operations: u64 = retained
        .standings
        .iter()
        .map(|standing| standing.operations)
        .sum();
    let mut size = vec![
        Value::Null,
        Value::text(Setting::MaxSize.name()),
        Value::text("all"),
        Value::text(settings.get(Setting::MaxSize).to_string()),
        Value::Null,
        Value::Integer(operations as i64),
        Value::Null,
        Value::Null,
    ];
    size.extend(deleted(&retained.by_size));
    rows.push(size);
    Ok(rows)
}

fn counts(standing: &Standing) -> Vec<Value> {
    let mut values = vec![
        standing.before_us.map_or(Value::Null, Value::Time),
        Value::Integer(standing.operations as i64),
        Value::Integer(standing.expired as i64),
        Value::Integer(standing.held_back as i64),
    ];
    values.extend(deleted(&standing.runs));
    values
}

fn deleted(runs: &Runs) -> [Value; 3] {
    let (at, last) = match runs.last {
        Some((at_us, last)) => (Value::Time(at_us), Value::Integer(last as i64)),
        None => (Value::Null, Value::Null),
    };
    [at, last, Value::Integer(runs.deleted as i64)]
}

fn set(engine: &Engine, arguments: &Arguments) -> Answer {
    let change = RetentionChange {
        command: arguments.text("command"),
        project_id: arguments.text("project_id"),
        status: arguments.text("status"),
        keep: arguments.text("keep"),
    };
    let name = arguments.text("name").unwrap_or_default();
    let rule = engine.change_retention_rule(&name, change)?;
    Ok(vec![rule_row(&rule)])
}

fn rule_row(rule: &RetentionRule) -> Vec<Value> {
    vec![
        Value::text(rule.name.as_str()),
        Value::text(rule.command.as_str()),
        Value::text(rule.project_id.as_str()),
        Value::text(rule.status()),
        Value::text(rule.keep.to_string()),
    ]
}
