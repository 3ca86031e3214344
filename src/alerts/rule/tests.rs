use super::*;

fn new(change: RuleChange) -> Result<Rule, String> {
    change.apply("test", None)
}

fn change(metric: &str, threshold: f64) -> RuleChange {
    RuleChange {
        metric: Some(metric.into()),
        threshold: Some(threshold),
        ..RuleChange::default()
    }
}

#[test]
fn a_new_rule_needs_a_metric_and_a_threshold_only() {
    let rule = new(change("p95_duration_ms", 500.0)).unwrap();
    assert_eq!(rule.name, "test");
    assert!(rule.enabled);
    assert_eq!(rule.comparison, Comparison::Above);
    assert_eq!(rule.period_us, 300_000_000);
    assert_eq!((rule.hold_for_us, rule.min_operations), (0, 0));
    assert_eq!(rule.severity, "warning");
    assert!(rule.filters().is_empty());
    assert_eq!(new(change("disk_percent", 90.0)).unwrap().period_us, 0);
    assert!(new(RuleChange::default())
        .unwrap_err()
        .starts_with("there is no rule 'test': give a metric"));
    let missing = RuleChange {
        threshold: None,
        ..change("errors", 0.0)
    };
    assert_eq!(
        new(missing).unwrap_err(),
        "threshold is missing: give it in operations"
    );
}

#[test]
fn a_change_leaves_the_rest_as_it_is() {
    let rule = new(RuleChange {
        command: Some("imp*".into()),
        hold_for: Some("2m".into()),
        period: Some("10m".into()),
        ..change("errors", 3.0)
    })
    .unwrap();
    let changed = RuleChange {
        enabled: Some(false),
        threshold: Some(5.0),
        ..RuleChange::default()
    }
    .apply("test", Some(rule.clone()))
    .unwrap();
    assert_eq!(
        changed,
        Rule {
            enabled: false,
            threshold: 5.0,
            ..rule.clone()
        }
    );
    let cleared = RuleChange {
        command: Some(String::new()),
        ..RuleChange::default()
    };
    let cleared = cleared.apply("test", Some(rule.clone())).unwrap();
    assert!(cleared.filters().is_empty());
    // Another metric has another period.
    let moved = RuleChange {
        metric: Some("consecutive_errors".into()),
        ..RuleChange::default()
    };
    let moved = moved.apply("test", Some(rule)).unwrap();
    assert_eq!(moved.period_us, 86_400_000_000);
    assert_eq!(moved.threshold, 3.0);
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let with = |edit: fn(&mut RuleChange)| {
        let mut change = change("errors", 3.0);
        edit(&mut change);
        new(change).unwrap_err()
    };
    for (error, expected) in [
        (
            with(|change| change.metric = Some("p95".into())),
            "metric is 'p95': there is no such metric, give one of operations, errors,",
        ),
        (
            with(|change| change.comparison = Some("=".into())),
            "comparison is '=': give >, >=, < or <=",
        ),
        (
            with(|change| change.threshold = Some(f64::NAN)),
            "threshold is NaN: give a number in operations",
        ),
        (
            with(|change| change.period = Some("soon".into())),
            "period is 'soon': give an interval such as '30s', '5m' or '1h', 30 days at most",
        ),
        (
            with(|change| change.period = Some("0s".into())),
            "period is '0s'",
        ),
        (
            with(|change| change.period = Some("31d".into())),
            "period is '31d'",
        ),
        (
            with(|change| change.hold_for = Some("-1s".into())),
            "hold_for is '-1s'",
        ),
        (
            with(|change| change.min_operations = Some(-1)),
            "min_operations is -1: give 0 or more",
        ),
        (
            with(|change| change.severity = Some(" ".into())),
            "severity is ''",
        ),
        (
            with(|change| change.summary = Some("x".repeat(2001))),
            "summary has 2001 bytes: 2000 are the limit",
        ),
        (
            with(|change| change.command = Some("sync[".into())),
            "command is 'sync[': a [ without a ] matches nothing",
        ),
        (
            with(|change| {
                change.metric = Some("disk_percent".into());
                change.period = Some("5m".into());
            }),
            "period is '5m': disk_percent has no period, leave it out",
        ),
        (
            with(|change| {
                change.metric = Some("cpu_percent".into());
                change.command = Some("import".into());
            }),
            "command is 'import': cpu_percent is the whole process's",
        ),
        (
            with(|change| {
                change.metric = Some("cpu_percent".into());
                change.hold_for = Some("1h".into());
            }),
            "period and hold_for come to 61 minutes: samples of cpu_percent are kept for 1 hour",
        ),
        (
            with(|change| {
                change.metric = Some("consecutive_errors".into());
                change.min_operations = Some(5);
            }),
            "min_operations is 5: consecutive_errors is not measured over operations",
        ),
        (
            change("errors", 1.0).apply("", None).unwrap_err(),
            "name is '': give the rule a name",
        ),
    ] {
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn comparisons_are_what_they_look_like() {
    for (symbol, outcomes) in [
        (">", [false, false, true]),
        (">=", [false, true, true]),
        ("<", [true, false, false]),
        ("<=", [true, true, false]),
    ] {
        let comparison = Comparison::parse(symbol).unwrap();
        assert_eq!(comparison.symbol(), symbol);
        assert_eq!(
            [1.0, 2.0, 3.0].map(|value| comparison.holds(value, 2.0)),
            outcomes
        );
        assert!(!comparison.holds(f64::NAN, 2.0));
    }
}

#[test]
fn a_slip_in_a_name_is_recognised() {
    let names = ["cpu_high", "disk_full"];
    assert_eq!(
        unknown("disk_ful", names.into_iter()),
        "there is no rule 'disk_ful'; did you mean 'disk_full'?"
    );
    assert!(unknown("x", names.into_iter()).contains("FROM oplog_alert_rules()"));
}
