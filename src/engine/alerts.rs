//! Alerts: rules from the log, evaluated by the log and by samples of what the process uses.

use super::command::Command;
use super::engine::Engine;
use super::error::Error;
use super::shared::Shared;
use crate::alerts::{Evaluation, Rule, RuleChange, Source, Times, CPU, DISK, MEMORY};
use crate::caller;
use crate::store::{Measured, Reader};
use crate::system::History;
use std::time::{Duration, Instant};

/// How long all rules together may take.
const ALERTS_TIME_MAX: Duration = Duration::from_secs(10);

/// An enabled rule, and what it says now.
pub struct Alert {
    pub rule: Rule,
    pub evaluation: Evaluation,
    /// From when on all is known that the value is about; none where that is all of it.
    pub complete_since_us: Option<i64>,
}

impl Shared {
    pub fn alert_rules(&self) -> Result<Vec<Rule>, Error> {
        self.begin(|| Ok(self.reader()?.rules()?))
    }

    /// Every enabled rule, those that fire first. An error where they take longer than [`ALERTS_TIME_MAX`].
    pub fn alerts(&self) -> Result<Vec<Alert>, Error> {
        let until = Instant::now() + ALERTS_TIME_MAX;
        let evaluated = caller::within(ALERTS_TIME_MAX, || self.begin(|| self.evaluate()));
        evaluated.map_err(|error| {
            if Instant::now() < until {
                return error;
            }
            Error::AlertsTakeLong {
                limit: ALERTS_TIME_MAX,
                error: error.into(),
            }
        })
    }

    fn evaluate(&self) -> Result<Vec<Alert>, Error> {
        let reader = self.read(None)?;
        let place = self.status().place;
        let history = self.sampler.history(place.path());
        let now_us = crate::system::clock::now_us();
        let mut alerts = Vec::new();
        for rule in reader.rules()?.into_iter().filter(|rule| rule.enabled) {
            let (evaluation, complete_since_us) = match rule.metric.source {
                Source::Process => (evaluate_process(&rule, &history, now_us), None),
                _ => self
                    .evaluate_operations(&rule, &reader, now_us)
                    .map_err(|error| Error::Rule {
                        name: rule.name.clone(),
                        error: error.into(),
                    })?,
            };
            alerts.push(Alert {
                rule,
                evaluation,
                complete_since_us,
            });
        }
        // Stable: by name within a state.
        alerts.sort_by_key(|alert| alert.evaluation.state);
        Ok(alerts)
    }

    fn evaluate_operations(
        &self,
        rule: &Rule,
        reader: &Reader,
        now_us: i64,
    ) -> Result<(Evaluation, Option<i64>), Error> {
        let opened_us = self.sampler.opened_us;
        let measure = |times| reader.measure(rule, times, opened_us, &self.callers);
        let Measured {
            values: now,
            complete_since_us,
        } = measure(Times::only(now_us))?;
        let evaluated = |values: &[_]| (Evaluation::of(rule, values), complete_since_us);
        let holds = now.last().is_some_and(|(_, value)| rule.holds(*value));
        // Most rules are inactive, and then nothing else matters.
        if !holds {
            return Ok(evaluated(&now));
        }
        let mut values = now;
        if rule.hold_for_us > 0 {
            values.extend(measure(Times::only(now_us - rule.hold_for_us))?.values);
        }
        // Whether it fires is decided by what was then. Where a busy log is too much for the memory of the private
        // instance, it shows as active since a later time.
        let before = match measure(Times::back(rule, now_us)) {
            Err(error) if caller::has_given_up() => return Err(error.into()),
            measured => measured.unwrap_or_default().values,
        };
        // Of two values at a time the first one is kept: that of this time alone.
        values.extend(before);
        values.sort_by_key(|(at_us, _)| *at_us);
        values.dedup_by_key(|(at_us, _)| *at_us);
        Ok(evaluated(&values))
    }
}

impl Engine {
    /// Adds or changes a rule; the rule as it is then.
    pub fn change_alert_rule(&self, name: &str, change: RuleChange) -> Result<Rule, Error> {
        self.ask(|reply| Command::ChangeRule(name.to_owned(), Box::new(change), reply))?
    }

