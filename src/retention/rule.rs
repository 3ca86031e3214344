//! A rule, and the changes that callers ask for.

use super::Keep;
use crate::excerpt::excerpt;
use crate::nearest::nearest;
use crate::pattern;
use crate::record::LOGGED_STATUSES;

const TEXT_BYTES_MAX: usize = 200;

/// How long the operations are kept that match all that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    pub name: String,
    /// GLOB patterns; empty for any.
    pub command: String,
    pub project_id: String,
    /// In the order of [`LOGGED_STATUSES`]; none for any.
    pub statuses: Vec<&'static str>,
    pub keep: Keep,
}

/// What a caller wants of a rule; what is None stays, or is empty in a new rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionChange {
    pub command: Option<String>,
    pub project_id: Option<String>,
    pub status: Option<String>,
    pub keep: Option<String>,
}

impl RetentionChange {
    /// The rule of that name after the change: `known` changed, or a new one.
    pub fn apply(self, name: &str, known: Option<RetentionRule>) -> Result<RetentionRule, String> {
        if name.is_empty() {
            return Err("name is '': give the rule a name".into());
        }
        let keep = match (&self.keep, &known) {
            (Some(text), _) => Keep::parse(text)?,
            (None, Some(rule)) => rule.keep,
            (None, None) => {
                return Err(format!(
                    "there is no rule '{}': give keep to add it, or a name that FROM oplog_retention() shows",
                    excerpt(name)
                ))
            }
        };
        let mut rule = known.unwrap_or_else(|| RetentionRule {
            name: name.to_owned(),
            command: String::new(),
            project_id: String::new(),
            statuses: Vec::new(),
            keep,
        });
        rule.keep = keep;
        rule.command = self.command.unwrap_or(rule.command);
        rule.project_id = self.project_id.unwrap_or(rule.project_id);
        if let Some(status) = &self.status {
            rule.statuses = statuses(status)?;
        }
        rule.check()?;
        Ok(rule)
    }
}

impl RetentionRule {
    /// The patterns that are set, by their columns.
    pub fn patterns(&self) -> Vec<(&'static str, &str)> {
        let patterns = [
            ("command", self.command.as_str()),
            ("project_id", &self.project_id),
        ];
        let set = patterns.into_iter();
        set.filter(|(_, pattern)| !pattern.is_empty()).collect()
    }

    /// Its statuses as they were given; empty for any.
    pub fn status(&self) -> String {
        self.statuses.join(", ")
    }

    /// What it applies to, in words.
    pub fn applies_to(&self) -> String {
        let mut parts: Vec<String> = self
            .patterns()
            .iter()
            .map(|(column, pattern)| format!("{column} {pattern}"))
            .collect();
        if !self.statuses.is_empty() {
            parts.push(format!("status {}", self.statuses.join(" or ")));
        }
        parts.join(", ")
    }

    fn check(&self) -> Result<(), String> {
        let texts = [
            ("name", &self.name),
            ("command", &self.command),
            ("project_id", &self.project_id),
        ];
        for (what, text) in texts {
            if text.len() > TEXT_BYTES_MAX {
                return Err(format!(
                    "{what} has {} bytes: {TEXT_BYTES_MAX} are the limit",
                    text.len()
                ));
            }
        }
        for (column, given) in self.patterns() {
            if pattern::regular_expression(given).is_none() {
                return Err(format!(
                    "{column} is '{}': this pattern matches nothing; write [[] for the character [, and \\\\ for \\",
                    excerpt(given)
                ));
            }
        }
        // A slip must not become a rule for everything.
        if self.patterns().is_empty() && self.statuses.is_empty() {
            return Err(
                "the rule says nothing of what it applies to: give command, project_id or status; how long all else is \
                 kept is what the settings oplog_retention and oplog_error_retention say"
                    .into(),
            );
        }
        Ok(())
    }
}

/// Reads `error, timeout`.
fn statuses(text: &str) -> Result<Vec<&'static str>, String> {
    let given: Vec<&str> = text.split(',').map(str::trim).collect();
    if given == [""] {
        return Ok(Vec::new());
    }
    if given.iter().any(|status| !LOGGED_STATUSES.contains(status)) {
        return Err(format!(
            "status is '{}': give one or several of {}",
            excerpt(text),
            LOGGED_STATUSES.join(", ")
        ));
    }
    let named = LOGGED_STATUSES.into_iter();
    Ok(named.filter(|status| given.contains(status)).collect())
}

