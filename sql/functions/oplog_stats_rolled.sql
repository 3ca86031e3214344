-- What oplog_stats groups, from the parts of a period in rollups and in rows.
part AS (
{parts}
),
summed AS (
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
        {quantile_bins}
    FROM ranked
    GROUP BY {by}
),
grouped AS (
    SELECT *, {quantiles_ns} AS quantiles_ns
    FROM summed
    LEFT JOIN quantile USING ({by})
)