    pub fn drop_alert_rule(&self, name: &str) -> Result<(), Error> {
        self.ask(|reply| Command::DropRule(name.to_owned(), reply))?
    }
}

fn evaluate_process(rule: &Rule, history: &History, now_us: i64) -> Evaluation {
    let mut times: Vec<i64> = history.times().filter(|at| *at < now_us).collect();
    times.extend([now_us - rule.hold_for_us, now_us]);
    times.sort_unstable();
    times.dedup();
    let values: Vec<(i64, Option<f64>)> = times
        .into_iter()
        .map(|at_us| {
            let value = match rule.metric.name {
                name if name == CPU.name => history.cpu_percent(at_us, rule.period_us),
                name if name == MEMORY.name => history.memory_percent(at_us),
                name if name == DISK.name => history.disk_percent(at_us),
                _ => None,
            };
            (at_us, value)
        })
        .collect();
    Evaluation::of(rule, &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::State;
    use crate::system::{Sample, Usage};

    const SECOND: i64 = 1_000_000;

    /// The rules that the schema begins with, read from its text: cargo's tests have no DuckDB.
    fn default_rule(name: &str) -> Rule {
        let sql = include_str!("../../sql/schema/0005_alert_rules.sql");
        let (_, row) = sql.split_once(&format!("('{name}', ")).unwrap();
        let fields: Vec<&str> = row
            .split(", ")
            .map(|field| field.trim_matches('\''))
            .collect();
        let micros = |text: &str| format!("{}ms", text.parse::<i64>().unwrap() / 1000);
        let metric = fields[1];
        RuleChange {
            metric: Some(metric.into()),
            comparison: Some(fields[2].into()),
            threshold: fields[3].parse().ok(),
            period: (fields[4] != "0").then(|| micros(fields[4])),
            hold_for: Some(micros(fields[5])),
            ..RuleChange::default()
        }
        .apply(name, None)
        .unwrap()
    }

    /// Two minutes of samples, which end now: CPU time as a share of two CPUs, memory and disk in percent.
    fn evaluate(name: &str, cpu: f64, memory: u64, disk: f64) -> State {
        let mut history = History::default();
        let now_us = 1_700_000_000 * SECOND;
        for step in 0..=24 {
            history.push(Sample {
                at_us: now_us - (24 - step) * 5 * SECOND,
                usage: Usage {
                    cpu_seconds: Some(step as f64 * 5.0 * 2.0 * cpu),
                    resident_bytes: Some(memory),
                    machine_cpus: Some(2.0),
                    machine_memory_bytes: Some(100),
                    ..Usage::default()
                },
                disk_percent: Some(disk),
            });
        }
        evaluate_process(&default_rule(name), &history, now_us).state
    }

    #[test]
    fn the_default_rules_fire_beyond_their_thresholds_and_not_at_them() {
        assert_eq!(evaluate("cpu_high", 0.91, 0, 0.0), State::Firing);
        assert_eq!(evaluate("cpu_high", 0.89, 0, 0.0), State::Inactive);
        assert_eq!(evaluate("memory_high", 0.0, 81, 0.0), State::Firing);
        assert_eq!(evaluate("memory_high", 0.0, 80, 0.0), State::Inactive);
        assert_eq!(evaluate("disk_full", 0.0, 0, 90.1), State::Firing);
        assert_eq!(evaluate("disk_full", 0.0, 0, 90.0), State::Inactive);
    }

    #[test]
    fn a_process_that_began_just_now_has_not_been_busy_for_a_minute() {
        let mut history = History::default();
        let now_us = 1_700_000_000 * SECOND;
        for second in [0, 5, 10] {
            history.push(Sample {
                at_us: now_us - (10 - second) * SECOND,
                usage: Usage {
                    cpu_seconds: Some(second as f64),
                    machine_cpus: Some(1.0),
                    ..Usage::default()
                },
                disk_percent: None,
            });
        }
        let evaluated = evaluate_process(&default_rule("cpu_high"), &history, now_us);
        assert_eq!(evaluated.state, State::Pending);
        assert_eq!(evaluated.value, Some(100.0));
        let evaluated = evaluate_process(&default_rule("disk_full"), &history, now_us);
        assert_eq!((evaluated.state, evaluated.value), (State::Inactive, None));
    }
}
