//! Alerts and health: `oplog_alerts()`, the functions that show and change its rules, and `oplog_health()`.

use super::engine_function::{Arguments, Column, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::alerts::{Rule, RuleChange};
use crate::calendar::format_interval;
use crate::engine::Engine;

type RuleColumn = (Column, fn(&Rule) -> Value);

/// The columns of a rule, and what it has in each.
const RULE: &[RuleColumn] = &[
    (("name", Type::Varchar, "the rule"), |rule| {
        Value::text(rule.name.as_str())
    }),
    (
        ("enabled", Type::Boolean, "whether it is looked at"),
        |rule| Value::Boolean(rule.enabled),
    ),
    (
        (
            "metric",
            Type::Varchar,
            "what is measured: docs/alerts.md lists the metrics",
        ),
        |rule| Value::text(rule.metric.name),
    ),
    (
        ("comparison", Type::Varchar, "`>`, `>=`, `<` or `<=`"),
        |rule| Value::text(rule.comparison.symbol()),
    ),
    (
        ("threshold", Type::Double, "what it is compared with"),
        |rule| Value::Double(rule.threshold),
    ),
    (
        ("unit", Type::Varchar, "the unit of metric and threshold"),
        |rule| Value::text(rule.metric.unit),
    ),
    (
        (
            "period",
            Type::Varchar,
            "what the metric is measured over; NULL where it has no period",
        ),
        |rule| match rule.metric.default_period_us {
            Some(_) => Value::text(format_interval(rule.period_us)),
            None => Value::Null,
        },
    ),
    (
        (
            "hold_for",
            Type::Varchar,
            "how long the condition has to hold until it fires",
        ),
        |rule| Value::text(format_interval(rule.hold_for_us)),
    ),
    (
        (
            "min_operations",
            Type::BigInt,
            "with fewer operations in the period there is no value",
        ),
        |rule| Value::Integer(rule.min_operations),
    ),
    (
        (
            "severity",
            Type::Varchar,
            "how bad it is, in the words of whoever is alerted",
        ),
        |rule| Value::text(rule.severity.as_str()),
    ),
    (
        (
            "command",
            Type::Varchar,
            "GLOB pattern of the commands that count; NULL for all",
        ),
        |rule| Value::text(rule.command.as_str()),
    ),
    (
        (
            "project_id",
            Type::Varchar,
            "GLOB pattern of the projects that count",
        ),
        |rule| Value::text(rule.project_id.as_str()),
    ),
    (
        (
            "table_name",
            Type::Varchar,
            "GLOB pattern of the tables that count",
        ),
        |rule| Value::text(rule.table_name.as_str()),
    ),
    (("summary", Type::Varchar, "what it means"), |rule| {
        Value::text(rule.summary.as_str())
    }),
];

const RULE_COLUMNS: &[Column] = &{
    let mut columns = [RULE[0].0; RULE.len()];
    let mut at = 0;
    while at < RULE.len() {
        columns[at] = RULE[at].0;
        at += 1;
    }
    columns
};

fn rule_row(rule: &Rule) -> Vec<Value> {
    RULE.iter().map(|(_, value)| value(rule)).collect()
}

const NAME: Parameter = Parameter {
    name: "name",
    takes: Type::Varchar,
    default: "required",
    meaning: "the rule",
};

/// Those behind the rule's name. `window` and `for`, as others call them, are reserved words.
const RULE_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "metric",
        takes: Type::Varchar,
        default: "",
        meaning: "what to measure; a new rule needs it",
    },
    Parameter {
        name: "threshold",
        takes: Type::Double,
        default: "",
        meaning: "what to compare it with, in the metric's unit; a new rule needs it",
    },
    Parameter {
        name: "comparison",
        takes: Type::Varchar,
        default: "",
        meaning: "`>` (by default), `>=`, `<` or `<=`",
    },
    Parameter {
        name: "period",
        takes: Type::Varchar,
        default: "",
        meaning:
            "what the metric is measured over, such as `'5m'`; each metric has its own default",
    },
    Parameter {
        name: "hold_for",
        takes: Type::Varchar,
        default: "",
        meaning: "how long the condition has to hold until it fires; at once by default",
    },
    Parameter {
        name: "min_operations",
        takes: Type::BigInt,
        default: "",
        meaning: "operations that the period has to have for a value; 0 by default",
    },
    Parameter {
        name: "severity",
        takes: Type::Varchar,
        default: "",
        meaning: "`warning` by default",
    },
    Parameter {
        name: "command",
        takes: Type::Varchar,
        default: "",
        meaning: "GLOB pattern of the commands that count; `''` for all",
    },
    Parameter {
        name: "project_id",
        takes: Type::Varchar,
        default: "",
        meaning: "GLOB pattern of the projects that count",
    },
    Parameter {
        name: "table_name",
        takes: Type::Varchar,
        default: "",
        meaning: "GLOB pattern of the tables that count",
    },
    Parameter {
        name: "summary",
        takes: Type::Varchar,
        default: "",
        meaning: "what it means, for whoever is alerted",
    },
    Parameter {
        name: "enabled",
        takes: Type::Boolean,
        default: "",
        meaning: "whether it is looked at",
    },
];

