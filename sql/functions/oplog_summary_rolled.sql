-- What oplog_summary is made of, from the parts of a period in rollups and in rows.
part AS (
{parts}
),
summed AS (
    SELECT
        coalesce(sum(operations), 0)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status = 'success'), 0)::BIGINT AS successes,
        sum(total_ms) / sum(timed) AS avg_ms,
        sum(queue_wait_ms) / sum(queued) AS avg_queue_wait_ms,
        max(max_ms) AS max_ms
    FROM part
),
by_command AS (
    SELECT command, sum(operations)::BIGINT AS operations, sum(total_ms) / sum(timed) AS avg_ms
    FROM part
    GROUP BY command
),
by_code AS (
    SELECT error_code AS code, sum(operations)::BIGINT AS operations
    FROM (
{errors}
    )
    GROUP BY error_code
),
binned AS (
    SELECT bin, sum(operations) AS operations
    FROM (
{bins}
    )
    GROUP BY bin
),
ranked AS (
    SELECT bin, sum(operations) OVER (ORDER BY bin) AS below, sum(operations) OVER () AS n
    FROM binned
),
quantile AS (
    SELECT
        any_value(n)::DOUBLE AS n,
        {quantile_bins}
    FROM ranked
),
total AS (
    SELECT *, {quantiles_ns} AS quantiles_ns
    FROM summed, quantile
)
