-- Of which metrics is there history, and since when?
WITH sample AS (
    SELECT metric, labels, timestamp, increase FROM history_1h
    UNION ALL
    SELECT metric, labels, timestamp, increase FROM history_1m
),
sampled AS (
    SELECT
        metric,
        CASE WHEN count(increase) > 0 THEN 'counter' ELSE 'gauge' END AS type,
        count(DISTINCT labels) AS series,
        min(timestamp) AS first_at,
        max(timestamp) AS last_at
    FROM sample
    GROUP BY metric
)
SELECT
    coalesce(sampled.metric, history_metrics.name) AS metric,
    type,
    history_metrics.name IS NOT NULL AS is_set,
    coalesce(series, 0) AS series,
    first_at,
    last_at
FROM sampled
FULL JOIN history_metrics ON history_metrics.name = sampled.metric
ORDER BY ALL;