pub const ALL: &[EngineFunction] = &[
    EngineFunction {
        name: "oplog_health",
        summary: "How oplog itself is: a row a component, led by `overall`, the worst of them.",
        example: "FROM oplog_health();",
        columns: &[
            ("component", Type::Varchar, "the part, or `overall`"),
            ("status", Type::Varchar, "`pass`; `warn`: it works, and needs attention; `fail`: what is recorded does not get into the log"),
            ("detail", Type::Varchar, "what there is to say; for `overall` the components to blame"),
        ],
        answer: health,
        ..BASE
    },
    EngineFunction {
        name: "oplog_alerts",
        summary: "Every enabled alert rule and what it says now, those that fire first.",
        example: "FROM oplog_alerts();",
        columns: &[
            ("name", Type::Varchar, "the rule"),
            ("state", Type::Varchar, "`inactive`, `pending` (the condition holds, but not for `hold_for` yet) or `firing`"),
            ("severity", Type::Varchar, "the rule's"),
            ("value", Type::Double, "what the metric is; NULL where there is nothing to measure"),
            ("comparison", Type::Varchar, "the rule's"),
            ("threshold", Type::Double, "the rule's"),
            ("unit", Type::Varchar, "the unit of value and threshold"),
            ("active_since", Type::TimestampTz, "since when the condition has held, an hour or twice `hold_for` ago at most; NULL where it is inactive"),
            ("hold_for", Type::Varchar, "the rule's"),
            ("summary", Type::Varchar, "what it means"),
            ("detail", Type::Varchar, "what was measured, in a sentence"),
            ("complete_since", Type::TimestampTz, "from when on all operations are known that `value` is about; NULL where all are"),
        ],
        answer: alerts,
        ..BASE
    },
    EngineFunction {
        name: "oplog_alert_rules",
        summary: "The alert rules, those that are switched off included.",
        example: "FROM oplog_alert_rules();",
        columns: RULE_COLUMNS,
        answer: |engine, _| Ok(engine.answering().alert_rules()?.iter().map(rule_row).collect()),
        ..BASE
    },
    EngineFunction {
        name: "oplog_alert_drop",
        summary: "Drops an alert rule for good; `oplog_alert_set(name, enabled := false)` keeps it.",
        example: "CALL oplog_alert_drop('no_operations');",
        positional: &[NAME],
        columns: &[("name", Type::Varchar, "the rule that is gone")],
        effects: &[Effect::Configures],
        answer: |engine, arguments| {
            let name = arguments.text("name").unwrap_or_default();
            engine.drop_alert_rule(&name)?;
            Ok(vec![vec![Value::text(name)]])
        },
        ..BASE
    },
    EngineFunction {
        name: "oplog_alert_set",
        summary: "Adds an alert rule, or changes what is given of the one of that name; the rule as it is then. Rules are kept with \
            the log.",
        example: "CALL oplog_alert_set('imports_slow', metric := 'p95_duration_ms', threshold := 500, command := 'import*', hold_for := '2m');",
        positional: &[NAME],
        named: RULE_PARAMETERS,
        columns: RULE_COLUMNS,
        effects: &[Effect::Configures],
        answer: set,
        ..BASE
    },
];

fn health(engine: &Engine, _: &Arguments) -> Answer {
    Ok(engine
        .answering()
        .health()
        .into_iter()
        .map(|component| {
            vec![
                Value::text(component.name),
                Value::text(component.status.name()),
                Value::text(component.detail),
            ]
        })
        .collect())
}

fn alerts(engine: &Engine, _: &Arguments) -> Answer {
    Ok(engine
        .answering()
        .alerts()?
        .into_iter()
        .map(|alert| {
            let (rule, evaluation) = (alert.rule, alert.evaluation);
            vec![
                Value::text(rule.name.as_str()),
                Value::text(evaluation.state.name()),
                Value::text(rule.severity.as_str()),
                evaluation.value.map_or(Value::Null, Value::Double),
                Value::text(rule.comparison.symbol()),
                Value::Double(rule.threshold),
                Value::text(rule.metric.unit),
                evaluation.active_since_us.map_or(Value::Null, Value::Time),
                Value::text(format_interval(rule.hold_for_us)),
                Value::text(rule.summary.as_str()),
                Value::text(rule.describe(evaluation.value)),
                alert.complete_since_us.map_or(Value::Null, Value::Time),
            ]
        })
        .collect())
}

fn set(engine: &Engine, arguments: &Arguments) -> Answer {
    let change = RuleChange {
        enabled: arguments.boolean("enabled"),
        metric: arguments.text("metric"),
        comparison: arguments.text("comparison"),
        threshold: arguments.double("threshold"),
        period: arguments.text("period"),
        hold_for: arguments.text("hold_for"),
        min_operations: arguments.integer("min_operations"),
        severity: arguments.text("severity"),
        summary: arguments.text("summary"),
        command: arguments.text("command"),
        project_id: arguments.text("project_id"),
        table_name: arguments.text("table_name"),
    };
    let name = arguments.text("name").unwrap_or_default();
    let rule = engine.change_alert_rule(&name, change)?;
    Ok(vec![rule_row(&rule)])
}
