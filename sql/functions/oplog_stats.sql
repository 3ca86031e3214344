-- How many operations, how many failed, how long did they take, how much did they move, group by group?
-- Quantiles are of whole nanoseconds: selecting among integers is twice as fast as among doubles.
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
    rows_affected,
    bytes_in,
    bytes_out,
    first_at,
    last_at
FROM (
    SELECT
        {by},
        count(*) AS operations,
        count(*) FILTER (status <> 'success') AS errors,
        avg(duration_ms) AS avg_ms,
        quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), [0.5, 0.95, 0.99]) AS quantiles_ns,
        max(duration_ms) AS max_ms,
        sum(duration_ms) AS total_ms,
        sum(rows_affected)::BIGINT AS rows_affected,
        sum(bytes_in)::BIGINT AS bytes_in,
        sum(bytes_out)::BIGINT AS bytes_out,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at
    FROM operation_log
    WHERE {filters}
    GROUP BY {by}
)
ORDER BY operations DESC, {by};
