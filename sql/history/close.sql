-- Adds up the minutes of the hours that have ended, each hour once: those behind the last one that there is.
INSERT INTO history_1h
SELECT
    -- Text with its offset is a time in every build, whatever zone the session has.
    CAST(strftime(make_timestamp(hour * 3600000000), '%Y-%m-%d %H:%M:%S') || '+00' AS TIMESTAMPTZ) AS timestamp,
    metric,
    labels,
    count(*) AS samples,
    avg(value) AS avg,
    min(value) AS min,
    max(value) AS max,
    arg_max(value, at_us) AS last,
    sum(increase) AS increase
FROM (
    SELECT epoch_us(timestamp) AS at_us, epoch_us(timestamp) // 3600000000 AS hour, metric, labels, value, increase
    FROM history_1m
)
WHERE hour < {until} AND hour > (SELECT coalesce(max(epoch_us(timestamp) // 3600000000), -1) FROM history_1h)
GROUP BY hour, metric, labels;
