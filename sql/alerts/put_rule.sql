-- Keeps a rule. The one of that name has been dropped, if there was one.
INSERT INTO alert_rules VALUES (
    $name, $enabled = 1, $metric, $comparison, $threshold, $period_us, $hold_for_us, $min_operations, $severity, $summary,
    nullif($command, ''), nullif($project_id, ''), nullif($table_name, '')
);
