-- Makes the rollups of periods that have ended from those of the level below. {key} is the key here of one there.
INSERT INTO {table}
SELECT
    {period} AS period,
    {key} AS kept_key,
    {sums}
FROM {below} AS below{join}
WHERE hour >= {from} AND hour < {until}
GROUP BY period, kept_key
ORDER BY period, kept_key;

INSERT INTO {table}_durations
SELECT {period} AS period, {key} AS kept_key, bin, sum(operations)
FROM {below}_durations AS below{join}
WHERE hour >= {from} AND hour < {until}
GROUP BY period, kept_key, bin
ORDER BY period, kept_key, bin;
