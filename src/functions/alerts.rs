//! Alerts and health: `oplog_alerts()`, the functions that show and change its rules, and `oplog_health()`.

use super::figures::{Answer, Figure, Scan, Value};
use super::policy::{Effect, Effects};
use super::Session;
use crate::alerts::{Rule, RuleChange};
use crate::calendar::format_interval;
use crate::duckdb::{Context, LogicalType, Table, TableBind, TableOutput, TypeId};
use crate::engine::Engine;

type Column = (&'static str, TypeId, &'static str);

const RULE_COLUMNS: &[Column] = &[
    ("name", TypeId::Varchar, "the rule"),
    ("enabled", TypeId::Boolean, "whether it is looked at"),
    (
        "metric",
        TypeId::Varchar,
        "what is measured: docs/alerts.md lists the metrics",
    ),
    ("comparison", TypeId::Varchar, "`>`, `>=`, `<` or `<=`"),
    ("threshold", TypeId::Double, "what it is compared with"),
    ("unit", TypeId::Varchar, "the unit of metric and threshold"),
    (
        "period",
        TypeId::Varchar,
        "what the metric is measured over; NULL where it has no period",
    ),
    (
        "hold_for",
        TypeId::Varchar,
        "how long the condition has to hold until it fires",
    ),
    (
        "min_operations",
        TypeId::BigInt,
        "with fewer operations in the period there is no value",
    ),
    (
        "severity",
        TypeId::Varchar,
        "how bad it is, in the words of whoever is alerted",
    ),
    (
        "command",
        TypeId::Varchar,
        "GLOB pattern of the commands that count; NULL for all",
    ),
    (
        "project_id",
        TypeId::Varchar,
        "GLOB pattern of the projects that count",
    ),
    (
        "table_name",
        TypeId::Varchar,
        "GLOB pattern of the tables that count",
    ),
    ("summary", TypeId::Varchar, "what it means"),
];

pub const ALL: &[Figure] = &[
    Figure {
        name: "oplog_health",
        summary: "How oplog itself is: a row a component, led by `overall`, the worst of them.",
        example: "FROM oplog_health();",
        positional: &[],
        columns: &[
            ("component", TypeId::Varchar, "the part, or `overall`"),
            ("status", TypeId::Varchar, "`pass`; `warn`: it works, and needs attention; `fail`: what is recorded does not get into the log"),
            ("detail", TypeId::Varchar, "what there is to say; for `overall` the components to blame"),
        ],
        effects: &[],
        answer: health,
    },
    Figure {
        name: "oplog_alerts",
        summary: "Every enabled alert rule and what it says now, those that fire first.",
        example: "FROM oplog_alerts();",
        positional: &[],
        columns: &[
            ("name", TypeId::Varchar, "the rule"),
            ("state", TypeId::Varchar, "`inactive`, `pending` (the condition holds, but not for `hold_for` yet) or `firing`"),
            ("severity", TypeId::Varchar, "the rule's"),
            ("value", TypeId::Double, "what the metric is; NULL where there is nothing to measure"),
            ("comparison", TypeId::Varchar, "the rule's"),
            ("threshold", TypeId::Double, "the rule's"),
            ("unit", TypeId::Varchar, "the unit of value and threshold"),
            ("active_since", TypeId::TimestampTz, "since when the condition has held, an hour or twice `hold_for` ago at most; NULL where it is inactive"),
            ("hold_for", TypeId::Varchar, "the rule's"),
            ("summary", TypeId::Varchar, "what it means"),
            ("detail", TypeId::Varchar, "what was measured, in a sentence"),
        ],
        effects: &[],
        answer: alerts,
    },
    Figure {
        name: "oplog_alert_rules",
        summary: "The alert rules, those that are switched off included.",
        example: "FROM oplog_alert_rules();",
        positional: &[],
        columns: RULE_COLUMNS,
        effects: &[],
        answer: |engine, _| Ok(engine.answering().alert_rules()?.into_iter().map(rule_row).collect()),
    },
    Figure {
        name: "oplog_alert_drop",
        summary: "Drops an alert rule for good; `oplog_alert_set(name, enabled := false)` keeps it.",
        example: "CALL oplog_alert_drop('no_operations');",
        positional: &[("name", "the rule")],
        columns: &[("name", TypeId::Varchar, "the rule that is gone")],
        effects: &[Effect::Configures],
        answer: |engine, parameters| {
            let name = parameters.first().map(String::as_str).unwrap_or_default();
            engine.drop_alert_rule(name)?;
            Ok(vec![vec![Value::text(name)]])
        },
    },
];

fn health(engine: &Engine, _: &[String]) -> Answer {
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

fn alerts(engine: &Engine, _: &[String]) -> Answer {
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
            ]
        })
        .collect())
}

