-- How many operations in a row had failed at these times? Each command has a row of its own; the longest counts.
-- Operations are counted by the first of the times that is not before their end: to number them all takes far longer.
WITH {before}
point AS (
    SELECT unnest(range($from_us::BIGINT, $until_us::BIGINT + 1, $step_us::BIGINT)) AS at_us
),
ended AS (
    SELECT command, status <> 'success' AS failed, epoch_us(timestamp) AS ended_us, seq, 1 AS operations
    FROM operation_log
    WHERE timestamp > $after AND timestamp <= $until AND {rows} AND {filters}
    {and_before}
),
operation AS (
    SELECT
        command,
        failed,
        operations,
        -- The order: by time, and of those that ended at the same time as they were recorded.
        ended_us::HUGEINT * 18446744073709551616 + seq AS position,
        $from_us::BIGINT
            + greatest((ended_us - $from_us::BIGINT + $step_us::BIGINT - 1) // $step_us::BIGINT, 0) * $step_us::BIGINT AS at_us
    FROM ended
),
success AS (
    SELECT command, at_us, max(position) AS last_position
    FROM operation
    WHERE NOT failed
    GROUP BY command, at_us
),
counted AS (
    SELECT
        command,
        at_us,
        sum(operations) FILTER (failed AND (last_position IS NULL OR position > last_position)) AS errors,
        bool_or(last_position IS NOT NULL) AS interrupted
    FROM operation
    LEFT JOIN success USING (command, at_us)
    GROUP BY command, at_us
),
filled AS (
    SELECT at_us, command, coalesce(errors, 0) AS errors, coalesce(interrupted, false) AS interrupted
    FROM point
    CROSS JOIN (SELECT DISTINCT command FROM counted)
    LEFT JOIN counted USING (at_us, command)
),
-- Times between two successes share the number of those before them.
numbered AS (
    SELECT *, count(*) FILTER (interrupted) OVER (PARTITION BY command ORDER BY at_us) AS successes
    FROM filled
),
row_of_errors AS (
    SELECT at_us, sum(errors) OVER (PARTITION BY command, successes ORDER BY at_us) AS length
    FROM numbered
)
SELECT at_us, coalesce(max(length), 0)::DOUBLE AS value
FROM point
LEFT JOIN row_of_errors USING (at_us)
GROUP BY at_us
ORDER BY at_us;
