-- Keeps a rule, in place of the one of that name if there is one.
INSERT OR REPLACE INTO alert_rules VALUES (
    $name, $enabled = 1, $metric, $comparison, $threshold, $period_us, $hold_for_us, $min_operations, $severity, $summary,
    nullif($command, ''), nullif($project_id, ''), nullif($table_name, '')
);
