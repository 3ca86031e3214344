-- How did the whole period go? One row, also where nothing ran.
WITH
-- Of the operations:
operation AS (
    SELECT command, status, duration_ms, queue_wait_ms, error_code
    FROM operation_log
    WHERE {filters}
),
total AS (
    SELECT
        count(*) AS operations,
        count(*) FILTER (status = 'success') AS successes,
        avg(duration_ms) AS avg_ms,
        avg(queue_wait_ms) AS avg_queue_wait_ms,
        quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), [0.5, 0.95, 0.99]) AS quantiles_ns
    FROM operation
),
by_command AS (
    SELECT command, count(*) AS operations, avg(duration_ms) AS avg_ms
    FROM operation
    GROUP BY command
),
by_code AS (
    SELECT error_code AS code, count(*) AS operations
    FROM operation
    WHERE status <> 'success'
    GROUP BY error_code
)
-- The answer:
SELECT
    $period::VARCHAR AS period,
    $since_used::TIMESTAMPTZ AS since,
    $until_used::TIMESTAMPTZ AS until,
    operations AS total_operations,
    CASE WHEN operations > 0 THEN successes / operations END AS success_rate,
    avg_ms AS avg_duration_ms,
    round(quantiles_ns[1]) / 1e6 AS p50_duration_ms,
    round(quantiles_ns[2]) / 1e6 AS p95_duration_ms,
    round(quantiles_ns[3]) / 1e6 AS p99_duration_ms,
    avg_queue_wait_ms,
    coalesce(
        (
            SELECT map(
                list(command ORDER BY operations DESC, command),
                list({'count': operations, 'avg_ms': avg_ms} ORDER BY operations DESC, command)
            )
            FROM by_command
        ),
        map()
    ) AS by_command,
    coalesce(
        (
            SELECT list({'code': code, 'count': operations} ORDER BY operations DESC, code)
            FROM by_code
        ),
        []
    ) AS errors,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM total;