/// A rule in the order of [`RULE_COLUMNS`].
fn rule_row(rule: Rule) -> Vec<Value> {
    let period = match rule.metric.default_period_us {
        Some(_) => Value::text(format_interval(rule.period_us)),
        None => Value::Null,
    };
    vec![
        Value::text(rule.name),
        Value::Boolean(rule.enabled),
        Value::text(rule.metric.name),
        Value::text(rule.comparison.symbol()),
        Value::Double(rule.threshold),
        Value::text(rule.metric.unit),
        period,
        Value::text(format_interval(rule.hold_for_us)),
        Value::Integer(rule.min_operations),
        Value::text(rule.severity),
        Value::text(rule.command),
        Value::text(rule.project_id),
        Value::text(rule.table_name),
        Value::text(rule.summary),
    ]
}

/// `oplog_alert_set`: adds a rule, or changes what is given of one.
pub struct AlertSet {
    session: Session,
}

impl AlertSet {
    pub const NAME: &'static str = "oplog_alert_set";

    /// Those behind the rule's name. `window` and `for`, as others call them, are reserved words.
    pub const PARAMETERS: &'static [Column] = &[
        (
            "metric",
            TypeId::Varchar,
            "what to measure; a new rule needs it",
        ),
        (
            "threshold",
            TypeId::Double,
            "what to compare it with, in the metric's unit; a new rule needs it",
        ),
        (
            "comparison",
            TypeId::Varchar,
            "`>` (by default), `>=`, `<` or `<=`",
        ),
        (
            "period",
            TypeId::Varchar,
            "what the metric is measured over, such as `'5m'`; each metric has its own default",
        ),
        (
            "hold_for",
            TypeId::Varchar,
            "how long the condition has to hold until it fires; at once by default",
        ),
        (
            "min_operations",
            TypeId::BigInt,
            "operations that the period has to have for a value; 0 by default",
        ),
        ("severity", TypeId::Varchar, "`warning` by default"),
        (
            "command",
            TypeId::Varchar,
            "GLOB pattern of the commands that count; `''` for all",
        ),
        (
            "project_id",
            TypeId::Varchar,
            "GLOB pattern of the projects that count",
        ),
        (
            "table_name",
            TypeId::Varchar,
            "GLOB pattern of the tables that count",
        ),
        (
            "summary",
            TypeId::Varchar,
            "what it means, for whoever is alerted",
        ),
        ("enabled", TypeId::Boolean, "whether it is looked at"),
    ];

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the reference reads it, and a test makes it")
    )]
    pub const SUMMARY: &'static str =
        "Adds an alert rule, or changes what is given of the one of that name; the rule as it is \
         then. Rules are kept with the log.";

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the reference reads it, and a test makes it")
    )]
    pub const EXAMPLE: &'static str =
        "CALL oplog_alert_set('imports_slow', metric := 'p95_duration_ms', threshold := 500, command := 'import*', hold_for := '2m');";

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the reference reads it, and a test makes it")
    )]
    pub const COLUMNS: &'static [Column] = RULE_COLUMNS;

    pub fn new(session: &Session) -> Self {
        Self {
            session: session.clone(),
        }
    }
}

impl Table for AlertSet {
    type Bound = (String, RuleChange);
    type Scan = Scan;

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn positional(&self) -> Vec<TypeId> {
        vec![TypeId::Varchar]
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        Self::PARAMETERS
            .iter()
            .map(|(name, type_id, _)| (*name, *type_id))
            .collect()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<(String, RuleChange), String> {
        for (name, type_id, _) in RULE_COLUMNS {
            bind.add_column(name, &LogicalType::new(*type_id));
        }
        let failed = |error| format!("{}: {error}", Self::NAME);
        let text = |name| bind.named_text(name).map_err(failed);
        let change = RuleChange {
            enabled: bind.named("enabled").map(|value| value.boolean()),
            metric: text("metric")?,
            comparison: text("comparison")?,
            threshold: bind.named("threshold").map(|value| value.double()),
            period: text("period")?,
            hold_for: text("hold_for")?,
            min_operations: bind.named("min_operations").map(|value| value.int64()),
            severity: text("severity")?,
            summary: text("summary")?,
            command: text("command")?,
            project_id: text("project_id")?,
            table_name: text("table_name")?,
        };
        let name = bind.positional_text(0, "name").map_err(failed)?;
        Ok((name.unwrap_or_default(), change))
    }

    fn start(
        &self,
        bound: &(String, RuleChange),
        columns: &[usize],
        _: &Context,
    ) -> Result<Scan, String> {
        let (name, change) = bound;
        let rule = self
            .session
            .engine()
            .change_alert_rule(name, change.clone())
            .map_err(|error| format!("{}: {error}", Self::NAME))?;
        Ok(Scan::new(vec![rule_row(rule)], columns))
    }

    fn next(&self, scan: &mut Scan, output: &mut TableOutput) -> Result<usize, String> {
        Ok(scan.next_into(output))
    }
}

impl Effects for AlertSet {
    fn effects(&self) -> &'static [Effect] {
        &[Effect::Configures]
    }
}
