-- The same where rows are gone: of a period rollups know when its first and its last operation ended. What ended at a time between
-- them may have ended right then.
UNION ALL
SELECT least(ended_us, $until_us::BIGINT)
FROM (
    SELECT unnest(list_append(
        range(
            $from_us::BIGINT
                + greatest((first_us - $from_us::BIGINT + $step_us::BIGINT - 1) // $step_us::BIGINT, 0) * $step_us::BIGINT,
            least(last_us, $until_us::BIGINT),
            $step_us::BIGINT
        ),
        last_us
    )) AS ended_us
    FROM (
        SELECT min(epoch_us(first_at)) AS first_us, max(epoch_us(last_at)) AS last_us
        FROM (
{periods}
        )
        JOIN rollup_keys USING (key)
        WHERE {filters}
        GROUP BY hour
    )
    WHERE first_us <= $until_us::BIGINT
)
