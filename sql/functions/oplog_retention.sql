-- What is kept for how long, what would go now, and what has gone? One row a rule.
WITH border AS (
    SELECT
        CAST($success_before AS TIMESTAMPTZ) AS success_before,
        CAST($error_before AS TIMESTAMPTZ) AS error_before
),
kept AS (
    SELECT
        count(*) FILTER (status = 'success') AS successes,
        count(*) FILTER (status <> 'success') AS others,
        count(*) FILTER (status = 'success' AND timestamp < success_before) AS expired_successes,
        count(*) FILTER (status <> 'success' AND timestamp < error_before) AS expired_others
    FROM operation_log, border
),
rule AS (
    SELECT
        1 AS position,
        'oplog_retention' AS setting,
        'success' AS applies_to,
        CAST($retention AS VARCHAR) AS keep,
        success_before AS expires_before,
        successes AS operations,
        expired_successes AS expired_operations,
        'success age' AS reason
    FROM kept, border
    UNION ALL
    SELECT
        2,
        'oplog_error_retention',
        CAST($failures AS VARCHAR),
        CAST($error_retention AS VARCHAR),
        error_before,
        others,
        expired_others,
        'error age'
    FROM kept, border
    UNION ALL
    SELECT
        3,
        'oplog_max_size',
        'all',
        CAST($max_size AS VARCHAR),
        NULL,
        successes + others,
        NULL,
        'size'
    FROM kept
),
run AS (
    SELECT
        reason,
        max(started_at) AS last_deleted_at,
        arg_max(deleted, started_at) AS last_deleted_operations,
        sum(deleted)::BIGINT AS deleted_operations
    FROM retention_runs
    GROUP BY reason
)
SELECT
    setting,
    applies_to,
    keep,
    expires_before,
    operations,
    expired_operations,
    last_deleted_at,
    last_deleted_operations,
    coalesce(deleted_operations, 0) AS deleted_operations
FROM rule
LEFT JOIN run USING (reason)
ORDER BY position;
