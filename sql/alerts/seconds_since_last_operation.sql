-- How long had nothing been recorded at these times? A log that was opened later counts from then on, and what ended before
-- $unknown_us may have ended right then.
WITH point AS (
    SELECT unnest(range($from_us::BIGINT, $until_us::BIGINT + 1, $step_us::BIGINT)) AS at_us
),
-- The last one up to each of the times.
ended AS (
    SELECT epoch_us(timestamp) AS ended_us
    FROM operation_log
    WHERE timestamp <= $until AND {filters}
    {and_before}
),
operation AS (
    SELECT
        $from_us::BIGINT
            + greatest((ended_us - $from_us::BIGINT + $step_us::BIGINT - 1) // $step_us::BIGINT, 0) * $step_us::BIGINT AS at_us,
        max(ended_us) AS ended_us
    FROM ended
    GROUP BY ALL
)
SELECT
    at_us,
    greatest(at_us - greatest(coalesce(max(ended_us) OVER (ORDER BY at_us), 0), $opened_us::BIGINT, $unknown_us::BIGINT), 0) / 1e6 AS value
FROM point
LEFT JOIN operation USING (at_us)
ORDER BY at_us;
