-- What was a metric at these times, measured over the period that ends there? Only the one that is asked for is computed.
-- Quantiles are of whole nanoseconds, as in oplog_stats.
WITH point AS (
    SELECT unnest(range($from_us::BIGINT, $until_us::BIGINT + 1, $step_us::BIGINT)) AS at_us
),
-- An operation counts from the first of the times that is not before its end, as long as the period lasts. These times
-- are listed for each: to join on two inequalities takes minutes where this takes seconds.
operation AS (
    SELECT
        unnest(range(
            $from_us::BIGINT
                + greatest((epoch_us(timestamp) - $from_us::BIGINT + $step_us::BIGINT - 1) // $step_us::BIGINT, 0) * $step_us::BIGINT,
            least(epoch_us(timestamp) + $period_us::BIGINT, $until_us::BIGINT + 1),
            $step_us::BIGINT
        )) AS at_us,
        status <> 'success' AS failed,
        duration_ms
    FROM operation_log
    WHERE timestamp > $after AND timestamp <= $until AND {filters}
),
measured AS (
    SELECT
        at_us,
        count(*) AS operations,
        count(*) FILTER (failed) AS errors,
        count(*) FILTER (NOT failed) / count(*) AS success_rate,
        avg(duration_ms) AS avg_duration_ms,
        round(quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), 0.5)) / 1e6 AS p50_duration_ms,
        round(quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), 0.95)) / 1e6 AS p95_duration_ms,
        round(quantile_cont(CAST(duration_ms * 1e6 AS BIGINT), 0.99)) / 1e6 AS p99_duration_ms,
        max(duration_ms) AS max_duration_ms
    FROM operation
    GROUP BY at_us
),
filled AS (
    SELECT
        point.at_us,
        measured.* EXCLUDE (at_us) REPLACE (coalesce(operations, 0) AS operations, coalesce(errors, 0) AS errors)
    FROM point
    LEFT JOIN measured ON measured.at_us = point.at_us
)
SELECT at_us, CASE WHEN operations >= $min_operations::BIGINT THEN {metric}::DOUBLE END AS value
FROM filled
ORDER BY at_us;
