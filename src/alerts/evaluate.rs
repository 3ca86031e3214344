//! From values over time to a state.

use super::{Rule, Source};

/// How far back it is looked for when an alert became active, unless `hold_for` needs more.
const LOOKBACK_US: i64 = 3_600_000_000;

/// Times that are looked at this far apart at least, as Prometheus would evaluate a rule.
const STEP_US_MIN: i64 = 15_000_000;
/// And at most so many of them.
const STEPS_MAX: i64 = 240;
/// An operation counts at all times of the period behind it. So many times a period keep the work near that of a single
/// look, and a metric does not change much between two of them.
const STEPS_PER_PERIOD: i64 = 6;

/// As in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Firing,
    /// The condition holds, and has not done so for long enough.
    Pending,
    Inactive,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Inactive => "inactive",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    pub state: State,
    pub value: Option<f64>,
    /// None for an inactive alert.
    pub active_since_us: Option<i64>,
}

/// Times that are looked at: from the first to the last in steps, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub from_us: i64,
    pub until_us: i64,
    pub step_us: i64,
}

impl Times {
    pub fn only(at_us: i64) -> Self {
        Self {
            from_us: at_us,
            until_us: at_us,
            step_us: 1,
        }
    }

    /// All of them, in order.
    pub fn all(self) -> impl Iterator<Item = i64> {
        let count = (self.until_us - self.from_us) / self.step_us;
        (0..=count).map(move |index| self.from_us + index * self.step_us)
    }

    /// Where to look for the moment at which an alert that is active now became so.
    pub fn back(rule: &Rule, now_us: i64) -> Self {
        let lookback_us = LOOKBACK_US.max(rule.hold_for_us.saturating_mul(2));
        let mut step_us = STEP_US_MIN.max(lookback_us / STEPS_MAX);
        if rule.metric.source == Source::Period {
            step_us = step_us.max(rule.period_us / STEPS_PER_PERIOD);
        }
        Self {
            from_us: now_us - lookback_us / step_us * step_us,
            until_us: now_us,
            step_us,
        }
    }
}

impl Evaluation {
    /// `values` are those at some times, the oldest first and the last one now.
    pub fn of(rule: &Rule, values: &[(i64, Option<f64>)]) -> Self {
        let Some((now_us, value)) = values.last().copied() else {
            return Self {
                state: State::Inactive,
                value: None,
                active_since_us: None,
            };
        };
        let active_since_us = values
            .iter()
            .rev()
            .take_while(|(_, value)| rule.holds(*value))
            .last()
            .map(|(at_us, _)| *at_us);
        let state = match active_since_us {
            None => State::Inactive,
            Some(since_us) if since_us <= now_us - rule.hold_for_us => State::Firing,
            Some(_) => State::Pending,
        };
        Self {
            state,
            value,
            active_since_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RuleChange;
    use super::*;

    fn rule(hold_for: &str) -> Rule {
        RuleChange {
            metric: Some("errors".into()),
            threshold: Some(10.0),
            hold_for: Some(hold_for.into()),
            ..RuleChange::default()
        }
        .apply("test", None)
        .unwrap()
    }

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_700_000_000 * SECOND;

    fn evaluate(hold_for: &str, values: &[(i64, f64)]) -> (State, Option<i64>) {
        let values: Vec<(i64, Option<f64>)> = values
            .iter()
            .map(|(ago, value)| {
                let value = (!value.is_nan()).then_some(*value);
                (NOW - ago * SECOND, value)
            })
            .collect();
        let evaluated = Evaluation::of(&rule(hold_for), &values);
        let since = evaluated.active_since_us.map(|at| (NOW - at) / SECOND);
        (evaluated.state, since)
    }

    #[test]
    fn it_fires_at_once_where_nothing_is_to_be_waited_for() {
        assert_eq!(evaluate("0s", &[(0, 11.0)]), (State::Firing, Some(0)));
        assert_eq!(evaluate("0s", &[(0, 10.0)]), (State::Inactive, None));
        assert_eq!(evaluate("0s", &[]), (State::Inactive, None));
    }

    #[test]
    fn it_waits_until_the_condition_has_held_for_long_enough() {
        let held = [(60, 11.0), (45, 12.0), (15, 13.0), (0, 11.0)];
        assert_eq!(evaluate("1m", &held), (State::Firing, Some(60)));
        assert_eq!(evaluate("61s", &held), (State::Pending, Some(60)));
        let broken = [(60, 11.0), (45, 9.0), (15, 13.0), (0, 11.0)];
        assert_eq!(evaluate("1m", &broken), (State::Pending, Some(15)));
        let over = [(60, 11.0), (45, 12.0), (15, 13.0), (0, 10.0)];
        assert_eq!(evaluate("1m", &over), (State::Inactive, None));
    }

    #[test]
    fn no_value_interrupts() {
        let gap = [(60, 11.0), (30, f64::NAN), (0, 11.0)];
        assert_eq!(evaluate("1m", &gap), (State::Pending, Some(0)));
        assert_eq!(evaluate("0s", &[(0, f64::NAN)]), (State::Inactive, None));
    }

    #[test]
    fn the_work_is_bounded() {
        for (hold_for, period) in [("0s", "1m"), ("7s", "1h"), ("30d", "1s"), ("1m", "30d")] {
            let rule = RuleChange {
                period: Some(period.into()),
                ..RuleChange::default()
            }
            .apply("test", Some(rule(hold_for)))
            .unwrap();
            let times = Times::back(&rule, NOW);
            let steps = (times.until_us - times.from_us) / times.step_us;
            assert_eq!(times.until_us, NOW);
            assert_eq!((times.until_us - times.from_us) % times.step_us, 0);
            assert!((0..=STEPS_MAX).contains(&steps), "{steps}");
            assert!(rule.period_us / times.step_us <= STEPS_PER_PERIOD);
        }
    }
}
