-- What was a metric over a period, put together from rollups and rows? Only what is asked for is computed.
WITH part AS (
{parts}
),
summed AS (
    SELECT
        coalesce(sum(operations), 0)::BIGINT AS operations,
        coalesce(sum(operations) FILTER (status <> 'success'), 0)::BIGINT AS errors,
        sum(total_ms) / sum(timed) AS avg_duration_ms,
        max(max_ms) AS max_ms
    FROM part
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
quantiles AS (
    SELECT {quantiles_ns} AS quantiles_ns
    FROM quantile
    CROSS JOIN summed
)
SELECT CASE WHEN operations >= $min_operations::BIGINT THEN ({metric})::DOUBLE END AS value
FROM summed;
