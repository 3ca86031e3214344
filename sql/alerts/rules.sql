-- Which alert rules are there?
SELECT
    name, enabled, metric, comparison, threshold, period_us, hold_for_us, min_operations, severity, summary,
    command, project_id, table_name
FROM alert_rules
ORDER BY name;
