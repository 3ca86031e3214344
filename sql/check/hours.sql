-- Where do rollups of hours say something else than the operations that they count? As far as all of these are there, from hour {from}
-- to hour {until}.
WITH known AS (
    SELECT rolled_seq, greatest(hours_since::BIGINT * {hour_us}, rows_since_us) AS since_us
    FROM rollup_state
),
commands AS (
    SELECT DISTINCT command FROM rollup_keys WHERE project_id IS NULL
),
projects AS (
    SELECT DISTINCT project_id FROM rollup_keys WHERE command IS NULL
),
named AS (
    SELECT
        operations.* REPLACE (
            CASE WHEN commands.command IS NULL THEN 'other' ELSE operations.command END AS command,
            CASE WHEN projects.project_id IS NULL THEN 'other' ELSE operations.project_id END AS project_id
        )
    FROM operation_log AS operations
    LEFT JOIN commands ON commands.command = operations.command
    LEFT JOIN projects ON projects.project_id = operations.project_id
    WHERE
        operations.seq < (SELECT rolled_seq FROM known)
        AND epoch_us(operations.timestamp) >= {from_us} AND epoch_us(operations.timestamp) < {until_us}
),
counted AS (
    SELECT {hour} AS hour, command, project_id, status, {counts}
    FROM named
    GROUP BY ALL
),
rolled AS (
    SELECT hour, command, project_id, status, {sums}
    FROM rollup_pair_1h
    JOIN rollup_keys USING (key)
    WHERE hour >= {from} AND hour < {until}
    GROUP BY ALL
)
SELECT
    count(*),
    min(hour),
    arg_min(concat_ws(', ', command, project_id, status), hour),
    arg_min(coalesce(counted.operations, 0), hour)::BIGINT,
    arg_min(coalesce(rolled.operations, 0), hour)::BIGINT
FROM counted AS counted
FULL JOIN rolled AS rolled USING (hour, command, project_id, status)
WHERE hour::BIGINT * {hour_us} >= (SELECT since_us FROM known) AND ({differ});
