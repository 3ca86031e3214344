-- What oplog_timeline counts, from the parts of a period in rollups and in rows, each with its bucket.
operation AS (
{parts}
),
summed AS (
    SELECT
        {by_listed}
        start_us,
        sum(operations)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status <> 'success'), 0)::BIGINT AS errors,
        sum(total_ms) / sum(timed) AS avg_ms,
        max(max_ms) AS max_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM operation
    GROUP BY {by_listed} start_us
),
binned AS (
    SELECT {by_listed} start_us, bin, sum(operations) AS operations
    FROM (
{bins}
    )
    GROUP BY {by_listed} start_us, bin
),
ranked AS (
    SELECT
        {by_listed}
        start_us,
        bin,
        sum(operations) OVER (PARTITION BY {by_listed} start_us ORDER BY bin) AS below,
        sum(operations) OVER (PARTITION BY {by_listed} start_us) AS n
    FROM binned
),
quantile AS (
    SELECT
        {by_listed}
        start_us,
        any_value(n)::DOUBLE AS n,
        {quantile_bins}
    FROM ranked
    GROUP BY {by_listed} start_us
),
counted AS (
    SELECT *, {quantiles_ns} AS quantiles_ns
    FROM summed
    LEFT JOIN quantile USING ({by_listed} start_us)
),