/// The rules in the order in which they decide, each with the time before which it lets go: an operation is kept as long as
/// the rule says that keeps it longest, so that rule comes first.
pub fn in_order(rules: Vec<RetentionRule>, now_us: i64) -> Vec<(RetentionRule, Option<i64>)> {
    let mut ordered: Vec<_> = rules
        .into_iter()
        .map(|rule| {
            let before_us = rule.keep.before_us(now_us);
            (rule, before_us)
        })
        .collect();
    // None comes before all others.
    ordered.sort_by(|(rule, before_us), (other, other_us)| {
        (before_us, &rule.name).cmp(&(other_us, &other.name))
    });
    ordered
}

/// What to say of a rule that is not there.
pub fn unknown<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let remedy = match nearest(name, names) {
        Some(nearest) => format!("; did you mean '{}'?", excerpt(nearest)),
        None => ": FROM oplog_retention() shows those that there are".into(),
    };
    format!("there is no rule '{}'{remedy}", excerpt(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(command: &str, status: &str, keep: &str) -> RetentionChange {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        RetentionChange {
            command: given(command),
            status: given(status),
            keep: given(keep),
            ..RetentionChange::default()
        }
    }

    fn rule(name: &str, keep: &str) -> RetentionRule {
        change("audit*", "", keep).apply(name, None).unwrap()
    }

    #[test]
    fn a_rule_says_what_it_applies_to() {
        let rule = change("audit*", "timeout,error", "1 year").apply("audit", None);
        let rule = rule.unwrap();
        assert_eq!(rule.statuses, ["error", "timeout"]);
        assert_eq!(rule.status(), "error, timeout");
        assert_eq!(rule.applies_to(), "command audit*, status error or timeout");
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_is() {
        let known = change("audit*", "error", "1 year")
            .apply("audit", None)
            .unwrap();
        let longer = change("", "", "2 years")
            .apply("audit", Some(known.clone()))
            .unwrap();
        assert_eq!(
            (&longer.command, &longer.statuses),
            (&known.command, &known.statuses)
        );
        assert_eq!(longer.keep.to_string(), "2 years");
        let any = RetentionChange {
            status: Some(String::new()),
            ..RetentionChange::default()
        };
        let any = any.apply("audit", Some(longer)).unwrap();
        assert!(any.statuses.is_empty());
        assert_eq!(any.keep.to_string(), "2 years");
    }

    #[test]
    fn the_rule_that_keeps_longest_decides() {
        let rules = vec![
            rule("day", "1 day"),
            rule("month", "1 month"),
            rule("b", "forever"),
            rule("thirty", "30 days"),
            rule("a", "forever"),
        ];
        // 1 March 2027: the month behind it has 28 days.
        let ordered = in_order(rules, 20_878 * 86_400_000_000);
        let names: Vec<&str> = ordered.iter().map(|(rule, _)| rule.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "thirty", "month", "day"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_remedy() {
        for (change, expected) in [
            (change("audit*", "", ""), "there is no rule 'test': give keep to add it"),
            (change("", "", "1 day"), "the rule says nothing of what it applies to: give command"),
            (change("audit[", "", "1 day"), "command is 'audit[': this pattern matches nothing"),
            (change("audit\\", "", "1 day"), "command is 'audit\\': this pattern matches nothing"),
            (
                change("", "eror", "1 day"),
                "status is 'eror': give one or several of success, error, timeout, cancelled, interrupted",
            ),
            (change("", "error,,", "1 day"), "status is 'error,,': give one"),
            (change(&"x".repeat(201), "", "1 day"), "command has 201 bytes: 200 are the limit"),
            (change("a", "", "soon"), "keep is 'soon'"),
        ] {
            let error = change.apply("test", None).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(change("a", "", "1 day").apply("", None).is_err());
    }

    #[test]
    fn a_slip_in_a_name_is_recognised() {
        let names = ["audit", "health_checks"];
        assert_eq!(
            unknown("health_check", names.into_iter()),
            "there is no rule 'health_check'; did you mean 'health_checks'?"
        );
        assert!(unknown("x", names.into_iter()).ends_with("shows those that there are"));
    }
}
