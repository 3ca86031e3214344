-- oplog_stats, where rows are gone or are many: from the parts of the period in rollups and in rows.
WITH part AS (
{parts}
),
grouped AS (
    SELECT
        {by},
        sum(operations)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status <> 'success'), 0)::BIGINT AS errors,
        sum(total_ms) / sum(timed) AS avg_ms,
        max(max_ms) AS max_ms,
        sum(total_ms) AS total_ms,
        sum(queue_wait_ms) / sum(queued) AS avg_queue_wait_ms,
        max(max_queue_wait_ms) AS max_queue_wait_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out,
        min(first_at) AS first_at,
        max(last_at) AS last_at
    FROM part
    GROUP BY {by}
),
binned AS (
    SELECT {by}, bin, sum(operations) AS operations
    FROM (
{bins}
    )
    GROUP BY {by}, bin
),
ranked AS (
    SELECT
        {by},
        bin,
        sum(operations) OVER (PARTITION BY {by} ORDER BY bin) AS below,
        sum(operations) OVER (PARTITION BY {by}) AS n
    FROM binned
),
quantile AS (
    SELECT
        {by},
        any_value(n)::DOUBLE AS n,
        {p50_bins},
        {p95_bins},
        {p99_bins}
    FROM ranked
    GROUP BY {by}
)
SELECT
    {by},
    operations,
    errors,
    (operations - errors) / operations AS success_rate,
    avg_ms,
    {p50} AS p50_ms,
    {p95} AS p95_ms,
    {p99} AS p99_ms,
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
LEFT JOIN quantile USING ({by})
ORDER BY operations DESC, {by};
