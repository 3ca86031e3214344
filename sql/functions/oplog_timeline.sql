-- How did it go over time? Each bucket of the period is a row, for each group that occurs in it.
-- Where all buckets have one length, a division finds an operation's. Those of days and months can differ: then it finds the
-- cell, and a join its buckets.
WITH bucket AS (
    SELECT start_us, lead(start_us, 1, $until_us::BIGINT) OVER (ORDER BY start_us) AS end_us
    FROM (SELECT unnest(CAST($starts_us::VARCHAR AS BIGINT[])) AS start_us)
),
{cell},
-- Of the operations:
operation AS (
    SELECT
        {by_listed}
        {bucket_of_operation} AS start_us,
        status <> 'success' AS failed,
        duration_ms,
        rows_affected,
        bytes_in,
        bytes_out
    FROM operation_log{join_cells}
    WHERE {filters}
),
counted AS (
    SELECT
        {by_listed}
        start_us,
        count(*) AS operations,
        count(*) FILTER (failed) AS errors,
        avg(duration_ms) AS avg_ms,
        quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), [0.5, 0.95]) AS quantiles_ns,
        max(duration_ms) AS max_ms,
        sum(rows_affected) AS rows_affected,
        sum(bytes_in) AS bytes_in,
        sum(bytes_out) AS bytes_out
    FROM operation
    GROUP BY ALL
),
-- The answer:
grouped AS (
    {groups}
)
SELECT
    -- Text with its offset is a time in every build; to_timestamp() would round it to what a DOUBLE holds.
    CAST(strftime(make_timestamp(bucket.start_us), '%Y-%m-%d %H:%M:%S.%f') || '+00' AS TIMESTAMPTZ) AS bucket,
    {by_grouped}
    coalesce(operations, 0) AS operations,
    coalesce(errors, 0) AS errors,
    CASE WHEN operations > 0 THEN (operations - errors) / operations END AS success_rate,
    avg_ms,
    round(quantiles_ns[1]) / 1e6 AS p50_ms,
    round(quantiles_ns[2]) / 1e6 AS p95_ms,
    max_ms,
    CASE WHEN rows_affected > 9223372036854775807 THEN 9223372036854775807 ELSE rows_affected END::BIGINT AS rows_affected,
    CASE WHEN bytes_in > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_in END::BIGINT AS bytes_in,
    CASE WHEN bytes_out > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_out END::BIGINT AS bytes_out,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM bucket
CROSS JOIN grouped
LEFT JOIN counted ON counted.start_us = bucket.start_us{by_matched}
ORDER BY ALL;
