-- What was a metric by the hour? One row an hour, for each database that it is about. Hours of which there are samples are made of
-- these.
WITH minute AS (
    SELECT epoch_us(timestamp) // 3600000000 AS hour, metric, labels, avg(value) AS avg, sum(increase) AS increase
    FROM history_1m
    WHERE list_contains(CAST($metrics::VARCHAR AS VARCHAR[]), metric)
    GROUP BY ALL
),
known AS (
    FROM minute
    UNION ALL
    SELECT epoch_us(timestamp) // 3600000000 AS hour, metric, labels, avg, increase
    FROM history_1h
    WHERE list_contains(CAST($metrics::VARCHAR AS VARCHAR[]), metric)
        AND epoch_us(timestamp) // 3600000000 NOT IN (SELECT hour FROM minute)
)
SELECT
    hour,
    metric,
    coalesce(CAST(labels AS MAP(VARCHAR, VARCHAR))['database'], '') AS database,
    coalesce(increase, avg) AS value
FROM known
WHERE hour >= $from_hour::BIGINT
ORDER BY hour;
