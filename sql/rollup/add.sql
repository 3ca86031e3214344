-- Counts operations in a table of rollups. {matches} finds the keys of its scope, {hour} is when its periods begin.
WITH keyed AS (
    SELECT rolling.command, rolling.project_id, rolling.status, known.key
    FROM rolling
    JOIN rollup_keys AS known ON {matches} AND rolling.status = known.status
)
INSERT INTO {table}
SELECT
    {hour} AS hour,
    key,
    {counts}
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
