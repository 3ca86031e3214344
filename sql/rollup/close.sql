-- Makes the rollups of periods that have ended from those of the level below. {key} is the key here of one there.
INSERT INTO {table}
SELECT
    hour - ((hour % {hours}) + {hours}) % {hours} AS period,
    {key} AS kept_key,
    sum(operations),
    sum(timed),
    sum(total_ms),
    max(max_ms),
    sum(queued),
    sum(queue_wait_ms),
    max(max_queue_wait_ms),
    sum(rows_affected),
    sum(bytes_in),
    sum(bytes_out),
    min(first_at),
    max(last_at)
FROM {below} AS below{join}
WHERE hour >= {from} AND hour < {until}
GROUP BY period, kept_key
ORDER BY period, kept_key;

INSERT INTO {table}_durations
SELECT hour - ((hour % {hours}) + {hours}) % {hours} AS period, {key} AS kept_key, bin, sum(operations)
FROM {below}_durations AS below{join}
WHERE hour >= {from} AND hour < {until}
GROUP BY period, kept_key, bin
ORDER BY period, kept_key, bin;
