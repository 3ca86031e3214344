-- Counts operations in a table of rollups. {matches} finds the keys of its scope, {hours} is how many its periods have.
WITH keyed AS (
    SELECT rolling.command, rolling.project_id, rolling.status, known.key
    FROM rolling
    JOIN rollup_keys AS known ON {matches} AND rolling.status = known.status
)
INSERT INTO {table}
SELECT
    {hour} AS hour,
    key,
    count(*),
    count(duration_ms),
    sum(duration_ms),
    max(duration_ms),
    count(queue_wait_ms),
    sum(queue_wait_ms),
    max(queue_wait_ms),
    sum(rows_affected),
    sum(bytes_in),
    sum(bytes_out),
    min(timestamp),
    max(timestamp)
FROM operation_log
JOIN keyed USING (command, project_id, status)
WHERE seq >= {from} AND seq < {until}{before}
GROUP BY hour, key
ORDER BY hour, key;

WITH keyed AS (
    SELECT rolling.command, rolling.project_id, rolling.status, known.key
    FROM rolling
    JOIN rollup_keys AS known ON {matches} AND rolling.status = known.status
)
INSERT INTO {table}_durations
SELECT {hour} AS hour, key, {bin} AS bin, count(*)
FROM operation_log
JOIN keyed USING (command, project_id, status)
WHERE seq >= {from} AND seq < {until}{before} AND duration_ms IS NOT NULL
GROUP BY hour, key, bin
ORDER BY hour, key, bin;
