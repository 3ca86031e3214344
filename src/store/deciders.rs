//! Which rule or setting decides how long an operation is kept, as SQL.

use super::archive::archive;
use super::error::Error;
use super::matching::matches;
use super::retention_rules::rules;
use crate::duckdb::Connection;
use crate::record::LOGGED_STATUSES;
use crate::retention::{in_order, RetentionRule};

/// A time that nothing is before.
const NEVER_US: i64 = -i64::MAX;

/// How long records are kept that no rule applies to, none for good, and how much room all of them may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    pub retention_us: Option<i64>,
    pub error_retention_us: Option<i64>,
    pub max_bytes: u64,
}

/// What decides on an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    Rule(RetentionRule),
    /// `oplog_retention`.
    Retention,
    /// `oplog_error_retention`.
    ErrorRetention,
}

impl DecidedBy {
    /// Why something was deleted, and the rule if it was one.
    pub(super) fn reason(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Rule(rule) => ("rule age", Some(&rule.name)),
            Self::Retention => ("success age", None),
            Self::ErrorRetention => ("error age", None),
        }
    }
}

pub(super) struct Decider {
    pub by: DecidedBy,
    /// What ended before this goes.
    pub before_us: Option<i64>,
}

/// All that decide, in the order in which they do: the rules, the one that keeps longest first, and behind them the settings,
/// one of which applies to whatever no rule does.
pub(super) struct Deciders(pub Vec<Decider>);

impl Deciders {
    pub fn of(
        connection: &Connection,
        policy: &RetentionPolicy,
        now_us: i64,
    ) -> Result<Self, Error> {
        // What is archived goes a whole period at a time.
        let every_us = archive(connection)?.map_or(1, |archive| archive.every_us);
        let whole = |before_us: i64| before_us.div_euclid(every_us).saturating_mul(every_us);
        let rules = in_order(rules(connection)?, now_us).into_iter();
        let mut deciders: Vec<Decider> = rules
            .map(|(rule, before_us)| Decider {
                by: DecidedBy::Rule(rule),
                before_us: before_us.map(whole),
            })
            .collect();
        for (by, keep_us) in [
            (DecidedBy::Retention, policy.retention_us),
            (DecidedBy::ErrorRetention, policy.error_retention_us),
        ] {
            let before_us = keep_us.map(|keep_us| whole(now_us.saturating_sub(keep_us)));
            deciders.push(Decider { by, before_us });
        }
        Ok(Self(deciders))
    }

    /// Nothing goes that ended later.
    pub fn before_us(&self) -> i64 {
        let before_us = self.0.iter().filter_map(|decider| decider.before_us);
        before_us.max().unwrap_or(NEVER_US)
    }

    /// The columns that tell apart on which operations they decide.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec!["status"];
        for decider in &self.0 {
            let DecidedBy::Rule(rule) = &decider.by else {
                continue;
            };
            for (column, _) in rule.patterns() {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        columns
    }

    /// Fills the placeholders of a .sql file: `{columns}` tell kinds of operations apart, `{position}` is that of whoever
    /// decides on a kind, `{before_us}` the time of that, and `{matches}` joins the columns of a kind and an operation.
    pub fn fill(&self, sql: &str) -> String {
        let columns = self.columns();
        let times = self
            .0
            .iter()
            .map(|decider| decider.before_us.unwrap_or(NEVER_US).to_string());
        let matches = columns
            .iter()
            .map(|column| format!("operation.{column} = kind.{column}"));
        sql.replace("{columns}", &columns.join(", "))
            .replace("{position}", &self.position())
            .replace(
                "{before_us}",
                &format!(
                    "([{}]::BIGINT[])[position + 1]",
                    times.collect::<Vec<_>>().join(", ")
                ),
            )
            .replace("{matches}", &matches.collect::<Vec<_>>().join(" AND "))
    }

    fn position(&self) -> String {
        let whens = self.0.iter().enumerate().map(|(position, decider)| {
            let condition = match &decider.by {
                DecidedBy::Rule(rule) => applies(rule),
                DecidedBy::Retention => format!("status = '{}'", LOGGED_STATUSES[0]),
                DecidedBy::ErrorRetention => "true".to_owned(),
            };
            format!("\n            WHEN {condition} THEN {position}")
        });
        format!("CASE{}\n        END", whens.collect::<String>())
    }
}

/// Whether a rule applies to an operation.
fn applies(rule: &RetentionRule) -> String {
    let patterns = rule.patterns().into_iter();
    let mut conditions: Vec<String> = patterns
        .map(|(column, pattern)| matches(column, pattern))
        .collect();
    if !rule.statuses.is_empty() {
        // Words that oplog knows.
        conditions.push(format!("status IN ('{}')", rule.statuses.join("', '")));
    }
    conditions.join(" AND ")
}
