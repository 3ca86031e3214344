-- oplog_timeline, where rows are gone or are many: from the parts of the period in rollups and in rows,
-- each with the bucket that it belongs to. Buckets and cells are those of oplog_timeline.sql.
WITH bucket AS (
    SELECT start_us, lead(start_us, 1, $until_us::BIGINT) OVER (ORDER BY start_us) AS end_us
    FROM (SELECT unnest(CAST($starts_us::VARCHAR AS BIGINT[])) AS start_us)
),
cell AS (
    SELECT
        unnest(range(
            (start_us - $from_us::BIGINT + $gap_us::BIGINT - 1) // $gap_us::BIGINT,
            (end_us - $from_us::BIGINT + $gap_us::BIGINT - 1) // $gap_us::BIGINT
        )) AS number,
        start_us,
        end_us
    FROM bucket
),
operation AS (
{parts}
),
counted AS (
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
        {p50_bins},
        {p95_bins}
    FROM ranked
    GROUP BY {by_listed} start_us
),
answered AS (
    SELECT *
    FROM counted
    LEFT JOIN quantile USING ({by_listed} start_us)
),
grouped AS (
    {groups}
)
SELECT
    CAST(strftime(make_timestamp(bucket.start_us), '%Y-%m-%d %H:%M:%S.%f') || '+00' AS TIMESTAMPTZ) AS bucket,
    {by_grouped}
    coalesce(operations, 0) AS operations,
    coalesce(errors, 0) AS errors,
    CASE WHEN operations > 0 THEN (operations - errors) / operations END AS success_rate,
    avg_ms,
    {p50} AS p50_ms,
    {p95} AS p95_ms,
    max_ms,
    CASE WHEN rows_affected > 9223372036854775807 THEN 9223372036854775807 ELSE rows_affected END::BIGINT AS rows_affected,
    CASE WHEN bytes_in > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_in END::BIGINT AS bytes_in,
    CASE WHEN bytes_out > 9223372036854775807 THEN 9223372036854775807 ELSE bytes_out END::BIGINT AS bytes_out,
    $complete_since::TIMESTAMPTZ AS complete_since
FROM bucket
CROSS JOIN grouped
LEFT JOIN answered AS counted ON counted.start_us = bucket.start_us{by_matched}
ORDER BY ALL;
