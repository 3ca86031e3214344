-- How many operations, how many failed, how long did they take, how much did they move, group by group?
-- A sum that is larger than a BIGINT holds is the largest of them.
-- Quantiles are of whole nanoseconds: selecting among integers is twice as fast as among doubles.
WITH
-- Of the operations:
grouped AS (
    SELECT
        {by},
        count(*) AS operations,
        count(*) FILTER (status <> 'success') AS errors,
        avg(duration_ms) AS avg_ms,
        quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), [0.5, 0.95, 0.99]) AS quantiles_ns,
        max(duration_ms) AS max_ms,
        sum(duration_ms) AS total_ms,
        avg(queue_wait_ms) AS avg_queue_wait_ms,
        max(queue_wait_ms) AS max_queue_wait_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at
    FROM operation_log
    WHERE {filters}
    GROUP BY {by}
)
-- The answer:
SELECT
    {by},
    operations,
    errors,
    (operations - errors) / operations AS success_rate,
    avg_ms,
    round(quantiles_ns[1]) / 1e6 AS p50_ms,
    round(quantiles_ns[2]) / 1e6 AS p95_ms,
    round(quantiles_ns[3]) / 1e6 AS p99_ms,
    max_ms,
    total_ms,
    avg_queue_wait_ms,
    max_queue_wait_ms,
    CASE WHEN rows_affected > 9223372036854775807 THEN 9223372036854775807 ELSE rows_affected END::BIGINT AS rows_affected,
    CASE WHEN bytes_in > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_in END::BIGINT AS bytes_in,
    CASE WHEN bytes_out > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_out END::BIGINT AS bytes_out,
    first_at,
    last_at,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM grouped
ORDER BY operations DESC, {by};
