-- How many operations, how many failed, how long did they take, how much did they move, group by group?
SELECT
    {by},
    operations,
    errors,
    (operations - errors) / operations AS success_rate,
    avg_ms,
    quantiles_ms[1] AS p50_ms,
    quantiles_ms[2] AS p95_ms,
    quantiles_ms[3] AS p99_ms,
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
        quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS quantiles_ms,
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
