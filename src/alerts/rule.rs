//! A rule, and the changes that callers ask for.

use super::{Metric, Source};
use crate::calendar::{format_interval, parse_interval_us};
use crate::excerpt::excerpt;
use crate::nearest::nearest;
use crate::system::HISTORY_US;

/// Periods and `hold_for` may be as long as errors are kept by default.
const INTERVAL_US_MAX: i64 = 30 * 86_400_000_000;

/// Names, severities and patterns are labels; a summary is a sentence.
const LABEL_BYTES_MAX: usize = 200;
const SUMMARY_BYTES_MAX: usize = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Comparison {
    const ALL: [Self; 4] = [Self::Above, Self::AtLeast, Self::Below, Self::AtMost];

    pub fn symbol(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|comparison| comparison.symbol() == text.trim())
            .ok_or_else(|| {
                format!(
                    "comparison is '{text}': give >, >=, < or <=",
                    text = excerpt(text)
                )
            })
    }

    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: String,
    pub enabled: bool,
    pub metric: &'static Metric,
    pub comparison: Comparison,
    pub threshold: f64,
    /// 0 where the metric has no period.
    pub period_us: i64,
    pub hold_for_us: i64,
    pub min_operations: i64,
    pub severity: String,
    pub summary: String,
    /// GLOB patterns; empty for any.
    pub command: String,
    pub project_id: String,
    pub table_name: String,
}

/// What a caller wants of a rule; what is None stays, or has its default in a new rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleChange {
    pub enabled: Option<bool>,
    pub metric: Option<String>,
    pub comparison: Option<String>,
    pub threshold: Option<f64>,
    pub period: Option<String>,
    pub hold_for: Option<String>,
    pub min_operations: Option<i64>,
    pub severity: Option<String>,
    pub summary: Option<String>,
    pub command: Option<String>,
    pub project_id: Option<String>,
    pub table_name: Option<String>,
}

impl RuleChange {
    /// The rule of that name after the change: `known` changed, or a new one.
    pub fn apply(self, name: &str, known: Option<Rule>) -> Result<Rule, String> {
        if name.is_empty() {
            return Err("name is '': give the rule a name".into());
        }
        let metric = match (&self.metric, &known) {
            (Some(name), _) => metric(name)?,
            (None, Some(rule)) => rule.metric,
            (None, None) => {
                return Err(format!(
                    "there is no rule '{name}': give a metric and a threshold to add it, or a name that FROM oplog_alert_rules() shows", name = excerpt(name)))
            }
        };
        // Another metric measures over another period, unless the caller says so.
        let same_metric = known.as_ref().is_some_and(|rule| rule.metric == metric);
        let mut rule = match known {
            Some(rule) => Rule { metric, ..rule },
            None => {
                let threshold = self.threshold;
                let missing = || format!("threshold is missing: give it in {}", metric.unit);
                Rule::new(name, metric, threshold.ok_or_else(missing)?)
            }
        };
        if !same_metric {
            rule.period_us = metric.default_period_us.unwrap_or(0);
        }
        if let Some(period) = &self.period {
            if metric.default_period_us.is_none() {
                return Err(format!(
                    "period is '{period}': {} has no period, leave it out",
                    metric.name,
                    period = excerpt(period)
                ));
            }
            rule.period_us = interval("period", period, 1)?;
        }
        if let Some(hold_for) = &self.hold_for {
            rule.hold_for_us = interval("hold_for", hold_for, 0)?;
        }
        if let Some(comparison) = &self.comparison {
            rule.comparison = Comparison::parse(comparison)?;
        }
        rule.enabled = self.enabled.unwrap_or(rule.enabled);
        rule.threshold = self.threshold.unwrap_or(rule.threshold);
        rule.min_operations = self.min_operations.unwrap_or(rule.min_operations);
        for (text, given) in [
            (&mut rule.severity, self.severity),
            (&mut rule.summary, self.summary),
            (&mut rule.command, self.command),
            (&mut rule.project_id, self.project_id),
            (&mut rule.table_name, self.table_name),
        ] {
            if let Some(given) = given {
                *text = given;
            }
        }
        rule.check()?;
        Ok(rule)
    }
}

impl Rule {
    /// A rule with the defaults.
    pub fn new(name: &str, metric: &'static Metric, threshold: f64) -> Self {
        Self {
            name: name.to_owned(),
            enabled: true,
            metric,
            comparison: Comparison::Above,
            threshold,
            period_us: 0,
            hold_for_us: 0,
            min_operations: 0,
            severity: "warning".into(),
            summary: String::new(),
            command: String::new(),
            project_id: String::new(),
            table_name: String::new(),
        }
    }

