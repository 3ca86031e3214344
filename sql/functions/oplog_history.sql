-- What were metrics over time? Each bucket of the period with samples is a row, for each series.
-- Single samples where there are any of the hour; what is known of the whole hour before that.
WITH bucket AS (
    SELECT start_us, lead(start_us, 1, $until_us::BIGINT) OVER (ORDER BY start_us) AS end_us
    FROM (SELECT unnest(CAST($starts_us::VARCHAR AS BIGINT[])) AS start_us)
),
{cell},
minute AS (
    SELECT timestamp, metric, labels, value, increase
    FROM history_1m
),
hour AS (
    SELECT *
    FROM history_1h
    WHERE epoch_us(timestamp) // 3600000000 NOT IN (SELECT DISTINCT epoch_us(timestamp) // 3600000000 FROM history_1m)
),
sample AS (
    SELECT timestamp, metric, labels, 1 AS samples, value AS total, value AS min, value AS max, value AS last, increase
    FROM minute
    WHERE {filters}
    UNION ALL
    SELECT timestamp, metric, labels, samples, avg * samples, min, max, last, increase
    FROM hour
    WHERE {filters}
),
placed AS (
    SELECT {bucket_of_operation} AS start_us, sample.*
    FROM sample{join_cells}
)
SELECT
    CAST(strftime(make_timestamp(start_us), '%Y-%m-%d %H:%M:%S.%f') || '+00' AS TIMESTAMPTZ) AS bucket,
    metric,
    CAST(labels AS MAP(VARCHAR, VARCHAR)) AS labels,
    sum(samples)::BIGINT AS samples,
    sum(total) / sum(samples) AS avg,
    min(min) AS min,
    max(max) AS max,
    arg_max(last, timestamp) AS last,
    sum(increase) AS increase
FROM placed
GROUP BY start_us, metric, placed.labels
ORDER BY metric, placed.labels, start_us;
