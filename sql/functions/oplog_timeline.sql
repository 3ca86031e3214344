-- How did it go over time? Each bucket of the period is a row, for each group that occurs in it.
WITH bucket AS (
    SELECT unnest(range($from_us::BIGINT, $until_us::BIGINT, $bucket_us::BIGINT)) AS start_us
),
operation AS (
    SELECT
        {by_listed}
        -- Rounded down, before 1970 too, where % is negative.
        epoch_us(timestamp)
            - (epoch_us(timestamp) % $bucket_us::BIGINT + $bucket_us::BIGINT) % $bucket_us::BIGINT
            AS start_us,
        status <> 'success' AS failed,
        duration_ms
    FROM operation_log
    WHERE {filters}
),
counted AS (
    SELECT
        {by_listed}
        start_us,
        count(*) AS operations,
        count(*) FILTER (failed) AS errors,
        quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), [0.5, 0.95]) AS quantiles_ns,
        max(duration_ms) AS max_ms
    FROM operation
    GROUP BY ALL
),
grouped AS (
    {groups}
)
SELECT
    to_timestamp(bucket.start_us / 1000000) AS bucket,
    {by_grouped}
    coalesce(operations, 0) AS operations,
    coalesce(errors, 0) AS errors,
    round(quantiles_ns[1]) / 1e6 AS p50_ms,
    round(quantiles_ns[2]) / 1e6 AS p95_ms,
    max_ms
FROM bucket
CROSS JOIN grouped
LEFT JOIN counted ON counted.start_us = bucket.start_us{by_matched}
ORDER BY ALL;
