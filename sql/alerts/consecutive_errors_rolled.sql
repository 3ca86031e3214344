-- The same where rollups say what was before the rows: of an hour they know how many operations failed, and when the first and
-- the last one ended of those that failed and of those that succeeded. Never are more errors counted in a row than there were.
rolled AS (
    SELECT
        command,
        hour,
        min(first_at) FILTER (status = 'success') AS first_success_at,
        max(last_at) FILTER (status = 'success') AS last_success_at,
        min(first_at) FILTER (status <> 'success') AS first_error_at,
        max(last_at) FILTER (status <> 'success') AS last_error_at,
        sum(operations) FILTER (status <> 'success') AS errors
    FROM (
        SELECT hour, key, operations, first_at, last_at
        FROM rollup_pair_1h
        WHERE hour >= $from_hour::BIGINT AND hour < $border_hour::BIGINT
    )
    JOIN rollup_keys USING (key)
    WHERE {filters}
    GROUP BY command, hour
),
-- Errors whose rows are still there tell their order.
kept AS (
    SELECT rolled.command, rolled.hour, count(*) AS errors
    FROM (
        SELECT command, timestamp, epoch_us(timestamp) // 3600000000 AS hour
        FROM operation_log
        WHERE timestamp > $after AND seq < $rolled_seq::BIGINT AND status <> 'success' AND {filters}
    ) AS error
    JOIN rolled ON rolled.command = error.command AND rolled.hour = error.hour
    WHERE error.timestamp > rolled.last_success_at
    GROUP BY rolled.command, rolled.hour
),
ended_before AS (
    SELECT command, false AS failed, epoch_us(unnest([first_success_at, last_success_at])) AS ended_us, 0::UBIGINT AS seq, 1::HUGEINT AS operations
    FROM rolled
    WHERE last_success_at IS NOT NULL
    UNION ALL
    -- Of errors on both sides of the last success, the last one is behind it.
    SELECT
        command,
        true,
        epoch_us(last_error_at),
        0::UBIGINT,
        CASE
            WHEN last_success_at IS NULL OR first_error_at > last_success_at THEN rolled.errors
            ELSE greatest(coalesce(kept.errors, 0), 1)
        END
    FROM rolled
    LEFT JOIN kept USING (command, hour)
    WHERE last_error_at > coalesce(last_success_at, TIMESTAMPTZ '-infinity') AND last_error_at <= $until
),