    /// Refuses what could not be evaluated, or would mean something else than it seems to.
    fn check(&self) -> Result<(), String> {
        if !self.threshold.is_finite() {
            return Err(format!(
                "threshold is {}: give a number in {}",
                self.threshold, self.metric.unit
            ));
        }
        if self.min_operations < 0 {
            return Err(format!(
                "min_operations is {}: give 0 or more",
                self.min_operations
            ));
        }
        if self.min_operations > 0 && self.metric.source != Source::Period {
            return Err(format!(
                "min_operations is {}: {} is not measured over operations, leave it out",
                self.min_operations, self.metric.name
            ));
        }
        if self.severity.trim().is_empty() {
            return Err("severity is '': give a word such as warning or critical".into());
        }
        for (name, text, bytes_max) in [
            ("name", &self.name, LABEL_BYTES_MAX),
            ("severity", &self.severity, LABEL_BYTES_MAX),
            ("command", &self.command, LABEL_BYTES_MAX),
            ("project_id", &self.project_id, LABEL_BYTES_MAX),
            ("table_name", &self.table_name, LABEL_BYTES_MAX),
            ("summary", &self.summary, SUMMARY_BYTES_MAX),
        ] {
            if text.len() > bytes_max {
                return Err(format!(
                    "{name} has {} bytes: {bytes_max} are the limit",
                    text.len()
                ));
            }
        }
        for (name, pattern) in self.filters() {
            if self.metric.source == Source::Process {
                return Err(format!(
                    "{name} is '{pattern}': {} is the whole process's, clear it with {name} := ''",
                    self.metric.name,
                    pattern = excerpt(pattern)
                ));
            }
            if pattern.contains('[') && !pattern.contains(']') {
                return Err(format!(
                    "{name} is '{pattern}': a [ without a ] matches nothing, write [[] for the character", pattern = excerpt(pattern)));
            }
        }
        let seen_us = self.period_us.saturating_add(self.hold_for_us);
        if self.metric.source == Source::Process && seen_us > HISTORY_US {
            return Err(format!(
                "period and hold_for come to {}: samples of {} are kept for {}, give less",
                format_interval(seen_us),
                self.metric.name,
                format_interval(HISTORY_US)
            ));
        }
        Ok(())
    }

    /// The filters that are set, by their columns.
    pub fn filters(&self) -> Vec<(&'static str, &str)> {
        [
            ("command", self.command.as_str()),
            ("project_id", &self.project_id),
            ("table_name", &self.table_name),
        ]
        .into_iter()
        .filter(|(_, pattern)| !pattern.is_empty())
        .collect()
    }

    pub fn holds(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| self.comparison.holds(value, self.threshold))
    }

    /// What was measured, in words.
    pub fn describe(&self, value: Option<f64>) -> String {
        let mut text = self.metric.name.to_owned();
        let filters = self.filters();
        if !filters.is_empty() {
            let filters: Vec<String> = filters
                .iter()
                .map(|(name, pattern)| format!("{name} {pattern}"))
                .collect();
            text = format!("{text} of {}", filters.join(", "));
        }
        if self.period_us > 0 {
            text = format!("{text} over {}", format_interval(self.period_us));
        }
        match value {
            // Thousandths are enough to read.
            Some(value) => format!(
                "{text} is {}, and alerts at {} {} ({})",
                (value * 1000.0).round() / 1000.0,
                self.comparison.symbol(),
                self.threshold,
                self.metric.unit
            ),
            None if self.min_operations > 0 => {
                format!(
                    "{text} has no value: fewer than {} operations",
                    self.min_operations
                )
            }
            None => format!("{text} has no value: nothing to measure"),
        }
    }
}

fn metric(name: &str) -> Result<&'static Metric, String> {
    Metric::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name).collect();
        format!(
            "metric is '{name}': there is no such metric, give one of {}",
            names.join(", "),
            name = excerpt(name)
        )
    })
}

fn interval(name: &str, text: &str, least_us: i64) -> Result<i64, String> {
    match parse_interval_us(text) {
        Some(micros) if (least_us..=INTERVAL_US_MAX).contains(&micros) => Ok(micros),
        _ => Err(format!(
            "{name} is '{text}': give an interval such as '30s', '5m' or '1h', {} at most",
            format_interval(INTERVAL_US_MAX),
            text = excerpt(text)
        )),
    }
}

/// What to say of a rule that is not there.
pub fn unknown<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names) {
        Some(nearest) => format!(
            "there is no rule '{name}'; did you mean '{nearest}'?",
            name = excerpt(name),
            nearest = excerpt(nearest)
        ),
        None => format!(
            "there is no rule '{name}': FROM oplog_alert_rules() shows those that there are",
            name = excerpt(name)
        ),
    }
}

#[cfg(test)]
mod tests;
